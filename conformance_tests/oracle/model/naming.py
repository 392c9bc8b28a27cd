"""The names of checkpoints.

Spec: section 4 of 20-checkpoint-callback.md, TR-RES-008, TR-RES-018.
"""

import re
from collections.abc import Callable

from tenuto.conformance_tests.oracle.model.retention import Progress

LATEST = "latest.ckpt"
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_BOUNDARY = re.compile(r"checkpoint_epoch_\d{4,}(_step_\d{8,}(_batch_\d{6,})?)?\.ckpt", re.ASCII)
_EMERGENCY = re.compile(r"emergency_epoch_\d{4,}_step_\d{8,}\.ckpt", re.ASCII)


def boundary_name(progress: Progress, inside_window: bool = False) -> str:
    """The name of a periodic, manual or final save.

    Args:
        progress: of the state.
        inside_window: whether it is a periodic or manual save between two batches of one window.

    Spec: CPC-NAME-001, CPC-NAME-007, CPC-NAME-008, CPC-NAME-015.
    """
    batch = f"_batch_{progress[1]:06d}" if inside_window else ""
    return f"checkpoint_{_place(progress)}{batch}.ckpt"


def emergency_name(progress: Progress) -> str:
    """The name of an emergency save.

    Spec: CPC-NAME-002.
    """
    return f"emergency_epoch_{progress[0]:04d}_step_{progress[2]:08d}.ckpt"


def best_name(monitor: str) -> str:
    """The name of rank 1.

    Spec: CPC-NAME-003.
    """
    return f"best_model_{escaped(monitor)}.ckpt"


def entry_name(monitor: str, slots: int, progress: Progress) -> str:
    """The name of an entry of a best list with so many slots.

    Spec: CPC-NAME-003, CPC-NAME-008, CPC-STATE-004.
    """
    return best_name(monitor) if slots == 1 else f"best_model_{escaped(monitor)}_{_place(progress)}.ckpt"


def escaped(monitor: str) -> str:
    """The name of a metric as it stands in a file name.

    Spec: CPC-NAME-004.
    """
    return "".join(chr(one) if one in _PLAIN else f"%{one:02X}" for one in monitor.encode("utf-8"))


def is_boundary_name(name: str) -> bool:
    """Whether a periodic, manual or final save may have this name.

    Spec: CPC-NAME-001, CPC-NAME-015.
    """
    return _BOUNDARY.fullmatch(name) is not None


def is_emergency_name(name: str) -> bool:
    """Whether an emergency save may have this name.

    Spec: CPC-NAME-002.
    """
    return _EMERGENCY.fullmatch(name) is not None


def freed_name(name: str, attempt: int, is_taken: Callable[[str], bool]) -> str:
    """The name that a file of an earlier attempt gets, whose name is needed.

    Spec: TR-RES-008, TR-RES-018.
    """
    stem = f"{name.removesuffix('.ckpt')}_attempt{attempt}"
    number, found = 1, f"{stem}.ckpt"
    while is_taken(found):
        number += 1
        found = f"{stem}_{number}.ckpt"
    return found


def _place(progress: Progress) -> str:
    epoch, batch, step = progress
    return f"epoch_{epoch:04d}" + (f"_step_{step:08d}" if batch else "")
