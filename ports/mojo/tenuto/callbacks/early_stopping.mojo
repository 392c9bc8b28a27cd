"""Early stopping. Spec: section 6 of 10-callbacks.md."""
from ..errors import TenutoError
from ..events.contexts import Context
from ..events.listener import Callback
from ..log import log
from ..msgpack import Kind
from ..settings import (
    invalid,
    is_nan,
    read_amount,
    read_integer,
    read_text,
    read_word,
)
from ..tree import Value
from .ranking import is_improvement


struct EarlyStopping(Callback):
    """Asks for a stop when a metric has not improved for so long.

    Spec: CB-EARLY-001 to CB-EARLY-006.
    """

    var monitor: String
    var mode: String
    var patience: Int
    var min_delta: Float64
    var best: Optional[Float64]
    var waited: Int
    var _key: String
    var _warned: Bool

    def __init__(out self):
        """Every setting with its default."""
        self.monitor = "val_loss"
        self.mode = "min"
        self.patience = 3
        self.min_delta = 0.0
        self.best = None
        self.waited = 0
        self._key = "EarlyStopping"
        self._warned = False

    @staticmethod
    def from_map(given: Value) raises TenutoError -> Self:
        """The settings that a map gives. Spec: CB-EARLY-007."""
        var made = Self()
        for i in range(0, len(given.items), 2):
            var name = given.items[i].as_text()
            ref v = given.items[i + 1]
            if name == "monitor":
                made.monitor = read_text(name, v)
            elif name == "mode":
                made.mode = read_word(name, v, "min max")
            elif name == "patience":
                made.patience = read_integer(name, v, 1)
            elif name == "min_delta":
                made.min_delta = read_amount(name, v, whole=True)
            elif name == "state_key":
                made._key = read_text(name, v)
            else:
                raise invalid(name, "the name of a setting")
        return made^

    def state_key(self) -> String:
        """Spec: CB-EARLY-006."""
        return self._key.copy()

    def state_dict(self) -> Value:
        """Spec: CB-EARLY-004."""
        var m = Value.map()
        var best = Value()
        if self.best:
            best = Value.float(self.best.value())
        m.put("best", best^)
        m.put("waited", Value.int(Int64(self.waited)))
        return m^

    def load_state_dict(mut self, state: Value) raises TenutoError:
        """Go on with the patience that is left. Errors: `not_resumable`."""
        var best = state.find("best")
        var waited = state.find("waited")
        if (
            best < 0
            or waited < 0
            or not state.items[waited].is_count()
            or (
                state.items[best].kind != Kind.F64
                and state.items[best].kind != Kind.NIL
            )
        ):
            raise TenutoError(
                "not_resumable",
                "restore",
                String("callback_state.", self._key, ": expected its state"),
            )
        self.best = None
        if state.items[best].kind == Kind.F64:
            self.best = state.items[best].as_float()
        self.waited = state.items[waited].as_int()

    def on_train_start(mut self, context: Context) raises TenutoError:
        self._warned = False

    def on_epoch_end(mut self, context: Context) raises TenutoError:
        """Look at the metric, if it was measured now. Spec: CB-EARLY-001."""
        var metric = context.metrics().get(self.monitor)
        if not metric:
            if context.measured and not self._warned:
                log(String("monitor: ", self.monitor, " was never measured"))
                self._warned = True
            return
        if metric.value().step != context.progress.global_step:
            return
        var value = metric.value().value
        if self._is_improvement(value):
            self.best = value
            self.waited = 0
        else:
            self.waited += 1
        if self.waited >= self.patience:
            context.request_stop(
                String(self.monitor, ": no better for ", self.waited)
            )

    def _is_improvement(self, value: Float64) -> Bool:
        """Spec: CB-EARLY-002, CB-EARLY-003."""
        if is_nan(value):
            return False
        if not self.best:
            return True
        return is_improvement(
            self.mode, self.min_delta, value, self.best.value()
        )
