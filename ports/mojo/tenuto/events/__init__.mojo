"""Hooks, contexts and the callback trait."""
