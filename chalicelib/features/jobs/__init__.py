"""Jobs: define, list, change, pause, resume, trigger, and look ahead."""
