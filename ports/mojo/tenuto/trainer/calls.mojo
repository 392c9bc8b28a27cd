"""How a context reaches a trainer, whose type it does not know."""
from ..document import Document
from ..errors import TenutoError
from ..events.contexts import (
    Calls,
    CaptureRequest,
    DeletedCheckpoint,
    Erased,
    SavedCheckpoint,
)
from ..events.hooks import Hook
from .loop import Trainer
from .metrics import MetricBook
from .workload import Workload


def calls_of[W: Workload]() -> Calls:
    """The calls that a context of a trainer makes."""
    return Calls(
        _stop[W],
        _interrupt[W],
        _capture[W],
        _saved[W],
        _deleted[W],
        _metrics[W],
    )


def _stop[W: Workload](p: Erased, reason: String) -> None:
    """The first request wins, and none counts once training is over.

    Spec: CB-STOP-003, CB-STOP-005.
    """
    ref trainer = p.unsafe_bitcast[Trainer[W]]()[]
    if trainer._may_stop and not trainer._stop:
        trainer._stop = reason.copy()


def _interrupt[W: Workload](p: Erased, name: String) raises TenutoError -> None:
    p.unsafe_bitcast[Trainer[W]]()[].request_interrupt(name)


def _capture[
    W: Workload
](p: Erased, request: CaptureRequest) raises TenutoError -> Document:
    return p.unsafe_bitcast[Trainer[W]]()[].capture_state(request)


def _saved[
    W: Workload
](p: Erased, news: SavedCheckpoint) raises TenutoError -> None:
    """Spec: CB-HOOK-009."""
    ref trainer = p.unsafe_bitcast[Trainer[W]]()[]
    var context = trainer._context(Hook.CHECKPOINT_SAVED)
    context.saved = news.copy()
    trainer._call(context)


def _deleted[
    W: Workload
](p: Erased, news: DeletedCheckpoint) raises TenutoError -> None:
    """Spec: CB-HOOK-009, CB-HOOK-010."""
    ref trainer = p.unsafe_bitcast[Trainer[W]]()[]
    var context = trainer._context(Hook.CHECKPOINT_DELETED)
    context.deleted = news.copy()
    trainer._call(context)


def _metrics[W: Workload](p: Erased) -> Pointer[MetricBook, MutUntrackedOrigin]:
    ref trainer = p.unsafe_bitcast[Trainer[W]]()[]
    return Pointer(to=trainer.metrics).unsafe_origin_cast[MutUntrackedOrigin]()
