"""Between the parts of a training and its document."""
from ..clock import TimeOfDay, random_hex
from ..document import Document
from ..errors import Phase, TenutoError
from ..events.contexts import CaptureRequest
from ..events.progress import Ancestor, Progress, RunIdentity
from ..msgpack import Kind
from ..tree import Value


def text_array(texts: List[String]) -> Value:
    """An array of texts."""
    var v = Value.array()
    for text in texts:
        v.push(Value.text(text))
    return v^


def make_origin(
    run: RunIdentity, request: CaptureRequest, elapsed: Float64
) -> Value:
    """All about a save that depends on clock, chance or interruptions.

    Spec: TR-STATE-003, TR-STATE-012, TR-STATE-016, CKPT-CANON-006.
    """
    var producer = Value.map()
    producer.put("name", Value.text("tenuto"))
    producer.put("version", Value.text("0.1.0"))
    producer.put("language", Value.text("Mojo"))
    var m = Value.map()
    m.put("checkpoint_id", Value.text(random_hex(32)))
    m.put("run_id", Value.text(run.run_id))
    m.put("attempt", Value.int(Int64(run.attempt)))
    var parent = Value()
    if run.parent:
        parent = Value.text(run.parent.value())
    m.put("parent", parent^)
    m.put("lineage", run.lineage_tree())
    m.put("timestamp", Value.text(TimeOfDay().rfc3339()))
    m.put("producer", producer^)
    m.put("reasons", text_array(request.reasons))
    m.put("elapsed_seconds", Value.float(elapsed))
    if request.trigger.kind != Kind.NIL:
        m.put("trigger", request.trigger.copy())
    if request.files.kind != Kind.NIL:
        m.put("files", request.files.copy())
    return m^


def _refuse(path: StringSpan, rule: StringSpan) -> TenutoError:
    return TenutoError(
        "not_resumable", Phase.RESTORE, String(path, ": expected ", rule)
    )


def _part(
    m: Value, path: StringSpan, key: StringSpan, kind: UInt8, rule: StringSpan
) raises TenutoError -> ref[m.items[0]] Value:
    """A part of a map that has to be of a kind."""
    var i = m.find(key)
    if i < 0 or m.items[i].kind != kind:
        raise _refuse(String(path, ".", key), rule)
    return m.items[i]


def is_run_id(v: Value) -> Bool:
    """Whether a value names a run. Spec: TR-STATE-020."""
    if v.kind != Kind.STR or len(v.data) < 1 or len(v.data) > 64:
        return False
    for i in range(len(v.data)):
        var c = v.data[i]
        var plain = (
            (c >= 0x30 and c <= 0x39)
            or (c >= 0x41 and c <= 0x5A)
            or (c >= 0x61 and c <= 0x7A)
        )
        var other = c == 0x2E or c == 0x5F or c == 0x2D
        if not (plain or (other and i > 0)):
            return False
    return True


def progress_of(root: Value) raises TenutoError -> Progress:
    """The progress of a state. Spec: TR-REST-014."""
    ref metadata = root.get("metadata")
    ref m = _part(metadata, "metadata", "progress", Kind.MAP, "a map")
    for name in ["epoch", "batch_in_epoch", "global_step"]:
        var i = m.find(name)
        if i < 0 or not m.items[i].is_count():
            raise _refuse(
                String("metadata.progress.", name), "an integer of at least 0"
            )
    return Progress(
        m.get("epoch").as_int(),
        m.get("batch_in_epoch").as_int(),
        m.get("global_step").as_int(),
    )


