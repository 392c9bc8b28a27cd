"""Training state held at its full value across interruption, machine and language."""
