"""One run of training: what decides it, where it is kept, on what it runs and how it is shown."""