def identity_of(root: Value) raises TenutoError -> RunIdentity:
    """Which attempt of which run saved a state. Spec: TR-REST-014."""
    comptime PATH = "metadata.origin"
    ref origin = root.get("metadata").get("origin")
    ref run = _part(origin, PATH, "run_id", Kind.STR, "the id of a run")
    if not is_run_id(run):
        raise _refuse("metadata.origin.run_id", "1 to 64 of A-Z a-z 0-9 . _ -")
    ref attempt = _part(origin, PATH, "attempt", Kind.INT, "an integer")
    if not attempt.is_count():
        raise _refuse("metadata.origin.attempt", "an integer of at least 0")
    _ = _part(origin, PATH, "checkpoint_id", Kind.STR, "a text")
    ref rows = _part(origin, PATH, "lineage", Kind.ARRAY, "an array")
    var lineage = List[Ancestor]()
    for i in range(len(rows.items)):
        ref row = rows.items[i]
        if row.kind != Kind.ARRAY or len(row.items) != 4:
            raise _refuse("metadata.origin.lineage", "rows of four integers")
        for k in range(4):
            if not row.items[k].is_count():
                raise _refuse("metadata.origin.lineage", "integers")
        var reached = Progress(
            row.items[1].as_int(), row.items[2].as_int(), row.items[3].as_int()
        )
        lineage.append(Ancestor(row.items[0].as_int(), reached))
    var parent: Optional[String] = None
    var at = origin.find("parent")
    if at >= 0 and origin.items[at].kind == Kind.STR:
        parent = origin.items[at].as_text()
    return RunIdentity(run.as_text(), attempt.as_int(), parent^, lineage^)


def _check_metrics(metrics: Value) raises TenutoError:
    for i in range(0, len(metrics.items), 2):
        ref m = metrics.items[i + 1]
        var value = m.find("value")
        var step = m.find("step")
        if (
            value < 0
            or m.items[value].kind != Kind.F64
            or step < 0
            or not m.items[step].is_count()
        ):
            raise _refuse(
                String("metadata.metrics.", metrics.items[i].as_text()),
                "a float64 value and a step",
            )


def _check_trainer(root: Value) raises TenutoError:
    """Spec: TR-STATE-010."""
    ref trainer = root.get("trainer_state")
    if trainer.kind != Kind.MAP:
        raise _refuse("trainer_state", "a map")
    ref sums = _part(trainer, "trainer_state", "sums", Kind.MAP, "a map")
    for i in range(0, len(sums.items), 2):
        ref pair = sums.items[i + 1]
        if (
            pair.kind != Kind.ARRAY
            or len(pair.items) != 2
            or pair.items[0].kind != Kind.F64
            or not pair.items[1].is_count()
            or pair.items[1].bits == 0
        ):
            raise _refuse(
                String("trainer_state.sums.", sums.items[i].as_text()),
                "a float64 sum and a number above 0",
            )
    if trainer.find("gradients") >= 0:
        _ = _part(trainer, "trainer_state", "gradients", Kind.MAP, "a map")


def is_full(root: Value) raises TenutoError -> Bool:
    """Whether a state is a whole one, not the weights alone."""
    ref kind = _part(
        root.get("metadata"), "metadata", "kind", Kind.STR, "full or weights"
    )
    var word = kind.as_text()
    if word != "full" and word != "weights":
        raise _refuse("metadata.kind", "full or weights")
    return word == "full"


def check_state(root: Value) raises TenutoError:
    """Refuse what is well formed as a file, but not as a training state.

    Errors: `not_resumable`. Spec: TR-REST-014, TR-STATE-002, TR-STATE-020.
    """
    ref metadata = root.get("metadata")
    _ = progress_of(root)
    _ = identity_of(root)
    for name in ["metrics", "best", "config", "architecture"]:
        _ = _part(metadata, "metadata", name, Kind.MAP, "a map")
    _check_metrics(metadata.get("metrics"))
    _ = _part(metadata, "metadata", "exact", Kind.BOOL, "true or false")
    var reasons = metadata.get("origin").find("reasons")
    if reasons >= 0 and (
        metadata.get("origin").items[reasons].kind != Kind.ARRAY
    ):
        raise _refuse("metadata.origin.reasons", "an array")
    if is_full(root):
        _check_trainer(root)


def checkpoint_id(root: Value) raises TenutoError -> String:
    """The id of a checked state."""
    return root.get("metadata").get("origin").get("checkpoint_id").as_text()


def is_exact(root: Value) raises TenutoError -> Bool:
    """Whether training continues bit for bit from a checked state."""
    return root.get("metadata").get("exact").bits != 0


def weights_of(var state: Document) raises TenutoError -> Document:
    """The model of a state alone. Spec: TR-STATE-019, CPC-NAME-012."""
    var i = state.root.find("metadata")
    state.root.items[i].put("kind", Value.text("weights"))
    var names = [
        "optimizer_state",
        "scheduler_state",
        "rng_state",
        "callback_state",
        "trainer_state",
    ]
    for name in names:
        state.root.put(name, Value.map())
    return state^
