"""Tables of decisions: when to save, what is best, what a file is called, what is kept."""

from __future__ import annotations

import re

from spec_examples.source import BadExampleError, Verdict
from tenuto.callbacks.policies import naming
from tenuto.callbacks.policies.memory import Memory
from tenuto.callbacks.policies.monitors import MonitorSettings
from tenuto.callbacks.policies.retention import KeepAll, KeepLast, plan_retention, stored_checkpoints
from tenuto.callbacks.policies.save import SaveFacts, SaveRules, plan_save
from tenuto.callbacks.policies.schedule import SaveEvery
from tenuto.reference.checkpoint.entries import Entry
from tenuto.reference.events.contexts import Metric, Progress, RunIdentity


def _split(cell):
    return [part.strip() for part in cell.split(",") if part.strip()]


def _number(cell):
    return None if cell == "nil" else int(cell)


def due(item, _):
    """Plans the saves of a training whose epochs have the given numbers of batches."""
    by_epochs, by_steps, batches, *stated = item.cells
    triggers = {"epochs": _number(by_epochs), "steps": _number(by_steps)}
    rules = SaveRules(triggers={name: SaveEvery(**{name: n}) for name, n in triggers.items() if n is not None})
    memory, step, saves = Memory(), 0, {"batch": [], "epoch": []}
    for epoch, count in enumerate(map(int, _split(batches))):
        moments = [("batch", Progress(epoch, done, step + done)) for done in range(1, count + 1)]
        step += count
        for event, progress in [*moments, ("epoch", Progress(epoch + 1, 0, step))]:
            plan = plan_save(rules, memory, SaveFacts(event, progress, {}))
            if plan:
                memory = plan.memory
                saves[event].append(f"{progress.epoch}/{progress.global_step}")
    return Verdict([_split(cell) for cell in stated], [saves["batch"], saves["epoch"]])


def best(item, _):
    """Shows rank 1 after each value."""
    values, stated = item.cells
    lists = [memory.list_of("m") for memory, _ in _ranked(item.options, values)]
    firsts = [str(found[0].epoch) if found else "none" for found in lists]
    return Verdict(_split(stated), firsts)


def best_list(item, _):
    """Shows the list after the last value, and whose file had to go."""
    values, *stated = item.cells
    steps = _ranked(item.options, values)
    last, _ = steps[-1]
    gone = [re.search(r"_epoch_0*(\d+)\.ckpt", name)[1] for _, dropped in steps for name in dropped]
    return Verdict([_split(cell) for cell in stated], [[str(entry.epoch) for entry in last.list_of("m")], gone])


def _ranked(options, cell):
    """Offers one value an epoch; returns what is remembered after each, and the names that it dropped."""
    monitor = MonitorSettings("m", options["mode"], float(options["min_delta"]), int(options["slots"]))
    rules = SaveRules(monitors=(monitor,))
    memory, metrics, epoch, steps = Memory(), {}, 0, []
    for value in _split(cell):
        text, again = value.removesuffix(" again"), value.endswith(" again")
        epoch += not again
        if text != "missing":  # a metric that is not measured keeps its old value, and the step of it
            metrics = {"m": Metric(float(text), epoch)}
        event = "manual" if again else "epoch"
        plan = plan_save(rules, memory, SaveFacts(event, Progress(epoch, 0, epoch), metrics))
        memory = plan.memory if plan else memory
        steps.append((memory, plan.dropped if plan else ()))
    return steps


def name(item, _):
    """Names a file."""
    save, epoch, step, batch, metric, stated = item.cells
    progress = Progress(int(epoch), int(batch), int(step))
    names = {
        "periodic": lambda: naming.periodic_name(progress),
        "emergency": lambda: naming.emergency_name(progress),
        "best": lambda: naming.best_name(metric),
        "entry": lambda: naming.best_entry_name(metric, progress),
    }
    return Verdict(stated, names[save]())


# -- what is kept -----------------------------------------------------------------------------------------------------

_RUN = RunIdentity("this", attempt=3, parent="parent", lineage=((2, (99, 0, 99)),))  # attempt 1 is not built on
_FLAGS = {
    "": {},
    "manual": {"reasons": ("manual",)},
    "parent": {"checkpoint_id": "parent", "attempt": 2},
    "other": {"run_id": "other"},
    "superseded": {"attempt": 1},
    "emergency": {"reasons": ("signal",)},
}


def keep(item, _):
    """Plans what is deleted after one more periodic save."""
    policy, before, stated = item.cells
    words = [*before.split(), "e4"]
    entries = {_entry(word): word for word in words}
    doomed = plan_retention(stored_checkpoints(entries, run=_RUN, lists={}), _policy(policy)).delete
    return Verdict(stated.split(), [word for entry, word in entries.items() if entry.name not in doomed])


def _policy(policy):
    found = re.fullmatch(r"KeepLast\((\d+)\)", policy)
    if not found and policy != "KeepAll":
        raise BadExampleError(f"policy {policy}; expected KeepAll or KeepLast(n)")
    return KeepLast(int(found[1])) if found else KeepAll()


def _entry(word):
    """Returns the file of a word such as `e2:manual`: after two epochs, or, if an emergency, in the middle of them."""
    short, _, flag = word.partition(":")
    epoch = int(short[1:])
    progress = Progress(epoch - 1, 1, 2 * epoch - 1) if flag == "emergency" else Progress(epoch, 0, 2 * epoch)
    called = naming.emergency_name if flag == "emergency" else naming.periodic_name
    facts = {
        "name": called(progress),
        "checkpoint_id": short,
        "run_id": _RUN.run_id,
        "attempt": _RUN.attempt,
        "position": (progress.epoch, progress.batch_in_epoch, progress.global_step),
        "is_exact": True,
        "is_full": True,
        "reasons": ("periodic",),
        "parent": None,
        "lineage": (),
        "identity": (1, 1),
    }
    return Entry(**{**facts, **_FLAGS[flag]})
