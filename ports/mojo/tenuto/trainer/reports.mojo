"""How a restore went, and how a training ended."""
from ..events.progress import Progress, RunIdentity
from .metrics import MetricBook


@fieldwise_init
struct TrainResult(Copyable):
    """Spec: TR-LOOP-015."""

    var progress: Progress
    var metrics: MetricBook
    var run: RunIdentity
    var stop_reason: Optional[String]


@fieldwise_init
struct RestoreReport(Copyable):
    """What a restore did. Spec: TR-REST-011."""

    var progress: Progress
    var exact: Bool  # whether training continues bit for bit
    var notes: List[String]  # why not, and the keys of CB-STATE-005
