"""What the checkpoint callback remembers, also while it is not known yet whether a save succeeds."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from attrs import evolve

from tenuto.callbacks.documents import with_files, with_state
from tenuto.callbacks.policies.memory import Memory, read_memory
from tenuto.callbacks.policies.monitors import MonitorSettings, adapt_lists
from tenuto.reference.checkpoint.tree import Document, Tree

__all__ = ["Recollection"]

_log = logging.getLogger("tenuto")


class Recollection:
    """The memory of a callback.

    Args:
        monitors: The metrics of which the best are kept.
        state_key: Of the callback.
        has_policy: Whether there is a save policy of the user's.

    Attributes:
        now: The memory; if a save is in flight, as it is if that save succeeds.
        before: The memory as it is if that save fails.
        is_loaded: Whether it is that of a saved state, with which no attempt has begun yet.
    """

    def __init__(self, monitors: tuple[MonitorSettings, ...], state_key: str, *, has_policy: bool) -> None:
        self._monitors, self._state_key, self._has_policy = monitors, state_key, has_policy
        self.now = self.before = Memory()
        self.is_loaded = False

    def state_dict(self) -> dict[str, Tree]:
        """Returns what later decisions depend on."""
        return self.now.to_tree(self._monitors, has_policy=self._has_policy)

    def load_state_dict(self, state: dict[str, Tree]) -> None:
        """Takes over what an earlier attempt remembered.

        Spec: CPC-BEST-008, CPC-BEST-014.
        """
        memory, left_out = read_memory(state, self._monitors)
        for name in left_out:
            _log.warning("best list of %s: is not monitored any more, left out", name)
        self._settle(memory)
        self.is_loaded = True

    def begin(self, *, resumed: bool) -> None:
        """Begins an attempt: with what was loaded, or with nothing, whatever a run before this one has left.

        Spec: CPC-BEST-014, CPC-WHEN-010.
        """
        lists = adapt_lists(self._monitors, self.now.lists)
        self._settle(evolve(self.now, lists=lists, stamped={}) if resumed else Memory())
        self.is_loaded = False

    def propose(self, memory: Memory) -> None:
        """Takes over what is remembered if a save succeeds: its file holds it.

        Spec: CPC-BEST-013.
        """
        self.before, self.now = self.now, memory

    def take_back(self) -> None:
        """Forgets a save that was not made."""
        self.now = self.before

    def take_back_lists(self) -> None:
        """Forgets what a failed save did to the best lists; the schedule goes on as if it had been made.

        Spec: CPC-ERR-001, CPC-ERR-005.
        """
        self.now = evolve(self.before, last=self.now.last)

    def name_best(self, names: Mapping[str, str]) -> None:
        """Notes the names in the folder of the best that replace no file, of some monitors."""
        self.now = evolve(self.now, stamped={**self.now.stamped, **names})

    def best(self) -> dict[str, Tree]:
        """Returns the best lists for `metadata.best`.

        Spec: CPC-STATE-003.
        """
        return {one.monitor: list(self.now.best_tree(one.monitor)) for one in self._monitors}

    def complete(self, document: Document) -> Document:
        """Returns a document with what is remembered now, as of the save that it is for.

        Spec: CPC-BEST-013, CPC-NAME-014.
        """
        state: Any = self.state_dict()
        document = with_state(document, self._state_key, state)
        stamped = [one.monitor for one in self._monitors if not one.overwrite]
        if not stamped:
            return document
        return with_files(document, {name: self.now.stamped[name] for name in stamped if name in self.now.stamped})

    def _settle(self, memory: Memory) -> None:
        self.now = self.before = memory
