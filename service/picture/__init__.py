"""Bytes of a file to a canonical digit, or why there is none. All of the service that training may import."""
