"""Of the code, the same as in pyproject.toml, which not every installation has."""

VERSION = "0.1.0"
