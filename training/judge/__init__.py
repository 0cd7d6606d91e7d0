"""What a network or a running service is worth on labelled pictures."""
