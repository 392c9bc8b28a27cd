"""Events, replies and refusals: a right answer passes, and each way to spoil it has its verdict and its message."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.judge import PASSED, Judgement, Verdict
from tenuto.conformance_tests.meta.puppet import Answer, Puppet, Spoil
from tenuto.conformance_tests.meta.spoiling import WORKLOAD, judged, script
from tenuto.conformance_tests.oracle.document import MalformedError
from tenuto.conformance_tests.protocol import Reply
from tenuto.conformance_tests.scenarios.build import observer, scenario
from tenuto.conformance_tests.scenarios.plan import scripts
from tenuto.conformance_tests.scenarios.script import Act, Script
from tenuto.conformance_tests.scenarios.stage import carry_out


def test_a_right_answer_passes_and_is_asked_for_in_new_processes(tmp_path: Path) -> None:
    puppet = Puppet(tmp_path)
    assert carry_out(script(), puppet) == PASSED
    assert puppet.restarts == 1


@pytest.mark.parametrize(
    "kind", ["SC-STOP", "SC-EMERGENCY-RAISE", "SC-RESUME-sgd", "SC-NAMED-sgd", "SC-TWICE", "SC-ANSWERS"]
)
def test_no_fault_is_found_with_what_the_oracle_foretells(tmp_path: Path, kind: str) -> None:
    found = [one for one in scripts(spec_folder() / "vectors") if one.id.startswith(kind)]
    assert found
    for one in found:
        assert carry_out(one, Puppet(tmp_path)) == PASSED, one.id


def line(answer: Answer, hook: str, name: str = "A") -> int:
    return next(at for at, event in enumerate(answer.events) if (event["hook"], event["name"]) == (hook, name))


def dropped(answer: Answer) -> None:
    del answer.events[line(answer, "on_batch_end")]


def doubled(answer: Answer) -> None:
    at = line(answer, "on_validation_end")
    answer.events.insert(at, answer.events[at])


def swapped(answer: Answer) -> None:
    at = line(answer, "on_epoch_start")
    answer.events[at], answer.events[at + 1] = answer.events[at + 1], answer.events[at]


def cut(answer: Answer) -> None:
    del answer.events[-1]


def added(answer: Answer) -> None:
    answer.events.append(answer.events[-1])


def set_in(hook: str, member: str, value: Any) -> Spoil:
    def spoil(answer: Answer) -> None:
        answer.events[line(answer, hook)][member] = value

    return spoil


def without(hook: str, member: str) -> Spoil:
    return lambda answer: answer.events[line(answer, hook)].pop(member)


def bits(answer: Answer) -> None:
    metrics = dict(answer.events[line(answer, "on_validation_end")]["metrics"])
    value, step = metrics["val_loss"]
    metrics["val_loss"] = [value[:-1] + ("1" if value[-1] == "0" else "0"), step]
    answer.events[line(answer, "on_validation_end")]["metrics"] = metrics


STEP = ["i:0", "i:1", "i:2"]


@pytest.mark.req("SCN-EVENT-001", "CONF-VERDICT-007")
@pytest.mark.parametrize(
    ("spoil", "detail", "expected", "actual"),
    [
        (dropped, "events, line 7: name differs (CB-ORDER-001)", "on_batch_end 0/1/1 A", "on_batch_end 0/1/1 S"),
        (doubled, "events, line 16: name differs (CB-ORDER-001)", "0/2/2 S", "0/2/2 A"),
        (swapped, "events, line 3: name differs (CB-ORDER-001)", "on_epoch_start 0/0/0 A", "on_epoch_start 0/0/0 S"),
        (cut, "events, line 24: 23 events, expected 24 (CB-HOOK-007)", "on_teardown 1/0/2 S", "no further event"),
        (added, "events, line 25: 25 events, expected 24 (CB-HOOK-007)", "no further event", "on_teardown 1/0/2 S"),
        (set_in("on_batch_end", "progress", STEP), "events, line 7: progress differs (CB-HOOK-013)", "0/1/1", "0/1/2"),
        (
            bits,
            "events, line 15: metrics differs (CB-METRIC-009)",
            "f64:3fe0000000000000 = 0.5",
            "f64:3fe0000000000001",
        ),
        (without("on_train_start", "resumed"), "events, line 1: resumed differs (SCN-EVENT-001)", "False", "absent"),
        (
            set_in("on_checkpoint_saved", "names", ["latest.ckpt"]),
            "events, line 19: names differs (CPC-NAME-013)",
            "",
            "",
        ),
        (set_in("on_checkpoint_saved", "reasons", ["best"]), "events, line 19: reasons differs (TR-STATE-004)", "", ""),
    ],
)
def test_events_that_differ(tmp_path: Path, spoil: Spoil, detail: str, expected: str, actual: str) -> None:
    found = judged(tmp_path, spoil, "checkpoint")
    assert (found.verdict, found.detail) == (Verdict.FAIL, detail)
    assert expected in found.expected
    assert actual in found.actual
    assert found.expected != found.actual


def test_further_members_of_an_event_are_the_ports_own_matter(tmp_path: Path) -> None:
    assert judged(tmp_path, set_in("on_batch_end", "x_more", ["i:1"])) == PASSED


def test_any_nan_is_a_nan(tmp_path: Path) -> None:
    given = scenario(1, [observer("A")], workload=WORKLOAD, metrics={"val_loss": [float("nan")]})
    one = Script("SC-TEST/2", "a test", (), "callbacks", (Act(given),))

    def signed(answer: Answer) -> None:
        for event in answer.events:
            if "val_loss" in event["metrics"]:
                event["metrics"] = event["metrics"] | {"val_loss": ["f64:fff8000000000001", "i:2"]}

    assert carry_out(one, Puppet(tmp_path, signed)) == PASSED


def reply_with(**members: Any) -> Spoil:
    return lambda answer: answer.reply.update(members)


@pytest.mark.req("SCN-OP-004", "CONF-VERDICT-001")
@pytest.mark.parametrize(
    ("spoil", "verdict", "detail"),
    [
        (reply_with(outcome="finished"), Verdict.FAIL, "the reply (SCN-OP-004)"),
        (reply_with(detail="other"), Verdict.FAIL, "the reply (SCN-OP-004)"),
        (reply_with(progress={"epoch": "i:1"}), Verdict.FAIL, "the reply (SCN-OP-004)"),
        (reply_with(reply="error", code="io_error", phase="io"), Verdict.FAIL, "the reply (SCN-OP-004)"),
        (reply_with(reply="internal", message="oh"), Verdict.FAIL, "the reply (SCN-OP-004)"),
        (
            reply_with(reply="unsupported", capability="run"),
            Verdict.NOT_TESTABLE,
            "the port claims the profile of the case and says that it lacks a capability",
        ),
    ],
)
def test_replies_that_differ(tmp_path: Path, spoil: Spoil, verdict: Verdict, detail: str) -> None:
    found = judged(tmp_path, spoil, "checkpoint")
    assert (found.verdict, found.detail) == (verdict, detail)


@define
class Refuser:
    """Refuses to run, after it did something to the folder or to the events.

    Attributes:
        root: The folder of the sandbox.
        does: What it does, and to which of the two.
    """

    root: Path
    to: str
    does: Callable[[Path], object]

    def scratch(self) -> Path:
        return self.root

    def restart(self) -> None:
        raise AssertionError("a run is asked for")

    def ask(self, operation: str, members: Any) -> Reply:
        assert operation == "run"
        Path(members["events"]).write_text("")
        self.does(Path(members[self.to]))
        return Reply("error", {"reply": "error", "code": "invalid_setting", "phase": "config"})


def refused(folder: Path, to: str, does: Callable[[Path], object]) -> Judgement:
    one = next(one for one in scripts(spec_folder() / "vectors") if one.id == "SC-SETTING-CHECKPOINT/mode")
    folder.mkdir()
    return carry_out(one, Refuser(folder, to, does))


EVENT = json.dumps({"hook": "on_train_start", "name": "A"}) + "\n"


@pytest.mark.req("ERR-CODE-005", "CB-HOOK-008", "SCN-EVENT-002")
@pytest.mark.parametrize(
    ("to", "does", "detail"),
    [
        (
            "folder",
            lambda folder: (folder / "x.ckpt").write_text(""),
            "a refusal that changed the folder (ERR-CODE-005)",
        ),
        ("events", lambda events: events.write_text(EVENT), "events, line 1: 1 events, expected 0 (CB-HOOK-007)"),
        ("events", lambda events: events.write_text(EVENT[:-1]), "the events end in mid-line (SCN-EVENT-002)"),
        ("events", lambda events: events.unlink(), "the events (SCN-EVENT-002)"),
    ],
)
def test_a_refusal_that_did_something(tmp_path: Path, to: str, does: Callable[[Path], object], detail: str) -> None:
    assert refused(tmp_path / "right", to, lambda path: path) == PASSED
    assert refused(tmp_path / "wrong", to, does).detail == f"attempt 1 of 4, {detail}"


@pytest.mark.req("SCN-EVENT-001")
def test_events_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(MalformedError):
        refused(tmp_path / "wrong", "events", lambda events: events.write_text("[]\n"))
