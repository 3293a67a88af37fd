"""Physics run again: convex parts, worlds, what was held, and why to believe the result."""
