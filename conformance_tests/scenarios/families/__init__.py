"""Scenario cases that are made at run time, because there are many of one kind."""
