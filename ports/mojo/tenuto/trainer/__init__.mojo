"""The trainer, and exact resume."""
