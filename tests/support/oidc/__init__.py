"""Identity providers for tests: a real program, and a twin that says what a test wants."""
