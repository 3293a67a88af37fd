"""Running and judging video-removal models; the only package that imports torch."""
