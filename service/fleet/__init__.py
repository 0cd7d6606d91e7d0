"""What the processes of one server share: how many there are, their numbers and their connections."""
