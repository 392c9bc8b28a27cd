"""What an event does to the best lists."""
from ..clock import TimeOfDay
from ..errors import TenutoError
from ..events.progress import Progress
from ..tree import Value
from ..trainer.metrics import MetricBook
from .memory import Memory
from .naming import best_name, boundary_name, escape
from .ranking import Admission, Monitor
from .store import Store


struct Update(Movable):
    """What an event does to the best lists."""

    var memory: Memory  # after it
    var names: List[String]  # of the new entries, in their order
    var left: List[String]
    var trigger: Value
    var files: Value

    def __init__(out self, var memory: Memory):
        self.memory = memory^
        self.names = []
        self.left = []
        self.trigger = Value()
        self.files = Value()

    def has_entered(self) -> Bool:
        """Whether the state has entered a list."""
        return len(self.names) > 0

    def all_names(
        self,
        reasons: List[String],
        progress: Progress,
        in_window: Bool,
        dirs: Bool,
    ) -> List[String]:
        """The names of a save but `latest.ckpt`, the one to write first.

        Spec: CPC-NAME-001, CPC-NAME-013.
        """
        var names = List[String]()
        if len(reasons) > 1 or reasons[0] != "best":
            names.append(boundary_name(progress, in_window, dirs))
        names.extend(self.names.copy())
        return names^


def _trigger(one: Monitor, value: Float64, admission: Admission) -> Value:
    """The map `metadata.origin.trigger`. Spec: TR-STATE-012."""
    var m = Value.map()
    m.put("monitor", Value.text(one.name))
    m.put("value", Value.float(value))
    m.put("mode", Value.text(one.mode))
    m.put("strategy", Value.text("best"))
    var previous = Value()
    if admission.previous:
        previous = Value.float(admission.previous.value())
    m.put("previous_best", previous^)
    return m^


def admit(
    memory: Memory,
    metrics: MetricBook,
    progress: Progress,
    store: Store,
    files: Value,
) raises TenutoError -> Update:
    """Let the metrics of a moment into the lists, each on its own.

    `files` are the names of those without overwriting so far.
    Spec: CPC-BEST-006, CPC-BEST-011, CPC-NAME-013, CPC-NAME-014.
    """
    var update = Update(memory.copy())
    update.files = files.copy()
    for i in range(len(update.memory.lists)):
        ref one = update.memory.lists[i]
        var metric = metrics.get(one.monitor.name)
        if not metric or metric.value().step != progress.global_step:
            continue
        var value = metric.value().value
        var admission = one.admit(value, progress)
        if admission.place < 0:
            continue
        if not update.has_entered():
            update.trigger = _trigger(one.monitor, value, admission)
        if not one.monitor.overwrite:
            var name = _timed_name(one.monitor.name, store)
            update.files.put(one.monitor.name, Value.text(name))
            update.names.append(name^)
            continue
        update.names.append(one.entries[admission.place].file.copy())
        if one.monitor.slots() > 1 and admission.place == 0:
            update.names.append(best_name(one.monitor.name))
        if admission.left:
            update.left.append(admission.left.copy())
    return update^


def _timed_name(metric: String, store: Store) -> String:
    """A best name that replaces nothing. Spec: CPC-NAME-009."""
    var stem = String("best_model_", escape(metric), "_", TimeOfDay().compact())
    var name = stem + ".ckpt"
    var number = 2
    while not store.is_free(name):
        name = String(stem, "_", number, ".ckpt")
        number += 1
    return name^


def keeps_times(memory: Memory) -> Bool:
    """Whether a monitor does not overwrite. Spec: CPC-NAME-014."""
    for one in memory.lists:
        if not one.monitor.overwrite:
            return True
    return False


def missing(
    memory: Memory, metrics: MetricBook
) raises TenutoError -> List[String]:
    """The monitors that were never measured. Spec: CPC-BEST-007."""
    var names = List[String]()
    for one in memory.lists:
        if not metrics.get(one.monitor.name):
            names.append(one.monitor.name.copy())
    return names^
