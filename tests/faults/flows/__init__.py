"""The flows, a function each."""
