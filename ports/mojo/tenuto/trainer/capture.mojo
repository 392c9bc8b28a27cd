"""Puts a state together, and takes one apart."""
from ..document import Document
from ..errors import Phase, TenutoError
from ..events.contexts import CaptureRequest
from ..events.progress import Progress, RunIdentity
from ..ledger import sort_texts
from ..msgpack import Kind
from ..tree import Value
from .metrics import MetricBook
from .settings import TrainerSettings
from .state import check_state, is_full, make_origin, progress_of
from .workload import Workload


def build_document[
    W: Workload
](
    workload: W,
    settings: TrainerSettings,
    progress: Progress,
    metrics: MetricBook,
    request: CaptureRequest,
    is_exact: Bool,
    var origin: Value,
    var callback_state: Value,
) raises TenutoError -> Document:
    """A full checkpoint. Spec: TR-STATE-001, TR-STATE-002, TR-STATE-010."""
    var doc = Document()
    var gradients = workload.capture(doc)
    var config = workload.config()
    config.put("max_epochs", Value.int(Int64(settings.max_epochs)))
    config.put("validate_every", Value.int(Int64(settings.validate_every)))
    var metadata = Value.map()
    metadata.put("progress", progress.to_map())
    metadata.put("metrics", metrics.values.copy())
    metadata.put("best", request.best.copy())
    metadata.put("config", config^)
    metadata.put("architecture", workload.architecture())
    metadata.put("exact", Value.bool(is_exact))
    metadata.put("kind", Value.text("full"))
    metadata.put("origin", origin^)
    doc.root.put("metadata", metadata^)
    doc.root.put("callback_state", callback_state^)
    var trainer = Value.map()
    trainer.put("sums", metrics.sums.copy())
    if gradients.kind != Kind.NIL:
        trainer.put("gradients", gradients^)
    doc.root.put("trainer_state", trainer^)
    return doc^


def check_fits[
    W: Workload
](workload: W, settings: TrainerSettings, state: Document) raises TenutoError:
    """Refuse what does not fit the live objects, with every mismatch.

    Errors: `not_resumable`, `state_mismatch`.
    Spec: TR-REST-001, TR-REST-006, TR-REST-007, TR-REST-015, RW-STATE-008.
    """
    check_state(state.root)
    if not is_full(state.root):
        raise TenutoError(
            "not_resumable", Phase.RESTORE, "metadata.kind: expected full"
        )
    ref metadata = state.root.get("metadata")
    var paths = workload.mismatches(
        state, progress_of(state.root).batch_in_epoch
    )
    var every = Value.int(Int64(settings.validate_every))
    _compare(paths, metadata.get("config"), "config", "validate_every", every)
    var live = workload.architecture()
    _compare(
        paths,
        metadata.get("architecture"),
        "architecture",
        "fingerprint",
        live.get("fingerprint"),
    )
    if settings.require_exact and metadata.get("exact").bits == 0:
        paths.append("metadata.exact")
    if len(paths) == 0:
        return
    sort_texts(paths)
    var e = TenutoError("state_mismatch", Phase.RESTORE, ", ".join(paths))
    e.mismatches = paths^
    raise e^


def _compare(
    mut paths: List[String],
    m: Value,
    part: StringSpan,
    key: StringSpan,
    live: Value,
):
    var i = m.find(key)
    if i < 0 or not m.items[i].is_same(live):
        paths.append(String("metadata.", part, ".", key))


def metrics_of(state: Document) raises TenutoError -> MetricBook:
    """The metrics of a checked state; of what it does not know, nothing.

    Spec: TR-REST-016.
    """
    var book = MetricBook()
    ref values = state.root.get("metadata").get("metrics")
    for i in range(0, len(values.items), 2):
        var one = Value.map()
        one.put(
            values.items[i].as_text(), values.items[i + 1].get("value").copy()
        )
        book.record(one, values.items[i + 1].get("step").as_int())
    book.sums = state.root.get("trainer_state").get("sums").copy()
    return book^
