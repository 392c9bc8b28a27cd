"""The model makes every decision in the tables of the specification."""

import itertools
import re
from collections.abc import Iterator, Mapping

from tenuto.conformance_tests.entries import safe_load
from tenuto.conformance_tests.oracle.model.errors import Refusal
from tenuto.conformance_tests.oracle.model.foretelling import Attempt, foretell
from tenuto.conformance_tests.oracle.model.naming import best_name, boundary_name, emergency_name, entry_name
from tenuto.conformance_tests.oracle.model.ranking import Entry, admit
from tenuto.conformance_tests.oracle.model.resuming import Found, newest
from tenuto.conformance_tests.oracle.model.retention import Policy, Stored, keep, keep_all, keep_last
from tenuto.conformance_tests.test_model_examples import EXAMPLES, scenario
from tenuto.conformance_tests.test_model_loop import position


def rows(kind: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """The rows of the tables of a kind, each with the words of its table."""
    for one in EXAMPLES:
        if one.form == "table" and one.kind == kind:
            words = dict(word.split("=", 1) for word in one.words)
            yield from ((words, [cell.strip() for cell in row.strip("|").split("|")]) for row in one.body[2:])


def lists_after(words: Mapping[str, str], values: str) -> Iterator[tuple[Entry, ...]]:
    """The best list after each epoch of a row."""
    entries: tuple[Entry, ...] = ()
    epoch = 0
    for value in values.split(", "):
        epoch += not value.endswith("again")
        if value != "missing":
            new = Entry(float(value.removesuffix(" again")), epoch, epoch)
            entries = admit(entries, new, words["mode"], int(words["slots"]), float(words["min_delta"]))
        yield entries


def test_the_tables_of_rank_1() -> None:
    found = list(rows("best"))
    assert len(found) == 10
    for words, (values, expected) in found:
        firsts = [str(entries[0].epoch) if entries else "none" for entries in lists_after(words, values)]
        assert ", ".join(firsts) == expected, values


def test_the_tables_of_best_lists() -> None:
    found = list(rows("list"))
    assert len(found) == 7
    for words, (values, expected, deleted) in found:
        steps = list(lists_after(words, values))
        gone = [
            str(entry.epoch) for before, after in itertools.pairwise(steps) for entry in before if entry not in after
        ]
        assert (", ".join(str(entry.epoch) for entry in steps[-1]), ", ".join(gone)) == (expected, deleted), values


def test_the_table_of_names() -> None:
    found = list(rows("name"))
    assert len(found) == 10
    for _, (save, epoch, step, batch, metric, expected) in found:
        progress, monitor = (int(epoch), int(batch), int(step)), metric.strip("`")
        made = {
            "periodic": boundary_name(progress),
            "emergency": emergency_name(progress),
            "best": best_name(monitor),
            "entry": entry_name(monitor, 2, progress),
        }
        assert f"`{made[save]}`" == expected


def test_the_table_of_what_is_due() -> None:
    found = list(rows("due"))
    assert len(found) == 5
    for _, (frequency, steps, epochs, at_batches, at_epochs) in found:
        batches = epochs.split(", ")
        settings = {"save_best": False, "save_frequency": safe_load(frequency), "save_every_steps": safe_load(steps)}
        settings = {name: None if value == "nil" else value for name, value in settings.items()}
        given = {
            "workload": {"samples": int(batches[0]), "batch_size": 1, "validation_samples": 0},
            "max_epochs": len(batches),
            "callbacks": [{"name": "S", "checkpoint": {**settings, "save_on_train_end": False}}],
        }
        told: dict[str, list[str]] = {"on_batch_end": [], "on_epoch_end": []}
        outer = ""
        for event in foretell([Attempt(scenario(given))])[0].events:
            if event["hook"] == "on_checkpoint_saved":
                epoch, _, step = position(event).split("/")
                told[outer].append(f"{epoch}/{step}")
            outer = str(event["hook"])
        assert {hook: ", ".join(moments) for hook, moments in told.items()} == {
            "on_batch_end": at_batches,
            "on_epoch_end": at_epochs,
        }


def stored(text: str) -> Stored:
    """`x3:emergency` is the emergency checkpoint of the third epoch."""
    name, _, flag = text.partition(":")
    reasons = {"manual": ("manual",), "emergency": ("exception",)}.get(flag, ("periodic",))
    return Stored(
        name,
        1,
        (int(name[1:]), 0, int(name[1:])),
        reasons,
        is_parent=flag == "parent",
        is_foreign=flag in {"other", "superseded"},
    )


def test_the_table_of_what_is_kept() -> None:
    found = list(rows("keep"))
    assert len(found) == 9
    for _, (policy, before, expected) in found:
        number_of = re.fullmatch(r"`KeepLast\((\d+)\)`", policy)
        asked: Policy = keep_last(int(number_of[1])) if number_of else keep_all
        known = {one.partition(":")[0]: one for one in [*before.split(), "e4"]}
        kept = keep([stored(one) for one in known.values()], asked)
        assert [known[name] for name in known if name in kept] == expected.split(), before


def head(text: str) -> tuple[str, Found]:
    name, place = text.split()
    place, _, flag = place.partition(":")
    attempt, epoch, batch, step = map(int, place.split("/"))
    return name, Found(
        attempt,
        (epoch, batch, step),
        run="other" if flag == "other" else "run",
        is_damaged=flag == "damaged",
        is_exact=flag != "inexact",
        is_full=flag != "weights",
    )


def test_the_table_of_the_newest() -> None:
    found = list(rows("newest"))
    assert len(found) == 9
    for _, (entries, expected) in found:
        heads = [head(one) for one in entries.split(", ")]
        try:
            taken = [heads[at][0] for at in newest([one for _, one in heads])]
        except Refusal as refusal:
            taken = [f"`{refusal.code}`"]
        assert taken == [expected], entries
