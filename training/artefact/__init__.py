"""Of a trained network, what is exported: folded, in each format, compared and calibrated."""
