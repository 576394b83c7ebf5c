"""Jobs that only pretend: for tests, demos and benchmarks."""
