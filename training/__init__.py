"""Trains, evaluates, exports, describes and compares the networks: one runnable module per verb."""
