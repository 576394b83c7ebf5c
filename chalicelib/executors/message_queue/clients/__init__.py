"""What speaks to the brokers: a module for each kind, loaded when a job of that kind runs."""
