"""Tests of the runner against adapters that misbehave."""
