"""Deterministic simulation: the real engine over the twins, days of virtual time, every fault, one seed."""
