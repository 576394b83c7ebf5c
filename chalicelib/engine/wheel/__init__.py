"""The timing wheel: timers, and the pure plan of what a timer asks for."""
