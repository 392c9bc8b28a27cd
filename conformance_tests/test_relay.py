"""Ports that hand trainings over to each other: who is asked what, and what a difference leads to."""

import itertools
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from attrs import define, field

from tenuto.conformance_tests import relay as relays
from tenuto.conformance_tests.judge import PASSED, Judgement, Verdict
from tenuto.conformance_tests.meta.puppet import Answer, Puppet
from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.port import Port, read_port
from tenuto.conformance_tests.protocol import Reply
from tenuto.conformance_tests.relay import judge_relay, relay, relay_scripts
from tenuto.conformance_tests.relay_picture import Leg, draw_relay, turns
from tenuto.conformance_tests.scenarios.script import Script
from tenuto.conformance_tests.scenarios.stage import carry_out

PORTS = Path(__file__).resolve().parent.parent / "ports"


@define
class Noted:
    """One of two ports that share a puppet, with what it was asked."""

    puppet: Puppet
    asked: list[str] = field(factory=list)

    def ask(self, operation: str, members: Mapping[str, Json]) -> Reply:
        self.asked.append(operation)
        return self.puppet.ask(operation, members)

    def restart(self) -> None:
        self.asked.append("restart")
        self.puppet.restart()

    def scratch(self) -> Path:
        return self.puppet.scratch()


def test_one_port_runs_and_the_other_one_goes_on(tmp_path: Path) -> None:
    puppet = Puppet(tmp_path)
    first, second = Noted(puppet), Noted(puppet)
    assert carry_out(relay_scripts()[6], relays.Relay((first, second))) == PASSED
    assert first.asked == ["run", "list"]
    assert second.asked == ["list", "restart", "restore"]


def test_a_training_goes_there_and_back(tmp_path: Path) -> None:
    puppet = Puppet(tmp_path)
    first, second = Noted(puppet), Noted(puppet)
    assert carry_out(relay_scripts()[-1], relays.Relay((first, second))) == PASSED
    assert first.asked == ["run", "list", "restart", "restore"]
    assert second.asked == ["list", "restart", "restore", "list"]


def test_there_and_back_is_tried_behind_every_batch_of_both_optimizers() -> None:
    found = [turns(script) for script in relay_scripts() if len(script.attempts) == 3]
    assert found == [[(0, first), (first, first + 1), (first + 1, 6)] for first in (1, 2, 3, 4, 5)] * 2
    over = [turns(script) for script in relay_scripts() if len(script.attempts) == 2]
    assert over == [[(0, point), (point, 6)] for point in (0, 1, 2, 3, 4, 5, 6, 3)] * 4


def test_a_difference_after_the_hand_over_fails(tmp_path: Path) -> None:
    def spoil(answer: Answer) -> None:
        answer.reply["detail"] = "other"

    puppet = Puppet(tmp_path, spoil, 2)
    found = carry_out(relay_scripts()[6], relays.Relay((Noted(puppet), Noted(puppet))))
    assert (found.verdict, found.detail) == (Verdict.FAIL, "attempt 2 of 2, the reply (SCN-OP-004)")


def test_the_trainings_have_both_optimizers_all_schedulers_and_windows() -> None:
    workloads = [script.attempts[0].scenario["workload"] for script in relay_scripts()]
    found = {
        (name, str(value)) for workload in workloads if isinstance(workload, dict) for name, value in workload.items()
    }
    assert {("optimizer", "s:adam"), ("scheduler", "s:warmup_step"), ("scheduler", "s:plateau")} < found
    assert ("accumulate", "i:3") in found
    assert any(isinstance(workload, dict) and "optimizer" not in workload for workload in workloads)


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """The reference with the interpreter that runs the tests."""
    text = (PORTS / "python" / "port.toml").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("run =")]
    path = tmp_path / "port.toml"
    path.write_text(
        "\n".join([*lines, f"run = {json.dumps([sys.executable, str(PORTS / 'python' / 'adapter.py')])}", ""])
    )
    return path


@pytest.mark.req("TR-REST-005", "TR-STATE-014")
def test_the_reference_hands_over_to_itself(port: Path) -> None:
    legs = list(itertools.islice(relay(read_port(port), read_port(port)), 6))
    assert [leg.judgement for leg in legs] == [PASSED] * 6


@pytest.mark.parametrize(("last", "code"), [(PASSED, 0), (Judgement(Verdict.CRASH, "oh", "a", "b"), 1)])
def test_what_is_said_of_a_relay(
    port: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, last: Judgement, code: int
) -> None:
    def legs(first: Port, second: Port) -> list[Leg]:
        assert first == second == read_port(port)
        return [Leg(Script(f"SC-TEST/{at}", "", (), "resume", ()), one) for at, one in enumerate((PASSED, last))]

    monkeypatch.setattr(relays, "relay", legs)
    assert judge_relay(port, port) == code
    said = capsys.readouterr().out.splitlines()
    counts = "python -> python: PASS 2" if code == 0 else "python -> python: CRASH 1, PASS 1"
    detail = [] if code == 0 else ["CRASH SC-TEST/1: oh", "  expected: a", "  got:      b"]
    assert said == [*detail, counts]


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL])
def test_the_picture_is_another_one_where_an_end_differs(tmp_path: Path, verdict: Verdict) -> None:
    legs = [Leg(script, PASSED) for script in relay_scripts()[:6]]
    draw_relay(tmp_path / "one.png", {("python", "mojo"): legs})
    draw_relay(
        tmp_path / "two.png", {("python", "mojo"): [*legs[:5], Leg(legs[5].script, Judgement(verdict, "", "", ""))]}
    )
    one, two = ((tmp_path / name).read_bytes() for name in ("one.png", "two.png"))
    assert one.startswith(b"\x89PNG")
    assert (one == two) == (verdict is Verdict.PASS)


def test_a_port_that_is_not_there(tmp_path: Path) -> None:
    assert judge_relay(tmp_path / "port.toml", tmp_path / "port.toml") == 2
