"""A scenario taken apart: each member is read or refused, so that nothing that
was asked for is left out in silence. Spec: section 2 of 95-scenarios.md.
"""
from tenuto.errors import TenutoError, internal
from tenuto.events.hooks import Hook, hook_of
from tenuto.msgpack import Kind
from tenuto.tree import Value
from tenuto_adapter.json import Json, JsonKind
from tenuto_adapter.tagged import TreeReader


struct Action(Copyable):
    """What a callback does at one call of one hook, or after the training."""

    var hook: Int
    var call: Int
    var do: String
    var text: String  # reason, code, signal, or name of a checkpoint callback
    var metrics: Value

    def __init__(out self, var do: String):
        self.hook = -1
        self.call = 0
        self.do = do^
        self.text = ""
        self.metrics = Value.map()


struct Part(Copyable):
    """One callback."""

    var name: String
    var phase: String  # empty: that of its kind
    var counts: Bool
    var actions: List[Action]
    var checkpoint: Optional[Value]
    var early_stopping: Optional[Value]

    def __init__(out self, var name: String):
        self.name = name^
        self.phase = ""
        self.counts = False
        self.actions = []
        self.checkpoint = None
        self.early_stopping = None


struct Scenario(Movable):
    """One attempt as it is scripted; what settings may be, the library says."""

    var workload: Value
    var trainer: Value
    var metrics: Value  # name without val_ -> array by epoch, nil for missing
    var callbacks: List[Part]
    var then: List[Action]

    def __init__(out self):
        self.workload = Value.map()
        self.trainer = Value.map()
        self.metrics = Value.map()
        self.callbacks = []
        self.then = []


def _scalar(j: Json) raises TenutoError -> Value:
    var reader = TreeReader()
    return reader.tree(j)


def _values(j: Json) raises TenutoError -> Value:
    """A map of names to tagged values."""
    if j.kind != JsonKind.OBJECT:
        raise internal("settings: expected an object")
    var m = Value.map()
    for i in range(0, len(j.items), 2):
        m.put(String(from_utf8=j.items[i].text), _scalar(j.items[i + 1]))
    return m^


def _check(
    j: Json, what: StringSpan, needed: StringSpan, further: StringSpan
) raises TenutoError:
    """Refuse members that are unknown or missing."""
    if j.kind != JsonKind.OBJECT:
        raise internal(String(what, ": expected an object"))
    var known = String(" ", needed, " ", further, " ")
    for i in range(0, len(j.items), 2):
        var name = String(from_utf8=j.items[i].text)
        if known.find(String(" ", name, " ")) < 0 or not name:
            raise internal(String(what, ": unknown member ", name))
    for name in String(needed).split(" "):
        if name and not j.has(name):
            raise internal(String(what, ": no member ", name))


def read_scenario(j: Json) raises TenutoError -> Scenario:
    """What a JSON object stands for."""
    _check(
        j,
        "scenario",
        "workload max_epochs callbacks",
        "validate_every trainer metrics then",
    )
    var made = Scenario()
    made.workload = _values(j.get("workload"))
    if j.has("trainer"):
        ref further = j.get("trainer")
        _check(
            further,
            "trainer",
            "",
            "max_steps max_seconds require_exact on_unusable_checkpoint",
        )
        made.trainer = _values(further)
    for name in ["max_epochs", "validate_every"]:
        if j.has(name):
            made.trainer.put(name, _scalar(j.get(name)))
    if j.has("metrics"):
        made.metrics = _measured(j.get("metrics"))
    ref parts = j.get("callbacks")
    for i in range(len(parts.items)):
        made.callbacks.append(_part(parts.items[i]))
    if j.has("then"):
        ref saves = j.get("then")
        for i in range(len(saves.items)):
            _check(saves.items[i], "then", "save metrics", "")
            made.then.append(_save(saves.items[i], "save"))
    return made^


def _measured(j: Json) raises TenutoError -> Value:
    """Metrics under the names that they have before they are recorded."""
    var m = Value.map()
    for i in range(0, len(j.items), 2):
        var name = String(from_utf8=j.items[i].text)
        if not name.startswith("val_"):
            raise internal(name + ": expected a metric of validation")
        var values = Value.array()
        ref given = j.items[i + 1]
        for k in range(len(given.items)):
            if Span(given.items[k].text) == "missing".as_bytes():
                values.push(Value())
            else:
                values.push(_scalar(given.items[k]))
        var bare = name.as_bytes()[4 : name.byte_length()]
        m.put(String(from_utf8_lossy=bare), values^)
    return m^


def _part(j: Json) raises TenutoError -> Part:
    _check(
        j,
        "callback",
        "name",
        "phase counts actions checkpoint early_stopping",
    )
    var part = Part(j.string("name"))
    if j.has("phase"):
        part.phase = j.string("phase")
        if part.phase != "observe" and part.phase != "checkpoint":
            raise internal("phase: expected observe or checkpoint")
    if j.has("counts"):
        part.counts = j.bool("counts")
    if j.has("checkpoint"):
        part.checkpoint = _values(j.get("checkpoint"))
    if j.has("early_stopping"):
        part.early_stopping = _values(j.get("early_stopping"))
    if j.has("actions"):
        ref actions = j.get("actions")
        for i in range(len(actions.items)):
            part.actions.append(_action(actions.items[i]))
    return part^


def _action(j: Json) raises TenutoError -> Action:
    var do = j.string("do")
    var needs = String("")
    if do == "stop":
        needs = "reason"
    elif do == "raise":
        needs = "code"
    elif do == "signal":
        needs = "signal"
    elif do == "save":
        needs = "callback metrics"
    elif do != "break" and do != "mend":
        raise internal(do + ": an unknown action")
    _check(j, "action", String("hook call do ", needs), "")
    var action = Action(do.copy())
    if do == "save":
        action = _save(j, "callback")
    elif needs:
        action.text = j.string(needs)
    if do == "raise" and not action.text.startswith("x_"):
        raise internal(action.text + ": expected a code that starts with x_")
    if do == "signal" and (
        action.text != "SIGINT" and action.text != "SIGTERM"
    ):
        raise internal(action.text + ": expected SIGINT or SIGTERM")
    action.hook = hook_of(j.string("hook"))
    action.call = _scalar(j.get("call")).as_int()
    var is_news = (
        action.hook == Hook.CHECKPOINT_SAVED
        or action.hook == Hook.CHECKPOINT_DELETED
    )
    if action.hook < 0 or (is_news and do == "save"):
        raise internal("hook: expected one in which this can be done")
    return action^


def _save(j: Json, member: StringSpan) raises TenutoError -> Action:
    """A manual save."""
    var action = Action("save")
    action.text = j.string(member)
    action.metrics = _values(j.get("metrics"))
    for i in range(1, len(action.metrics.items), 2):
        if action.metrics.items[i].kind != Kind.F64:
            raise internal("metrics: expected tagged float64")
    return action^
