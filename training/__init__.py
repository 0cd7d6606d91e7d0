"""Trains, evaluates and exports the networks: one runnable module per verb (train, evaluate, export)."""
