"""Hooks, the contexts that they receive, and what the trainer asks of a listener."""
