"""May a run start now, or must it wait: its job, its slots, the limits of its target and tenant."""
