"""The local AWS: the embedded emulator, its launcher, `make run` and the end-to-end tests' stack."""
