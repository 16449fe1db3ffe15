"""Side by side with other ways to serve the same pipeline: see benchmarks/README.md."""
