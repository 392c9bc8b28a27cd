"""Adapters that misbehave, each in one way."""
