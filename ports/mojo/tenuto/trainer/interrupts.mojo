"""Interruptions: by a signal, by a call, or by the clock."""
from ..clock import seconds
from ..errors import Phase, TenutoError
from ..settings import invalid
from .signals import SignalWatch


def interruption(name: StringSpan) -> TenutoError:
    """The error of an interruption. Spec: TR-FAIL-003, TR-FAIL-004."""
    var e = TenutoError("training_interrupted", Phase.TRAIN, String(name))
    e.exit_code = 130 if e.msg == "SIGINT" else 143
    if e.msg == "max_seconds":
        e.exit_code = 75
    return e^


def is_interruption(e: TenutoError) -> Bool:
    """Whether an error ended a training that did not fail."""
    return e.code == "training_interrupted"


def told_code(e: TenutoError) -> String:
    """The code of an error, or what interrupted. Spec: SCN-EVENT-001."""
    return e.msg.copy() if is_interruption(e) else e.code.copy()


struct Interrupts(Movable):
    """What is pending: by a signal, by a call, or by the clock.

    Spec: TR-FAIL-017, TR-FAIL-019, TR-FAIL-020, TR-FAIL-021.
    """

    var pending: String  # SIGINT, SIGTERM or nothing
    var _limit: Optional[Float64]
    var _started: Float64
    var _watch: SignalWatch

    def __init__(out self, limit: Optional[Float64]):
        self.pending = ""
        self._limit = limit
        self._started = 0.0
        self._watch = SignalWatch()

    def begin(mut self, started: Float64):
        """Start an attempt."""
        self.pending = ""
        self._started = started

    def listen(mut self) raises TenutoError:
        """Note signals from now on."""
        self._watch.begin()

    def end(mut self):
        """The end of an attempt."""
        self._watch.end()

    def request(mut self, name: StringSpan) raises TenutoError:
        """Ask for an interruption; the first one decides."""
        var text = String(name)
        if text != "SIGINT" and text != "SIGTERM":
            raise invalid("name", "SIGINT or SIGTERM")
        if not self.pending:
            self.pending = text^

    def poll(mut self) raises TenutoError:
        """Honor what was asked for, between two batches or epochs."""
        while True:
            var name = self._watch.next()
            if not name:
                break
            self.request(name)
        if self.pending:
            raise interruption(self.pending)

    def poll_batch(mut self) raises TenutoError:
        """As above, at the end of a batch: the time counts too."""
        self.poll()
        if self._limit and seconds() - self._started >= self._limit.value():
            raise interruption("max_seconds")
