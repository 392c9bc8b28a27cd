"""The names of checkpoint files. Pure."""

from __future__ import annotations

import re
from typing import Final, Literal

from tenuto.reference.events.contexts import Progress

__all__ = [
    "FINAL_MODEL",
    "LATEST",
    "Layout",
    "attempt_name",
    "best_entry_name",
    "best_name",
    "emergency_name",
    "escape",
    "is_bare",
    "is_emergency",
    "is_periodic",
    "is_stamped",
    "periodic_name",
    "stamped_name",
]

Layout = Literal["flat", "epoch_dirs"]

LATEST: Final = "latest.ckpt"
FINAL_MODEL: Final = "final_model.ckpt"
_IN_FOLDER: Final = "/checkpoint.ckpt"  # the one file in the folder of an epoch
_PLAIN: Final = re.compile(rb"[^A-Za-z0-9._-]")


def escape(metric: str) -> str:
    """Returns the name of a metric as a part of a file name.

    Spec: CPC-NAME-004.
    """
    return _PLAIN.sub(lambda found: b"%%%02X" % found[0][0], metric.encode()).decode("ascii")


def _moment(progress: Progress) -> str:
    step = f"_step_{progress.global_step:08d}" if progress.batch_in_epoch else ""
    return f"epoch_{progress.epoch:04d}{step}"


def periodic_name(progress: Progress, *, in_window: bool = False, layout: Layout = "flat") -> str:
    """Returns the name of a save at an epoch boundary, inside an epoch, or inside an accumulation window.

    Spec: CPC-NAME-001, CPC-NAME-007, CPC-NAME-015, STORE-DIR-002.
    """
    if layout == "epoch_dirs" and not progress.batch_in_epoch:
        return f"epoch_{progress.epoch}{_IN_FOLDER}"
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


def stamped_name(metric: str, timestamp: str) -> str:
    """Returns the name of rank 1 of a monitor whose files replace none.

    Args:
        metric: Its name.
        timestamp: Of the save, RFC 3339 in UTC, as in `metadata.origin`.

    Spec: CPC-NAME-009.
    """
    moment = re.sub(r"[-:]|\.\d+|Z$", "", timestamp)
    return f"best_model_{escape(metric)}_{moment}Z.ckpt"


def is_stamped(name: str, metric: str) -> bool:
    """Returns whether a name is one of `stamped_name`, numbered or not."""
    return re.fullmatch(rf"best_model_{re.escape(escape(metric))}_\d{{8}}T\d{{6}}Z(_\d+)?\.ckpt", name) is not None


def attempt_name(name: str, label: str) -> str:
    """Returns where a file goes that is in the way: the label is `attempt{n}` or says what is wrong with the file.

    Spec: TR-RES-008, STORE-DIR-002.
    """
    return f"{name.removesuffix(_IN_FOLDER).removesuffix('.ckpt')}_{label}.ckpt"


def is_bare(name: object) -> bool:
    """Returns whether something is the name of a checkpoint in a folder, and leads nowhere else.

    Spec: CPC-STATE-005.
    """
    return isinstance(name, str) and re.fullmatch(r"[^/\\\0.][^/\\\0]*\.ckpt", name) is not None


def is_periodic(name: str) -> bool:
    """Returns whether a name is one of `periodic_name`."""
    flat = re.fullmatch(r"checkpoint_epoch_\d{4,}(_step_\d{8,}(_batch_\d{6,})?)?\.ckpt", name)
    return flat is not None or re.fullmatch(rf"epoch_(0|[1-9]\d*){re.escape(_IN_FOLDER)}", name) is not None


def is_emergency(name: str) -> bool:
    """Returns whether a name is one of `emergency_name`, moved out of the way or not."""
    return re.fullmatch(r"emergency_epoch_\d{4,}_step_\d{8,}(_attempt\d+)?\.ckpt", name) is not None
