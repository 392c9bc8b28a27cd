"""How a training ended."""
from ..events.progress import Progress, RunIdentity
from .metrics import MetricBook


@fieldwise_init
struct TrainResult(Copyable):
    """Spec: TR-LOOP-015."""

    var progress: Progress
    var metrics: MetricBook
    var run: RunIdentity
    var stop_reason: Optional[String]
