"""An exported folder becomes a network that answers batches."""
