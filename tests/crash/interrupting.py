"""Interrupts at every step of the interpreter, memory that runs out at every allocation, and what is left of it."""

import os
import signal
import sys

from crash.dying import digest_of
from tenuto.reference.checkpoint import Document, Tensor, encode, read_checkpoint, verify_checkpoint
from tenuto.reference.checkpoint.ledger import read_ledger
from tenuto.reference.checkpoint.store import Store
from tenuto.reference.errors import CheckpointError

# Where files, names and handles are dealt with; the rest of the path computes, and holds nothing that could leak.
SHELL = ("store.py", "storage.py", "gathering.py", "files.py", "ledger.py", "contextlib.py")
# What the interpreter itself, 3.11 at least, says where it has no memory for a lock, and for a frame.
NO_MEMORY = {"can't allocate lock", "error return without exception set"}


def document(start):
    """Returns a small document with a tensor; another one for another start."""
    head = {key: {} for key in ("model_state", "optimizer_state", "scheduler_state", "rng_state", "callback_state")}
    weights = Tensor("uint8", (96,), bytes(range(start, start + 96)))
    metadata = {"origin": {"run_id": "r"}, "kind": "full"}
    parts = {"version": "1.0", "requires": [], "metadata": metadata, "trainer_state": {"w": weights}}
    return Document({**parts, **head})


class Stage:
    """A folder with a file in it, and what a save path may do there.

    Attributes:
        acts: Name -> what is done.
    """

    def __init__(self, folder):
        self.folder, self.store, self.new = str(folder), Store(folder, "r"), document(9)
        self.acts = {
            "save": lambda: self.store.save("a.ckpt", self.new),
            "link": lambda: self.store.add_names("b.ckpt", {"latest.ckpt": "link"}),
            "copy": lambda: self.store.add_names("b.ckpt", {"latest.ckpt": "copy"}),
            "delete": lambda: self.store.delete(["c.ckpt"]),
            "sweep": self.store.sweep,
            "encode": lambda: b"".join(bytes(piece) for piece in encode(self.new)),
            "load": lambda: read_checkpoint(self.store.path("b.ckpt")).head,
            "verify": lambda: verify_checkpoint(self.store.path("b.ckpt")).rows,
            "ledger": lambda: read_ledger(self.folder).entries,
        }
        first = self.store.save("a.ckpt", document(0))
        self.old, self.other = digest_of(first), digest_of(self.store.save("b.ckpt", document(1)))
        self.new_digest = digest_of(self.store.save("c.ckpt", self.new))

    def set(self):
        """Puts everything in its place."""
        for name, start in (("a.ckpt", 0), ("c.ckpt", 9)):
            if not self._holds(name, {self.old if start == 0 else self.new_digest}):
                self.store.save(name, document(start))
        if self._holds("latest.ckpt", {self.other}):
            os.unlink(self.store.path("latest.ckpt"))

    def breaches(self):
        """Returns what is wrong with the folder; a temporary file is not, if the next sweep removes it."""
        fine = {"a.ckpt": {self.old, self.new_digest}, "b.ckpt": {self.other}}
        fine |= {"c.ckpt": {self.new_digest, None}, "latest.ckpt": {self.other, None}}
        wrong = [f"{name}: other bytes" for name, digests in fine.items() if not self._holds(name, digests)]
        self.store.sweep()
        strangers = set(os.listdir(self.folder)) - fine.keys()
        return wrong + [f"left behind: {name}" for name in strangers]

    def _holds(self, name, digests):
        path = self.store.path(name)
        return (digest_of(path) if os.path.exists(path) else None) in digests


class Leaks:
    """Handles that an interrupt kept from being closed: counted, and closed."""

    def __init__(self):
        self.count, self._before = 0, _handles()

    def mend(self):
        for handle in _handles() - self._before:
            self.count += 1
            os.close(handle)


def _handles():
    found = {int(name) for name in os.listdir("/proc/self/fd")}
    return {handle for handle in found if os.path.exists(f"/proc/self/fd/{handle}")}  # not that of the listing


class Interrupter:
    """Raises `KeyboardInterrupt` before the n-th opcode, as an interrupt may be noticed there.

    Args:
        at: The number of the opcode, from 1; 0 to count them.
        files: The names of files whose opcodes count; None for all.
    """

    def __init__(self, at, files=None):
        self.at, self.files, self.count = at, files, 0

    def __call__(self, frame, event, _):
        if event == "call" and self._counts(frame):
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return self._opcode
        return None

    def _counts(self, frame):
        name = frame.f_code.co_filename
        if self.files is None:
            return "tenuto" in name or name.endswith("contextlib.py")
        return os.path.basename(name) in self.files

    def _opcode(self, _, event, __):
        if event == "opcode":
            self.count += 1
            if self.count == self.at:
                raise KeyboardInterrupt
        return self._opcode

    def run(self, act):
        """Does something and returns how it ended: None, or the error."""
        sys.settrace(self)
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - what it is is the question
            return error
        finally:
            sys.settrace(None)
        return None


def with_a_signal(act, seconds):
    """Does something while a timer runs whose signal raises `KeyboardInterrupt`, and returns how it ended."""

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            act()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except BaseException as error:  # noqa: BLE001 - as above
        return error
    finally:
        signal.signal(signal.SIGALRM, before)
    return None


def without_memory(act, first, last):
    """Does something while allocations fail from the n-th to before another, 0 for all after it; returns how it ended.

    Raises:
        ImportError: The interpreter has no way to do that.
    """
    from _testcapi import remove_mem_hooks, set_nomemory

    error = None
    try:
        set_nomemory(first, last)
        act()
        remove_mem_hooks()
    except (MemoryError, CheckpointError) as found:
        remove_mem_hooks()
        error = found.with_traceback(None)
    except BaseException as found:  # noqa: BLE001 - a foreign one, which the caller reports
        remove_mem_hooks()
        error = MemoryError(str(found)) if str(found) in NO_MEMORY else found
    return error
