"""The state of the reference workload in a document. Spec: RW-STATE-001."""
from ..document import Document
from ..errors import TenutoError
from ..msgpack import Kind
from ..tree import Value
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


def param_group(optimizer: Optimizer) -> Value:
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


def state_names(kind: String) -> List[String]:
    """The names of the states of one parameter."""
    if kind == "sgd":
        return [String("momentum_buffer")]
    return [String("exp_avg"), String("exp_avg_sq")]


def _capture_optimizer(
    w: ReferenceWorkload, mut doc: Document
) raises TenutoError -> Value:
    """Spec: RW-STATE-002, TR-STATE-005, TR-STATE-011."""
    var state = Value.array()
    var names = state_names(w.optimizer.kind)
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
    groups.push(param_group(w.optimizer))
    var m = Value.map()
    m.put("param_groups", groups^)
    m.put("state", state^)
    var named = Value.map()
    named.put("optimizer", m^)
    return named^


def capture_scheduler(scheduler: Scheduler) -> Value:
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
    doc.root.put("scheduler_state", capture_scheduler(w.scheduler))
    var dropout = Value.map()
    dropout.put("kind", Value.text("splitmix64"))
    dropout.put("state", Value.uint(w.generator.state))
    var generators = Value.map()
    generators.put("dropout", dropout^)
    doc.root.put("rng_state", generators^)
    if len(w.gradients) == 0:
        return Value()
    return named_tensors(doc, w.gradients, features, hidden)


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
    var names = state_names(w.optimizer.kind)
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
