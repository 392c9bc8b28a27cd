"""Compares a saved state with a live reference workload."""
from ..document import Document
from ..errors import TenutoError
from ..msgpack import Kind
from ..tree import Value
from .form import Comparison
from .network import PARAMETERS, parameter_name, parameter_shape
from .reference import ReferenceWorkload
from .state import capture_scheduler, param_group, state_names


def _all_names() -> List[String]:
    var names = List[String]()
    for p in range(PARAMETERS):
        names.append(String(parameter_name(p)))
    return names^


def _compare_parameters(
    mut c: Comparison,
    w: ReferenceWorkload,
    doc: Document,
    path: String,
    v: Value,
):
    """The four parameters of a map."""
    for p in range(PARAMETERS):
        var shape = parameter_shape(p, w.settings.features, w.settings.hidden)
        c.tensor(path, doc, v, parameter_name(p), "float64", shape)


def _compare_optimizer(
    mut c: Comparison, w: ReferenceWorkload, doc: Document
) raises TenutoError:
    comptime PATH = "optimizer_state.optimizer"
    ref named = doc.root.get("optimizer_state")
    if not c.names("optimizer_state", named, [String("optimizer")]):
        return
    var i = named.find("optimizer")
    if i < 0 or not c.names(
        PATH, named.items[i], [String("param_groups"), String("state")]
    ):
        return
    ref v = named.items[i]
    i = v.find("param_groups")
    if i >= 0:
        _compare_groups(c, w, v.items[i])
    i = v.find("state")
    if i < 0:
        return
    ref state = v.items[i]
    if state.kind != Kind.ARRAY or (
        len(state.items) != 0 and len(state.items) != PARAMETERS
    ):
        c.note(String(PATH, ".state"))
        return
    for p in range(len(state.items)):
        _compare_pair(c, w, doc, p, state.items[p])


def _compare_groups(mut c: Comparison, w: ReferenceWorkload, groups: Value):
    comptime PATH = "optimizer_state.optimizer.param_groups"
    if groups.kind != Kind.ARRAY or len(groups.items) != 1:
        c.note(PATH)
        return
    ref m = groups.items[0]
    var live = param_group(w.optimizer)
    var names = List[String]()
    for i in range(0, len(live.items), 2):
        names.append(live.items[i].as_text())
    var path = String(PATH, "[0]")
    if not c.names(path, m, names):
        return
    for i in range(len(names)):
        ref name = names[i]
        if name == "lr" or name == "beta1_power" or name == "beta2_power":
            c.real(path, m, name)
        else:
            c.exactly(path, m, name, live.items[2 * i + 1])


def _compare_pair(
    mut c: Comparison, w: ReferenceWorkload, doc: Document, p: Int, pair: Value
):
    var path = String("optimizer_state.optimizer.state[", p, "]")
    if (
        pair.kind != Kind.ARRAY
        or len(pair.items) != 2
        or not pair.items[0].is_same(Value.int(Int64(p)))
    ):
        c.note(path)
        return
    var names = state_names(w.optimizer.kind)
    if not c.names(path, pair.items[1], names):
        return
    var shape = parameter_shape(p, w.settings.features, w.settings.hidden)
    for name in names:
        c.tensor(path, doc, pair.items[1], name, "float64", shape)


def _compare_scheduler(
    mut c: Comparison, w: ReferenceWorkload, doc: Document
) raises TenutoError:
    var live = capture_scheduler(w.scheduler)
    ref named = doc.root.get("scheduler_state")
    if live.pairs() == 0:
        _ = c.names("scheduler_state", named, List[String]())
        return
    if not c.names("scheduler_state", named, [String("scheduler")]):
        return
    var i = named.find("scheduler")
    if i < 0:
        return
    comptime PATH = "scheduler_state.scheduler"
    ref v = named.items[i]
    var names = List[String]()
    for k in range(0, len(live.items[1].items), 2):
        names.append(live.items[1].items[k].as_text())
    if not c.names(PATH, v, names):
        return
    c.exactly(PATH, v, "kind", Value.text(w.scheduler.kind))
    c.count(PATH, v, "steps")
    c.count(PATH, v, "bad_epochs")
    c.count(PATH, v, "cooldown_left")
    c.real_or_nil(PATH, v, "best")


def _compare_rest(
    mut c: Comparison, w: ReferenceWorkload, doc: Document, inside: Bool
) raises TenutoError:
    """The generators, and the gradients of an open window."""
    ref generators = doc.root.get("rng_state")
    if c.names("rng_state", generators, [String("dropout")]):
        var i = generators.find("dropout")
        comptime PATH = "rng_state.dropout"
        if i >= 0 and c.names(
            PATH, generators.items[i], [String("kind"), String("state")]
        ):
            ref v = generators.items[i]
            c.exactly(PATH, v, "kind", Value.text("splitmix64"))
            c.word(PATH, v, "state")
    ref trainer = doc.root.get("trainer_state")
    var i = trainer.find("gradients")
    if (i >= 0) != inside:
        c.note("trainer_state.gradients")
    elif inside and c.names(
        "trainer_state.gradients", trainer.items[i], _all_names()
    ):
        _compare_parameters(
            c, w, doc, "trainer_state.gradients", trainer.items[i]
        )


def compare_workload(
    w: ReferenceWorkload, doc: Document, has_batch: Bool, inside: Bool
) raises TenutoError -> List[String]:
    """The paths of all that differs.

    `has_batch` says whether an epoch has as many batches as the state counts,
    `inside` whether a window is open after them.
    Spec: TR-REST-001, RW-STATE-001 to RW-STATE-005, RW-STATE-008.
    """
    var c = Comparison()
    var live = w.config()
    ref config = doc.root.get("metadata").get("config")
    for i in range(0, len(live.items), 2):
        var at = config.find(live.items[i].as_text())
        if at < 0 or not config.items[at].is_same(live.items[i + 1]):
            c.note(String("metadata.config.", live.items[i].as_text()))
    if not has_batch:
        c.note("metadata.progress.batch_in_epoch")
    var names = _all_names()
    names.append("seen")
    ref model = doc.root.get("model_state")
    if c.names("model_state", model, names):
        _compare_parameters(c, w, doc, "model_state", model)
        c.tensor("model_state", doc, model, "seen", "int64", List[UInt64]())
    _compare_optimizer(c, w, doc)
    _compare_scheduler(c, w, doc)
    _compare_rest(c, w, doc, inside)
    return c^.take()
