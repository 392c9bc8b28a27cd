"""Laws of attempts: put end to end they are one training, and what they leave in the folder."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pytest

from tenuto.conformance_tests.oracle.model import Attempt, UnforeseenError, foretell
from tenuto.conformance_tests.oracle.model.folder import Folder
from tenuto.conformance_tests.oracle.model.naming import is_boundary_name
from tenuto.conformance_tests.test_model_loop import (
    LOOP_HOOKS,
    PLATEAU,
    SAVER,
    SMALL,
    TINY,
    WINDOWS,
    Plain,
    attempt,
    doing,
    letters,
    of,
    position,
    run,
)
from tenuto.conformance_tests.test_model_saving import alone, newest, saver, told

COUNTER = {"name": "C", "counts": True}
EARLY = {"name": "E", "early_stopping": {"patience": 2}}
SETTINGS: list[Plain] = [
    {"workload": SMALL, "max_epochs": 3, "saving": {}},
    {"workload": WINDOWS, "max_epochs": 2, "saving": {"save_every_steps": 2, "save_top_k": 2}},
    {"workload": PLATEAU, "max_epochs": 3, "saving": {"save_top_k": 2, "keep_last_n": 1}, "validate_every": 2},
]
POINTS = [
    ("on_epoch_start", 1),
    ("on_epoch_start", 2),
    ("on_batch_start", 2),
    ("on_batch_end", 1),
    ("on_batch_end", 3),
    ("on_batch_end", 4),
    ("on_validation_start", 1),
    ("on_validation_end", 1),
    ("on_epoch_end", 1),
]


def attempts_of(given: Plain, *first: Mapping[str, Any]) -> list[Attempt]:
    """Attempts with the same settings: one for each observer that acts, and a last one in which none does."""
    more = {name: value for name, value in given.items() if name != "saving"}
    acting = [*first, {"name": "A"}]
    return [
        attempt(one, COUNTER, EARLY, saver(**given["saving"]), resume="auto" if at else "never", **more)
        for at, one in enumerate(acting)
    ]


def loop_of(parts: Sequence[Any]) -> list[dict[str, Any]]:
    """The events of the loop, put end to end."""
    hooks = set(LOOP_HOOKS) - {"on_train_start"}
    return [event for part in parts for event in of(part, "A") if event["hook"] in hooks]


@pytest.mark.parametrize("given", SETTINGS)
def test_attempts_put_end_to_end_are_one(given: Plain) -> None:
    """With a signal anywhere, and again in the attempt that continues."""
    whole, folder = told(attempts_of(given))
    for point, again in product(POINTS, (None, ("on_batch_end", 2), ("on_batch_start", 3))):
        acting = [doing(*one, "signal", signal="SIGTERM") for one in (point, again) if one]
        parts, left = told(attempts_of(given, *acting))
        assert all(part.reply["outcome"] in {"interrupted", "finished", "stopped"} for part in parts)
        events = loop_of(parts)
        if point[0] == "on_validation_start":
            at = next(at for at, one in enumerate(events) if one["hook"] == "on_validation_start")
            assert events.pop(at) == events[at], "the start of a validation that was interrupted is told twice"
        assert events == loop_of(whole), (point, again)
        assert newest(left).data() == newest(folder).data(), (point, again)
        assert lists_of(left) == lists_of(folder)


def lists_of(folder: Folder) -> dict[str, bytes]:
    """The best files with what they hold."""
    return {name: file.data() for name, file in folder.entries().items() if name.startswith("best_")}


@pytest.mark.parametrize("given", SETTINGS)
def test_after_a_failure_the_last_exact_state_is_trained_on(given: Plain) -> None:
    _, folder = told(attempts_of(given))
    for point in [*POINTS, ("on_train_end", 1), ("on_checkpoint_saved", 1)]:
        acting = doing(*point, "raise", code="x_user")
        (first, second), left = told(attempts_of(given, acting))
        exact = [row for row in first.listing if row["exact"]]
        if first.reply["outcome"] == "finished":
            continue
        if first.files and not exact:
            assert second.reply == {"reply": "error", "code": "no_usable_checkpoint", "phase": "restore"}
            assert (second.events, second.files) == ([], first.files)
        else:
            assert newest(left).data() == newest(folder).data(), point


def test_earlier_attempts_do_not_depend_on_later_ones() -> None:
    for given in SETTINGS:
        signal = doing("on_batch_end", 2, "signal", signal="SIGINT")
        whole = attempts_of(given, signal, doing("on_batch_end", 1, "raise", code="x_user"))
        found = foretell(whole)
        for count in (1, 2):
            assert foretell(whole[:count]) == found[:count]


def test_a_run_with_more_epochs_is_a_longer_run() -> None:
    for given in SETTINGS:
        more = {name: value for name, value in given.items() if name not in {"saving", "max_epochs"}}
        longer = {**more, "max_epochs": given["max_epochs"] + 1}
        callbacks: list[Plain] = [{"name": "A"}, COUNTER, saver(**given["saving"])]
        chain = [attempt(*callbacks, max_epochs=given["max_epochs"], resume=how, **more) for how in ("never", "auto")]
        (_, middle, _), left = told([*chain, attempt(*callbacks, resume="auto", **longer)])
        assert letters(of(middle, "A")) == "STD", "nothing was left to do"
        assert middle.reply["outcome"] == "finished"
        assert newest(left).data() == newest(alone(*callbacks, **longer)[1]).data()
        assert newest(left).attempt == 2, "the attempt in between left no file"


def test_resumed_from_an_older_file_the_later_ones_make_way() -> None:
    values = {"val_loss": [3.0, 1.0, 2.0, 4.0]}
    for slots, epoch in product((1, 2), (1, 2, 3)):
        given: dict[str, Any] = {"workload": TINY, "max_epochs": 4, "metrics": values}
        name = f"checkpoint_epoch_{epoch:04d}.ckpt"
        chain = [attempt(saver(save_top_k=slots), **given)]
        chain += [attempt(saver(save_top_k=slots), resume=name, **given)] * 2
        (first, second, third), folder = told(chain)
        later = [f"checkpoint_epoch_{at:04d}" for at in range(epoch + 1, 5)]
        for found, numbers in ((second, (1,)), (third, (1, 2))):
            renamed = {one for one in found.files if "attempt" in one and one.startswith("checkpoint")}
            assert renamed == {f"{one}_attempt{n}.ckpt" for one in later for n in numbers}
        assert {one: first.files[one] for one in first.files if is_boundary_name(one)} == {
            one: data for one, data in third.files.items() if is_boundary_name(one)
        }
        assert [row["attempt"] for row in third.listing if row["name"] == "checkpoint_epoch_0004.ckpt"] == ["i:3"]
        assert third.files["best_model_val_loss.ckpt"] == first.files["best_model_val_loss.ckpt"]
        assert newest(folder).attempt == 3


def test_a_resumed_attempt_makes_the_best_names_and_latest_good() -> None:
    values = {"val_loss": [2.0, 1.0]}
    stop = doing("on_train_start", 1, "stop", reason="enough")
    given: dict[str, Any] = {"workload": TINY, "max_epochs": 2, "metrics": values}
    name = "checkpoint_epoch_0001.ckpt"
    (first, second), folder = told([attempt(SAVER, **given), attempt(stop, SAVER, resume=name, **given)])
    assert first.files["best_model_val_loss.ckpt"] == first.files["checkpoint_epoch_0002.ckpt"]
    for one in ("best_model_val_loss.ckpt", "latest.ckpt"):
        assert second.files[one] == second.files[name]
        assert folder.names[one] is folder.names[name]
    assert second.files.keys() == first.files.keys(), "the state that was resumed from is saved"


def test_superseded_files_are_never_deleted() -> None:
    settings = {"keep_last_n": 1, "save_best": False}
    given: dict[str, Any] = {"workload": TINY, "max_epochs": 3}
    interrupted = doing("on_epoch_end", 1, "signal", signal="SIGTERM")
    chain = [
        attempt(saver(**{**settings, "keep_last_n": None}), **given),
        attempt(interrupted, saver(**settings), resume="checkpoint_epoch_0001.ckpt", **given),
        attempt(saver(**settings), resume="emergency_epoch_0002_step_00000002.ckpt", **given),
    ]
    found, _ = told(chain)
    assert [sorted(one.files) for one in found[1:]] == [
        [
            *("checkpoint_epoch_0001.ckpt", "checkpoint_epoch_0002.ckpt", "checkpoint_epoch_0002_attempt1.ckpt"),
            *("checkpoint_epoch_0003.ckpt", "emergency_epoch_0002_step_00000002.ckpt", "latest.ckpt"),
        ],
        [
            *(
                "checkpoint_epoch_0002_attempt1.ckpt",
                "checkpoint_epoch_0003.ckpt",
                "checkpoint_epoch_0003_attempt1.ckpt",
            ),
            *("emergency_epoch_0002_step_00000002.ckpt", "latest.ckpt"),
        ],
    ]


def test_the_newest_attempt_goes_before_the_greatest_progress() -> None:
    given: dict[str, Any] = {"workload": TINY, "max_epochs": 4}
    again = doing("on_epoch_end", 1, "stop", reason="enough")
    chain = [attempt(SAVER, **given), attempt(again, SAVER, resume="checkpoint_epoch_0001.ckpt", **given)]
    assert "checkpoint_epoch_0002.ckpt" in foretell(chain)[1].newest_names
    third = foretell([*chain, attempt(SAVER, resume="auto", **given)])[2]
    assert position(third.events[0]) == "2/0/2"


def test_an_attempt_builds_on_all_in_its_lineage() -> None:
    """Files of the first attempt that the third builds on are deleted when their time has come."""
    given: dict[str, Any] = {"workload": TINY, "max_epochs": 6}
    signal = doing("on_epoch_end", 2, "signal", signal="SIGTERM")
    chain = [
        attempt(signal, saver(save_best=False), **given),
        attempt(signal, saver(save_best=False), resume="auto", **given),
        attempt(saver(save_best=False, keep_last_n=1), resume="auto", **given),
    ]
    last = foretell(chain)[-1]
    assert list(last.files) == ["checkpoint_epoch_0004.ckpt", "checkpoint_epoch_0006.ckpt", "latest.ckpt"]


def test_what_is_refused_changes_nothing() -> None:
    first = attempt(SAVER)
    before = run(SAVER)
    refused = [
        (attempt(SAVER), "directory_in_use", "config"),
        (attempt({"name": "A"}, resume="auto"), "no_checkpoint_dir", "config"),
        (attempt(SAVER, resume="none.ckpt"), "file_not_found", "io"),
        (attempt(SAVER, resume="auto", validate_every=2), "state_mismatch", "restore"),
        (attempt(saver(keep_last_n=0), resume="auto"), "invalid_setting", "config"),
    ]
    for one, code, phase in refused:
        found = foretell([first, one])[1]
        reply = {name: value for name, value in found.reply.items() if name != "mismatches"}
        assert reply == {"reply": "error", "code": code, "phase": phase}
        assert (found.events, found.files, found.listing) == ([], before.files, before.listing)
    changed = attempt(SAVER, resume="auto", workload={**SMALL, "lr": 0.1, "seed": 1}, max_epochs=9)
    mismatches = foretell([first, changed])[1].reply["mismatches"]
    assert mismatches == ["metadata.config.lr", "metadata.config.seed"], "the length is free"
    assert foretell([attempt(SAVER, resume="auto")])[0].events == run(SAVER).events, "an empty folder starts fresh"


def test_nothing_usable_is_put_aside_where_that_is_asked_for() -> None:
    failed = attempt(doing("on_batch_end", 1, "raise", code="x_user"), SAVER)
    _, fresh = foretell([failed, attempt(SAVER, resume="auto", on_unusable_checkpoint="fresh")])
    assert (fresh.events, fresh.files, fresh.listing) == (run(SAVER).events, run(SAVER).files, run(SAVER).listing)


def test_of_two_of_one_age_the_one_that_is_no_emergency_is_taken() -> None:
    """The end of an epoch is saved twice: as a periodic and as an emergency checkpoint."""
    first = attempt(doing("on_epoch_end", 1, "signal", signal="SIGTERM"), SAVER)
    names = ("best_model_val_loss.ckpt", "checkpoint_epoch_0001.ckpt", "latest.ckpt")
    assert foretell([first])[0].newest_names == names
    stop = doing("on_train_start", 1, "stop", reason="now")
    before, after = foretell([first, attempt(stop, SAVER, resume="auto")])
    assert after.files == before.files, "the state is saved"
    with pytest.raises(UnforeseenError, match="very state"):
        foretell([first, attempt(stop, SAVER, resume="emergency_epoch_0001_step_00000003.ckpt")])


def test_what_a_free_choice_shows_is_not_foretold() -> None:
    """Saved again with another metric, the state lies in the folder twice."""
    falling, then = {"val_loss": [2.0, 1.0]}, [{"save": "S", "metrics": {"val_loss": 0.5}}]
    twice = attempt(SAVER, metrics=falling, then=then)
    with pytest.raises(UnforeseenError, match="TR-RES-012"):
        foretell([twice, attempt(SAVER, resume="auto", max_epochs=3)])
    once = attempt(SAVER, metrics={"val_loss": [1.0, 2.0]}, then=then)
    assert foretell([once, attempt(SAVER, resume="auto", max_epochs=3)])
