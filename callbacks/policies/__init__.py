"""Pure decisions: what is best, when to save, under which names, what to delete. No clock, no disk, no tensor."""
