"""What is known of the checkpoints in a folder. Values only: `ledger` reads them."""

from __future__ import annotations

from attrs import frozen

__all__ = ["DamagedFile", "Entry", "Ledger"]


@frozen
class Entry:
    """One checkpoint file, as its head describes it.

    Attributes:
        name: In the folder.
        position: `(epoch, batch_in_epoch, global_step)`; a later state compares greater.
        parent: `checkpoint_id` of the state that its attempt started from, or None.
        identity: What two names of one file have in common; None for a symbolic link.
    """

    name: str
    checkpoint_id: str
    run_id: str
    attempt: int
    position: tuple[int, int, int]
    is_exact: bool
    is_full: bool
    reasons: tuple[str, ...]
    parent: str | None
    identity: tuple[int, int] | None


@frozen
class DamagedFile:
    """A file that cannot be used, and why."""

    name: str
    code: str
    message: str


@frozen
class Ledger:
    """Everything in a folder that ends in `.ckpt`."""

    entries: tuple[Entry, ...]
    damaged: tuple[DamagedFile, ...]

    def run_ids(self) -> tuple[str, ...]:
        """Returns the runs that have files here, sorted."""
        return tuple(sorted({entry.run_id for entry in self.entries}))

    def last_attempt(self, run_id: str) -> int:
        """Returns the greatest attempt of a run, 0 if it has no file.

        Spec: TR-RES-007.
        """
        return max((entry.attempt for entry in self.entries if entry.run_id == run_id), default=0)

    def newest_first(self) -> list[Entry]:
        """Returns the full checkpoints, each file once, the newest state first.

        Spec: TR-RES-001.
        """
        unique = {entry.checkpoint_id: entry for entry in reversed(self.entries) if entry.is_full}
        return sorted(unique.values(), key=lambda entry: (entry.attempt, entry.position), reverse=True)
