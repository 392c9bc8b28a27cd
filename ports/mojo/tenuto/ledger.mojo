"""What checkpoints lie in a folder: read from their heads, never from names,
times or links. Spec: STORE-DIR-001, STORE-NAME-004, GEN-TIME-002.
"""
from .bytes import Ordering, compare, first_word, sorted_order
from .ckpt import read_head
from .entries import Entry
from .errors import TenutoError
from .storage import is_file, is_folder, names_in, read_link
from .trainer.state import (
    check_state,
    checkpoint_id,
    identity_of,
    is_exact,
    is_full,
    progress_of,
)


def is_epoch_name(name: StringSpan) -> Bool:
    """Whether a name is `epoch_{N}/checkpoint.ckpt`. Spec: STORE-DIR-002."""
    var text = String(name)
    if not (text.startswith("epoch_") and text.endswith("/checkpoint.ckpt")):
        return False
    var b = name.as_bytes()
    var end = len(b) - 16
    for i in range(6, end):
        if b[i] < 0x30 or b[i] > 0x39:
            return False
    return end > 6 and (b[6] != 0x30 or end == 7)


def _is_here(folder: String, name: String) raises TenutoError -> Bool:
    """Whether a name is a regular file, or a link to one of the same folder."""
    var path = String(folder, "/", name)
    if not is_file(path):
        return False
    var target = read_link(path)
    if not target:
        return True
    var to = target.value().copy()
    if to.find("/") < 0:
        return True
    return is_epoch_name(to) and not _is_linked(folder, to)


def _is_linked(folder: String, inner: StringSpan) raises TenutoError -> Bool:
    """Whether the folder of an epoch is a link, which leads out of this one."""
    var epoch = String(inner).removesuffix("/checkpoint.ckpt")
    return Bool(read_link(String(folder, "/", epoch)))


def checkpoint_names(folder: String) raises TenutoError -> List[String]:
    """The names of checkpoints, sorted by their bytes."""
    var found = List[String]()
    for name in names_in(folder):
        if name.endswith(".ckpt"):
            if not name.startswith(".") and _is_here(folder, name):
                found.append(name.copy())
            continue
        var inner = String(name, "/checkpoint.ckpt")
        if not is_epoch_name(inner) or _is_linked(folder, inner):
            continue
        if is_file(String(folder, "/", inner)):
            found.append(inner^)
    sort_texts(found)
    return found^


struct _Texts[origin: ImmOrigin](Ordering):
    """Texts in the order of their bytes."""

    var texts: Span[String, Self.origin]

    def __init__(out self, ref[Self.origin] texts: List[String]):
        self.texts = texts

    def word(self, i: Int) -> UInt64:
        return first_word(self.texts[i].as_bytes())

    def before(self, a: Int, b: Int) -> Bool:
        return compare(self.texts[a].as_bytes(), self.texts[b].as_bytes()) < 0


def sort_texts(mut texts: List[String]):
    """Sort texts by their bytes."""
    var old = texts.copy()
    for k, i in enumerate(sorted_order(_Texts(old), len(old))):
        texts[k] = old[i].copy()


def read_entry(folder: String, name: String) -> Entry:
    """What the head of a file tells; the code of a refusal is its damage.

    Spec: TR-RES-023.
    """
    var entry = Entry(name.copy())
    try:
        var root = read_head(String(folder, "/", name))
        check_state(root)
        var run = identity_of(root)
        entry.checkpoint_id = checkpoint_id(root)
        entry.run_id = run.run_id.copy()
        entry.attempt = run.attempt
        entry.progress = progress_of(root)
        entry.is_exact = is_exact(root)
        entry.is_full = is_full(root)
        ref origin = root.get("metadata").get("origin")
        var at = origin.find("reasons")
        if at >= 0:
            for i in range(len(origin.items[at].items)):
                entry.reasons.append(origin.items[at].items[i].as_text())
    except e:
        entry.damage = e.code.copy()
    return entry^


def read_ledger(folder: String) raises TenutoError -> List[Entry]:
    """Every checkpoint of a folder, sorted by name; none if it is not there.

    Spec: SCN-OP-005, TR-RES-021, TR-RES-022.
    """
    var entries = List[Entry]()
    for name in checkpoint_names(folder):
        entries.append(read_entry(folder, name))
    return entries^


def run_ids(entries: List[Entry]) -> List[String]:
    """The runs that have files whose heads are whole. Spec: TR-RES-006."""
    var runs = List[String]()
    for entry in entries:
        if not entry.is_damaged() and entry.run_id not in runs:
            runs.append(entry.run_id.copy())
    sort_texts(runs)
    return runs^


def newest_first(entries: List[Entry]) -> List[Int]:
    """The full checkpoints, by number, the newest state first; of one state
    an emergency save last, and a second name after a first one.

    Spec: TR-RES-001, TR-RES-011, TR-RES-012.
    """
    var order = List[Int]()
    for i in range(len(entries)):
        if entries[i].is_damaged() or not entries[i].is_full:
            continue
        var at = 0
        while at < len(order) and not _comes_first(
            entries[i], entries[order[at]]
        ):
            at += 1
        order.insert(at, i)
    return order^


def _comes_first(a: Entry, b: Entry) -> Bool:
    """Whether `a` is to be tried before `b`."""
    if b.is_older(a):
        return True
    if a.is_older(b) or a.is_emergency() != b.is_emergency():
        return not a.is_older(b) and b.is_emergency()
    return _is_second(b.name) and not _is_second(a.name)


def _is_second(name: String) -> Bool:
    return name == "latest.ckpt" or name.startswith("best_model_")
