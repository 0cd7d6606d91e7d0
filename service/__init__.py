"""Serves the exported networks over HTTP. Knows an artefact's folder, and nothing of how it was trained."""
