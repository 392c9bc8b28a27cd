"""Scenarios as cases: scripted trainings that a port carries out, judged by events, replies and files.

Spec: 95-scenarios.md.
"""
