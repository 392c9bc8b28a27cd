"""The lanes that break saving on purpose: crashes, faults, kills, bad input, and mutants of the save protocol."""
