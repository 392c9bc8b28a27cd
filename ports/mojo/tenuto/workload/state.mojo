"""The state of the reference workload in a document. Spec: RW-STATE-001."""
from ..document import Document
from ..errors import TenutoError
from ..msgpack import Kind
from ..tree import Value
from .form import Comparison
from .network import PARAMETERS, parameter_name, parameter_shape
from .optimizers import Optimizer
from .reference import ReferenceWorkload
from .schedulers import Scheduler
from .tensors import (
    counter_tensor,
    float_tensor,
    named_floats,
    named_tensors,
    tensor_floats,
    tensor_words,
)


def _group(optimizer: Optimizer) -> Value:
    """The map of `param_groups`. Spec: RW-STATE-002."""
    var m = Value.map()
    m.put("kind", Value.text(optimizer.kind))
    m.put("lr", Value.float(optimizer.rate))
    var params = Value.array()
    for p in range(PARAMETERS):
        params.push(Value.int(Int64(p)))
    m.put("params", params^)
    if optimizer.kind == "sgd":
        m.put("momentum", Value.float(optimizer.momentum))
        return m^
    m.put("beta1", Value.float(optimizer.beta1))
    m.put("beta1_power", Value.float(optimizer.beta1_power))
    m.put("beta2", Value.float(optimizer.beta2))
    m.put("beta2_power", Value.float(optimizer.beta2_power))
    m.put("epsilon", Value.float(optimizer.epsilon))
    return m^


def _state_names(kind: String) -> List[String]:
    """The names of the states of one parameter."""
    if kind == "sgd":
        return [String("momentum_buffer")]
    return [String("exp_avg"), String("exp_avg_sq")]


def _capture_optimizer(
    w: ReferenceWorkload, mut doc: Document
) raises TenutoError -> Value:
    """Spec: RW-STATE-002, TR-STATE-005, TR-STATE-011."""
    var state = Value.array()
    var names = _state_names(w.optimizer.kind)
    for p in range(len(w.optimizer.first)):
        var parts = Value.map()
        for k in range(len(names)):
            var shape = parameter_shape(
                p, w.settings.features, w.settings.hidden
            )
            if k == 0:
                ref values = w.optimizer.first[p]
                parts.put(names[k], doc.add(float_tensor(values, shape^)))
            else:
                ref values = w.optimizer.second[p]
                parts.put(names[k], doc.add(float_tensor(values, shape^)))
        var pair = Value.array()
        pair.push(Value.int(Int64(p)))
        pair.push(parts^)
        state.push(pair^)
    var groups = Value.array()
    groups.push(_group(w.optimizer))
    var m = Value.map()
    m.put("param_groups", groups^)
    m.put("state", state^)
    var named = Value.map()
    named.put("optimizer", m^)
    return named^


def _capture_scheduler(scheduler: Scheduler) -> Value:
    """Spec: RW-STATE-003."""
    var named = Value.map()
    if scheduler.kind == "none":
        return named^
    var m = Value.map()
    m.put("kind", Value.text(scheduler.kind))
    if scheduler.kind == "warmup_step":
        m.put("steps", Value.int(Int64(scheduler.steps)))
    else:
        var best = Value()
        if scheduler.best:
            best = Value.float(scheduler.best.value())
        m.put("best", best^)
        m.put("bad_epochs", Value.int(Int64(scheduler.bad_epochs)))
        m.put("cooldown_left", Value.int(Int64(scheduler.cooldown_left)))
    named.put("scheduler", m^)
    return named^


def capture_workload(
    w: ReferenceWorkload, mut doc: Document
) raises TenutoError -> Value:
    """Fill in the four states; the gradients of an open window, or nil.

    Spec: RW-STATE-001 to RW-STATE-005.
    """
    var features = w.settings.features
    var hidden = w.settings.hidden
    var model = named_tensors(doc, w.network.values, features, hidden)
    model.put("seen", doc.add(counter_tensor(w.network.seen)))
    doc.root.put("model_state", model^)
    doc.root.put("optimizer_state", _capture_optimizer(w, doc))
    doc.root.put("scheduler_state", _capture_scheduler(w.scheduler))
    var dropout = Value.map()
    dropout.put("kind", Value.text("splitmix64"))
    dropout.put("state", Value.uint(w.generator.state))
    var generators = Value.map()
    generators.put("dropout", dropout^)
    doc.root.put("rng_state", generators^)
    if len(w.gradients) == 0:
        return Value()
    return named_tensors(doc, w.gradients, features, hidden)


def _all_names() -> List[String]:
    var names = List[String]()
    for p in range(PARAMETERS):
        names.append(String(parameter_name(p)))
    return names^


def _compare_parameters(
    mut c: Comparison, w: ReferenceWorkload, doc: Document, path: String, v: Value
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
    var live = _group(w.optimizer)
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
    var names = _state_names(w.optimizer.kind)
    if not c.names(path, pair.items[1], names):
        return
    var shape = parameter_shape(p, w.settings.features, w.settings.hidden)
    for name in names:
        c.tensor(path, doc, pair.items[1], name, "float64", shape)


def _compare_scheduler(
    mut c: Comparison, w: ReferenceWorkload, doc: Document
) raises TenutoError:
    var live = _capture_scheduler(w.scheduler)
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


def load_workload(mut w: ReferenceWorkload, doc: Document) raises TenutoError:
    """Take over a state that has been compared; the generator last.

    Spec: TR-REST-002, TR-REST-003.
    """
    ref root = doc.root
    ref model = root.get("model_state")
    w.network.values = named_floats(doc, model)
    ref seen = doc.tensors[Int(model.get("seen").bits)]
    w.network.seen = Int(tensor_words(seen)[0])
    ref saved = root.get("optimizer_state").get("optimizer")
    ref group = saved.get("param_groups").items[0]
    w.optimizer.rate = group.get("lr").as_float()
    if w.optimizer.kind == "adam":
        w.optimizer.beta1_power = group.get("beta1_power").as_float()
        w.optimizer.beta2_power = group.get("beta2_power").as_float()
    var names = _state_names(w.optimizer.kind)
    w.optimizer.first = _states(doc, saved.get("state"), names[0])
    if len(names) > 1:
        w.optimizer.second = _states(doc, saved.get("state"), names[1])
    if w.scheduler.kind != "none":
        ref s = root.get("scheduler_state").get("scheduler")
        if w.scheduler.kind == "warmup_step":
            w.scheduler.steps = s.get("steps").as_int()
        else:
            w.scheduler.best = None
            if s.get("best").kind == Kind.F64:
                w.scheduler.best = s.get("best").as_float()
            w.scheduler.bad_epochs = s.get("bad_epochs").as_int()
            w.scheduler.cooldown_left = s.get("cooldown_left").as_int()
    w.gradients = []
    ref trainer = root.get("trainer_state")
    if trainer.find("gradients") >= 0:
        w.gradients = named_floats(doc, trainer.get("gradients"))
    w.generator.state = root.get("rng_state").get("dropout").get("state").bits


def _states(
    doc: Document, state: Value, name: String
) raises TenutoError -> List[List[Float64]]:
    """One state of every parameter; nothing before the first update."""
    var values = List[List[Float64]]()
    for i in range(len(state.items)):
        ref v = state.items[i].items[1].get(name)
        values.append(tensor_floats(doc.tensors[Int(v.bits)]))
    return values^
