"""Faults at the AWS calls: the deployed handlers and the real adapters over moto, with faults on the wire."""
