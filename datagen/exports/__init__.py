"""Samples in the layouts of others; one module a format."""
