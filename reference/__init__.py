"""The Python reference: checkpoint codec and store, events, trainer."""
