"""No collection of cycles while objects are made by the thousand that are in none."""

from __future__ import annotations

import gc

__all__ = ["Uncollected"]


class Uncollected:
    """Pauses the collection of cycles for a block that computes, makes many objects, and waits for nothing.

    Each pass would look at all of them again, and at what else the process holds: a third of a save of many tensors.
    """

    def __init__(self) -> None:
        self._was_on = False

    def __enter__(self) -> None:
        """Pauses it, if it is on."""
        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        """Lets it go on."""
        if self._was_on:
            gc.enable()
