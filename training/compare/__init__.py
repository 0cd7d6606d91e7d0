"""Runs compared with each other: devices, and optimizers."""
