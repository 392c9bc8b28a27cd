"""The names of checkpoint files. Pure."""

from __future__ import annotations

import re
from typing import Final

from tenuto.reference.events.contexts import Progress

__all__ = [
    "LATEST",
    "attempt_name",
    "best_entry_name",
    "best_name",
    "emergency_name",
    "escape",
    "is_bare",
    "is_best",
    "is_emergency",
    "is_periodic",
    "periodic_name",
]

LATEST: Final = "latest.ckpt"
_PLAIN: Final = re.compile(rb"[^A-Za-z0-9._-]")


def escape(metric: str) -> str:
    """Returns the name of a metric as a part of a file name.

    Spec: CPC-NAME-004.
    """
    return _PLAIN.sub(lambda found: b"%%%02X" % found[0][0], metric.encode()).decode("ascii")


def _moment(progress: Progress) -> str:
    step = f"_step_{progress.global_step:08d}" if progress.batch_in_epoch else ""
    return f"epoch_{progress.epoch:04d}{step}"


def periodic_name(progress: Progress, *, in_window: bool = False) -> str:
    """Returns the name of a save at an epoch boundary, inside an epoch, or inside an accumulation window.

    Spec: CPC-NAME-001, CPC-NAME-007, CPC-NAME-015.
    """
    batch = f"_batch_{progress.batch_in_epoch:06d}" if in_window else ""
    return f"checkpoint_{_moment(progress)}{batch}.ckpt"


def emergency_name(progress: Progress) -> str:
    """Returns the name of an emergency save.

    Spec: CPC-NAME-002.
    """
    return f"emergency_epoch_{progress.epoch:04d}_step_{progress.global_step:08d}.ckpt"


def best_name(metric: str) -> str:
    """Returns the name of rank 1 of a monitor.

    Spec: CPC-NAME-003.
    """
    return f"best_model_{escape(metric)}.ckpt"


def best_entry_name(metric: str, progress: Progress) -> str:
    """Returns the name of one entry of a best list with several slots.

    Spec: CPC-NAME-003.
    """
    return f"best_model_{escape(metric)}_{_moment(progress)}.ckpt"


def attempt_name(name: str, label: str) -> str:
    """Returns where a file goes that is in the way: the label is `attempt{n}` or says what is wrong with the file.

    Spec: TR-RES-008.
    """
    return f"{name.removesuffix('.ckpt')}_{label}.ckpt"


def is_bare(name: object) -> bool:
    """Returns whether something is the name of a checkpoint in a folder, and leads nowhere else.

    Spec: CPC-STATE-005.
    """
    return isinstance(name, str) and re.fullmatch(r"[^/\\\0.][^/\\\0]*\.ckpt", name) is not None


def is_best(name: str) -> bool:
    """Returns whether a name is one of `best_name` or `best_entry_name`."""
    return name.startswith("best_model_")


def is_periodic(name: str) -> bool:
    """Returns whether a name is one of `periodic_name`."""
    return re.fullmatch(r"checkpoint_epoch_\d{4,}(_step_\d{8,}(_batch_\d{6,})?)?\.ckpt", name) is not None


def is_emergency(name: str) -> bool:
    """Returns whether a name is one of `emergency_name`, moved out of the way or not."""
    return re.fullmatch(r"emergency_epoch_\d{4,}_step_\d{8,}(_attempt\d+)?\.ckpt", name) is not None
