"""Proof of exact resume on the user's own job: train it whole, stop and resume it at several points, compare."""
