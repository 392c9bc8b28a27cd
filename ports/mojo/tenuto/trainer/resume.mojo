"""Which checkpoint an attempt continues from. Reads folders, changes nothing.
"""
from ..clock import random_hex
from ..ckpt import read_file
from ..document import Document
from ..entries import Entry
from ..errors import Phase, TenutoError
from ..events.progress import Ancestor, RunIdentity
from ..ledger import is_epoch_name, newest_first, read_ledger, run_ids
from ..log import log
from ..storage import (
    folder_of,
    has_name,
    is_folder,
    make_folder,
    move,
    remove_folder,
    sync_folder,
)
from .state import check_state, checkpoint_id, identity_of, progress_of


struct Start(Movable):
    """How an attempt begins."""

    var run: RunIdentity
    var state: Optional[Document]  # to be restored; none for a fresh start
    var unusable: List[String]  # names that are to be moved aside

    def __init__(out self, var run: RunIdentity):
        self.run = run^
        self.state = None
        self.unusable = []

    def take_state(mut self) -> Document:
        """The state alone; there has to be one."""
        return self.state.take()


struct Found(Movable):
    """The checkpoint of a folder that a training goes on from."""

    var name: String
    var state: Document

    def __init__(out self, var name: String, var state: Document):
        self.name = name^
        self.state = state^

    def take_state(deinit self) -> Document:
        """The state alone."""
        return self.state^


def new_run() -> RunIdentity:
    """The identity of a run that has not been before."""
    return RunIdentity(random_hex(16))


def _refuse(
    code: StringSpan, phase: StaticString, message: StringSpan
) -> TenutoError:
    return TenutoError(String(code), phase, String(message))


def choose_start(
    resume: StringSpan, folder: Optional[String], allows_fresh: Bool
) raises TenutoError -> Start:
    """Find what to continue from: `never`, `auto`, or a path.

    Errors: `directory_in_use`, `no_checkpoint_dir`, `ambiguous_run`,
    `no_usable_checkpoint`, `not_resumable`, or why a file cannot be read.
    Spec: TR-RES-001 to TR-RES-006, TR-RES-014 to TR-RES-017.
    """
    var wanted = String(resume)
    if wanted == "never":
        if folder and len(read_ledger(folder.value())) > 0:
            raise _refuse(
                "directory_in_use",
                Phase.CONFIG,
                folder.value() + ": holds checkpoints; expected none",
            )
        return Start(new_run())
    if wanted == "auto":
        if not folder:
            raise _refuse(
                "no_checkpoint_dir",
                Phase.CONFIG,
                "no callback saves; expected one",
            )
        var entries = read_ledger(folder.value())
        if len(entries) == 0:
            log(String("no checkpoint in ", folder.value(), ": starting fresh"))
            return Start(new_run())
        return _newest(folder.value(), entries, folder, allows_fresh)
    if is_folder(wanted):
        return _newest(wanted, read_ledger(wanted), folder, False)
    var state = read_file(wanted).take()
    check_state(state.root)
    return _continue(wanted, state^, folder)


def _newest(
    searched: String,
    entries: List[Entry],
    folder: Optional[String],
    allows_fresh: Bool,
) raises TenutoError -> Start:
    var found = find_newest(searched, entries)
    if found:
        var path = String(searched, "/", found.value().name)
        return _continue(path, found.take().take_state(), folder)
    if allows_fresh:
        var start = Start(new_run())
        for entry in entries:
            start.unusable.append(entry.name.copy())
        return start^
    raise _refuse(
        "no_usable_checkpoint",
        Phase.RESTORE,
        String(searched, ": none of ", len(entries), " can be used"),
    )


def find_newest(
    folder: String, entries: List[Entry]
) raises TenutoError -> Optional[Found]:
    """The newest of the checkpoints of a folder that can be used, read whole;
    each that is passed over is logged.

    Errors: `ambiguous_run`. Spec: TR-RES-001, TR-RES-002, TR-RES-020.
    """
    var runs = run_ids(entries)
    if len(runs) > 1:
        raise _refuse(
            "ambiguous_run",
            Phase.CONFIG,
            String(folder, ": runs ", ", ".join(runs), "; expected one"),
        )
    for entry in entries:
        if entry.is_damaged():
            _pass_over(entry.name, entry.damage)
    for i in newest_first(entries):
        ref name = entries[i].name
        if not entries[i].is_exact:
            _pass_over(name, "inexact_state")
            continue
        try:
            var state = read_file(String(folder, "/", name)).take()
            check_state(state.root)
            return Found(name.copy(), state^)
        except e:  # another one may have written it since it was listed
            _pass_over(name, e.code)
    return None


def _pass_over(name: String, why: StringSpan):
    """Spec: TR-RES-002, STORE-RUN-005."""
    log(String("passing over ", name, ": ", why))


def _continue(
    path: String, var state: Document, folder: Optional[String]
) raises TenutoError -> Start:
    var start = Start(identity_after(state, folder))
    log(String("Loading checkpoint from ", path))
    start.state = state^
    return start^


def identity_after(
    state: Document, folder: Optional[String]
) raises TenutoError -> RunIdentity:
    """The identity of an attempt that continues from a state.

    Errors: `directory_in_use`, `not_resumable`.
    Spec: TR-RES-007, TR-RES-015, TR-STATE-003.
    """
    var saved = identity_of(state.root)
    var attempt = saved.attempt
    if folder:
        for entry in read_ledger(folder.value()):
            if entry.is_damaged():
                continue
            if entry.run_id != saved.run_id:
                raise _refuse(
                    "directory_in_use",
                    Phase.CONFIG,
                    String(folder.value(), ": holds run ", entry.run_id),
                )
            attempt = max(attempt, entry.attempt)
    var lineage = saved.lineage.copy()
    lineage.append(Ancestor(saved.attempt, progress_of(state.root)))
    return RunIdentity(
        saved.run_id.copy(),
        attempt + 1,
        checkpoint_id(state.root),
        lineage^,
    )


def move_aside(folder: String, names: List[String]) raises TenutoError:
    """Move what cannot be used to `quarantine/`. Spec: TR-RES-017."""
    for name in names:
        var to = String(folder, "/quarantine/", name)
        make_folder(folder_of(to))
        var number = 2
        while has_name(to):
            var stem = String(
                from_utf8_lossy=name.as_bytes()[0 : name.byte_length() - 5]
            )
            to = String(folder, "/quarantine/", stem, "_", number, ".ckpt")
            number += 1
        var former = String(folder, "/", name)
        move(former, to)
        sync_folder(folder_of(to))
        if is_epoch_name(name):
            remove_folder(folder_of(former))  # if it became empty
        log(String(name, ": moved to ", to))
    if len(names) > 0:
        sync_folder(folder)
