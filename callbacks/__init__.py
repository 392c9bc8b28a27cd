"""Callbacks: the base, the checkpoint callback with its pure policies, and ready-made ones. `tenuto` has the names."""
