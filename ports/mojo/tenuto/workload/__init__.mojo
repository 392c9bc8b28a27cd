"""The reference workload."""
