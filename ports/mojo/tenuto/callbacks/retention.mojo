"""Which checkpoints lose their names. Pure: from what lies in a folder."""
from ..entries import Entry
from ..events.progress import RunIdentity
from ..ledger import sort_texts
from .naming import LATEST, is_boundary_name, is_emergency_name
from .ranking import BestList


struct Retention(Copyable):
    """A policy: `KeepAll` and the others of section 5.

    Spec: CPC-KEEP-001, CPC-KEEP-006, CPC-KEEP-007.
    """

    comptime ALL = 0
    comptime LAST = 1
    comptime BEST = 2
    comptime BEST_AND_LATEST = 3
    comptime EVERY = 4

    var kind: Int
    var count: Int

    def __init__(out self, kind: Int, count: Int = 1):
        self.kind = kind
        self.count = count

    def keeps(
        self, entries: List[Entry], i: Int, lists: List[BestList]
    ) -> Bool:
        """Whether an entry keeps its name, by the entries alone."""
        ref entry = entries[i]
        if self.kind == Self.LAST:
            return _is_periodic(entry) and _newer(entries, i) < self.count
        if self.kind == Self.BEST:
            return len(lists) > 0 and _place(entry, lists[0]) < self.count
        if self.kind == Self.EVERY:
            return (
                entry.progress.epoch % self.count == 0
                and entry.progress.batch_in_epoch == 0
            )
        if self.kind == Self.BEST_AND_LATEST:
            for one in lists:
                if _place(entry, one) == 0:
                    return True
            return False
        return True


def _is_periodic(entry: Entry) -> Bool:
    """A periodic or final save; manual ones are not counted."""
    return is_boundary_name(entry.name) and not entry.has_reason("manual")


def _newer(entries: List[Entry], i: Int) -> Int:
    """How many periodic entries are newer."""
    var count = 0
    for k in range(len(entries)):
        if _is_periodic(entries[k]) and entries[i].is_older(entries[k]):
            count += 1
    return count


def _place(entry: Entry, one: BestList) -> Int:
    """The place of a state in a best list; far behind if it is in none."""
    for k in range(len(one.entries)):
        if (
            one.entries[k].epoch == entry.progress.epoch
            and one.entries[k].step == entry.progress.global_step
        ):
            return k
    return Int.MAX


def plan_retention(
    found: List[Entry],
    run: RunIdentity,
    policies: List[Retention],
    lists: List[BestList],
    newest_has_latest: Bool,
) -> List[String]:
    """The names to delete after a save, sorted: those that every policy would
    delete and nothing protects. `newest_has_latest` says whether the bytes of
    the newest stand under `latest.ckpt` too.

    Spec: CPC-KEEP-001, CPC-KEEP-003 to CPC-KEEP-008, STORE-KEEP-001.
    """
    var gives_up_newest = False
    for policy in policies:
        if policy.kind == Retention.BEST and newest_has_latest:
            gives_up_newest = True
    var own = List[Entry]()
    for entry in found:
        if (
            not entry.is_damaged()
            and entry.run_id == run.run_id
            and not run.has_superseded(entry.attempt, entry.progress)
        ):
            own.append(entry.copy())
    var gone = List[String]()
    for i in range(len(own)):
        ref entry = own[i]
        if not (is_boundary_name(entry.name) or is_emergency_name(entry.name)):
            continue
        if _is_protected(own, i, run, gives_up_newest):
            continue
        var is_kept = False
        for policy in policies:
            is_kept = is_kept or policy.keeps(own, i, lists)
        if not is_kept:
            gone.append(entry.name.copy())
    sort_texts(gone)
    return gone^


def _is_protected(
    own: List[Entry], i: Int, run: RunIdentity, gives_up_newest: Bool
) -> Bool:
    """Whether an entry stays whatever the policies say.

    Spec: CPC-KEEP-004, CPC-KEEP-005, CPC-KEEP-008.
    """
    ref entry = own[i]
    if entry.has_reason("manual"):
        return True
    if run.parent and entry.checkpoint_id == run.parent.value():
        return True
    if _is_needed(own, i) and not (gives_up_newest and _is_latest(own, i)):
        return True
    return is_emergency_name(entry.name) and _newer(own, i) == 0


def _is_needed(own: List[Entry], i: Int) -> Bool:
    """Whether it is the newest, or the newest exact one: `auto` passes over
    every other kind, and would find nothing behind an emergency file.
    """
    var is_newest = True
    var is_newest_exact = own[i].is_exact
    for k in range(len(own)):
        if own[i].is_older(own[k]):
            is_newest = False
            is_newest_exact = is_newest_exact and not own[k].is_exact
    return is_newest or is_newest_exact


def _is_latest(own: List[Entry], i: Int) -> Bool:
    """Whether its bytes stand under `latest.ckpt`; a newer save that is not
    exact takes that name from the newest exact one.
    """
    for entry in own:
        if entry.name == LATEST:
            return entry.checkpoint_id == own[i].checkpoint_id
    return False
