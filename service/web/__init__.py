"""What speaks HTTP: a request comes in at the boundary and leaves it as an answer or a problem."""
