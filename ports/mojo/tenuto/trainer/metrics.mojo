"""Metrics: flat names, the step of each value, and the means of an epoch."""
from ..errors import Phase, TenutoError
from ..msgpack import Kind
from ..tree import Value


@fieldwise_init
struct Metric(ImplicitlyCopyable):
    """A value and when it was measured. Spec: CB-METRIC-003."""

    var value: Float64
    var step: Int


def _walk(m: Value, prefix: String, mut flat: Value) raises TenutoError:
    for i in range(0, len(m.items), 2):
        var name = m.items[i].as_text()
        ref v = m.items[i + 1]
        if not name:
            raise TenutoError(
                "invalid_metric", Phase.TRAIN, "an empty name; expected text"
            )
        var full = prefix + name
        if v.kind == Kind.MAP:
            _walk(v, full + ".", flat)
            continue
        if flat.find(full) >= 0:
            raise TenutoError("duplicate_metric", Phase.TRAIN, full^)
        if v.kind == Kind.INT:
            flat.put(full, Value.float(Float64(v.as_int())))
        elif v.kind == Kind.F64:
            flat.put(full, v.copy())
        else:
            raise TenutoError(
                "invalid_metric", Phase.TRAIN, full + ": expected a number"
            )


def flatten(m: Value) raises TenutoError -> Value:
    """A map without nested ones, whose values are float64.

    Spec: CB-METRIC-001, CB-METRIC-002, CB-METRIC-011, CB-METRIC-012.
    """
    var flat = Value.map()
    _walk(m, "", flat)
    return flat^


def check_batch_metrics(flat: Value, sums: Value) raises TenutoError:
    """Refuse what cannot be recorded of a batch, before the update.

    Spec: CB-METRIC-004, CB-METRIC-005.
    """
    if flat.find("loss") < 0:
        raise TenutoError("invalid_metric", Phase.TRAIN, "expected a loss")
    for i in range(0, len(flat.items), 2):
        var step = flat.items[i].as_text() + "_step"
        if flat.find(step) >= 0 or sums.find(step) >= 0:
            raise TenutoError("duplicate_metric", Phase.TRAIN, step^)


struct MetricBook(Copyable):
    """Every metric's last value with its step, and the sums of an epoch.

    Both are trees as a state holds them. Spec: CB-METRIC-009, TR-STATE-010.
    """

    var values: Value
    var sums: Value

    def __init__(out self):
        self.values = Value.map()
        self.sums = Value.map()

    def get(self, name: StringSpan) raises TenutoError -> Optional[Metric]:
        """The last value of a metric, if it was ever measured."""
        var i = self.values.find(name)
        if i < 0:
            return None
        ref m = self.values.items[i]
        return Metric(m.get("value").as_float(), m.get("step").as_int())

    def record(
        mut self,
        flat: Value,
        step: Int,
        prefix: StringSpan = "",
        suffix: StringSpan = "",
    ):
        """Note flat metrics, measured at a step.

        Spec: CB-METRIC-007, CB-METRIC-010.
        """
        for i in range(0, len(flat.items), 2):
            var m = Value.map()
            m.put("value", Value.float(flat.items[i + 1].as_float()))
            m.put("step", Value.int(Int64(step)))
            var name = String(prefix, flat.items[i].as_text(), suffix)
            self.values.put(name, m^)

    def add_batch(mut self, flat: Value, step: Int) raises TenutoError:
        """Note the metrics of a batch and add them to the sums.

        Spec: CB-METRIC-008.
        """
        self.record(flat, step, "train_", "_step")
        for i in range(0, len(flat.items), 2):
            var name = flat.items[i].as_text()
            var sum = Float64(0.0)
            var number = 0
            var at = self.sums.find(name)
            if at >= 0:
                sum = self.sums.items[at].items[0].as_float()
                number = self.sums.items[at].items[1].as_int()
            var pair = Value.array()
            pair.push(Value.float(sum + flat.items[i + 1].as_float()))
            pair.push(Value.int(Int64(number + 1)))
            self.sums.put(name, pair^)

    def record_means(mut self, step: Int):
        """Note the means over the batches of the epoch."""
        var means = Value.map()
        for i in range(0, len(self.sums.items), 2):
            ref pair = self.sums.items[i + 1]
            var number = Float64(pair.items[1].as_int())
            means.put(
                self.sums.items[i].as_text(),
                Value.float(pair.items[0].as_float() / number),
            )
        self.record(means, step, "train_")
