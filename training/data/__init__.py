"""Images to train on: data sets, synthesised digits and letters, and what is done to both."""
