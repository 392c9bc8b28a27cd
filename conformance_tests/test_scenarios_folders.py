"""Folders and listings: a right answer passes, and each way to spoil it has exactly its verdict and its message."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tenuto.conformance_tests.judge import PASSED, Verdict
from tenuto.conformance_tests.meta.puppet import Answer, Spoil
from tenuto.conformance_tests.meta.spoiling import judged
from tenuto.conformance_tests.oracle.document import MalformedError
from tenuto.conformance_tests.oracle.frame import file
from tenuto.conformance_tests.scenarios.witness import read

LATEST, FIRST, BEST = "latest.ckpt", "checkpoint_epoch_0001.ckpt", "best_model_val_loss.ckpt"


def flipped(answer: Answer) -> None:
    data = bytearray(answer.files[FIRST])
    data[-20] ^= 1
    answer.files[FIRST] = bytes(data)


def changed(change: Callable[[Any], None], *names: str) -> Spoil:
    def spoil(answer: Answer) -> None:
        for name in names or answer.files:
            document: Any = read(answer.files[name])
            change(document)
            answer.files[name] = file(document)

    return spoil


def strange(name: str) -> Spoil:
    return lambda answer: answer.files.update({name: b"x"})


def missing(answer: Answer) -> None:
    del answer.files[LATEST]


def set_momentum(document: Any) -> None:
    document["optimizer_state"]["optimizer"]["param_groups"][0]["momentum"] = 0.5


def set_value(document: Any) -> None:
    document["metadata"]["best"]["val_loss"][0]["value"] = 0.25


def set_key(document: Any) -> None:
    document["trainer_state"]["more"] = None


def set_origin(**changes: Any) -> Callable[[Any], None]:
    return lambda document: document["metadata"]["origin"].update(changes)


MOMENTUM = ("f64:3feccccccccccccd = 0.9", "f64:3fe0000000000000 = 0.5")


@pytest.mark.req("CONF-VERDICT-007", "CKPT-CANON-006", "STORE-DIR-003")
@pytest.mark.parametrize(
    ("spoil", "detail", "expected", "actual"),
    [
        (missing, "the names in the folder: missing ['latest.ckpt'], not expected []", LATEST, FIRST),
        (strange("left.tmp"), "the names in the folder: missing [], not expected ['left.tmp']", "", "left.tmp"),
        (strange(".hidden"), "the names in the folder: missing [], not expected ['.hidden']", "", ".hidden"),
        (strange("../beside"), "the port made something outside the folder (STORE-DIR-003)", "[]", "['beside']"),
        (
            changed(set_momentum),
            f"{BEST}: optimizer_state.optimizer.param_groups.0.momentum differs",
            *MOMENTUM,
        ),
        (
            changed(set_key),
            f"{BEST}: trainer_state.more differs",
            "absent",
            "there",
        ),
        (
            changed(set_origin(checkpoint_id="1")),
            f"{BEST}: metadata.origin.checkpoint_id",
            "32 hex digits (TR-STATE-003)",
            "'1'",
        ),
        (changed(set_origin(run_id="a/b")), f"{BEST}: metadata.origin.run_id", "TR-STATE-020", "'a/b'"),
        (changed(set_origin(elapsed_seconds=1)), f"{BEST}: metadata.origin.elapsed_seconds", "a float64", "1"),
        (changed(set_origin(reasons=["best", "periodic"])), f"{BEST}: metadata.origin.reasons", "in their order", ""),
        (changed(set_origin(own=1)), f"{BEST}: metadata.origin has the key own", "starts with x_", "own"),
        (changed(set_origin(trigger=None)), f"{BEST}: metadata.origin.trigger", "a map", "None"),
        (
            changed(set_origin(elapsed_seconds=0.75), LATEST),
            f"{BEST} and {LATEST} are of one save (CPC-WHEN-005)",
            "equal bytes",
            "other bytes",
        ),
    ],
)
def test_folders_that_differ(tmp_path: Path, spoil: Spoil, detail: str, expected: str, actual: str) -> None:
    found = judged(tmp_path, spoil)
    assert (found.verdict, found.detail) == (Verdict.FAIL, f"attempt 1 of 2, {detail}")
    assert expected in found.expected
    assert actual in found.actual


@pytest.mark.req("CONF-VERDICT-007", "CKPT-CANON-001")
def test_a_file_with_a_flipped_bit(tmp_path: Path) -> None:
    found = judged(tmp_path, flipped)
    assert re.fullmatch(rf"attempt 1 of 2, {FIRST}: byte \d+ is not that of the canonical form .*", found.detail)
    assert found.expected == "a checkpoint in canonical form (CKPT-CANON-001)"


def test_a_further_key_of_the_ports_own_in_the_origin_is_no_fault(tmp_path: Path) -> None:
    assert judged(tmp_path, changed(set_origin(x_host="here"))) == PASSED


def test_the_profile_decides_how_much_of_a_file_counts(tmp_path: Path) -> None:
    assert judged(tmp_path, changed(set_momentum), "checkpoint") == PASSED
    found = judged(tmp_path, changed(set_value), "checkpoint")
    assert found.detail == f"{BEST}: metadata.best.val_loss.0.value differs"


def listed(**members: Any) -> Spoil:
    return lambda answer: answer.listing.update(members)


def row_with(name: str, value: Any) -> Spoil:
    def spoil(answer: Answer) -> None:
        answer.listing["checkpoints"][1] = {**answer.listing["checkpoints"][1], name: value}

    return spoil


@pytest.mark.req("SCN-OP-005")
@pytest.mark.parametrize(
    ("spoil", "detail"),
    [
        (listed(newest="other.ckpt"), "list: newest"),
        (listed(newest=""), "list: newest"),
        (listed(damaged=[{"name": "a.ckpt", "code": "bad_magic"}]), "list: the names of damaged"),
        (listed(checkpoints=[]), "list: the names of checkpoints"),
        (row_with("attempt", "i:2"), f"list: attempt of {FIRST}"),
        (row_with("exact", "true"), f"list: exact of {FIRST}"),
        (row_with("reasons", ["periodic"]), f"list: reasons of {FIRST}"),
        (row_with("run_id", "other"), "list: run_id of the checkpoints of one run"),
        (row_with("run_id", True), "list: run_id of the checkpoints of one run"),
    ],
)
def test_listings_that_differ(tmp_path: Path, spoil: Spoil, detail: str) -> None:
    found = judged(tmp_path, spoil)
    assert (found.verdict, found.detail) == (Verdict.FAIL, f"attempt 1 of 2, {detail}")


def test_any_name_of_the_newest_checkpoint_is_right(tmp_path: Path) -> None:
    for name in (LATEST, FIRST, BEST):
        assert judged(tmp_path, listed(newest=name)) == PASSED


@pytest.mark.req("CONF-LINE-004")
@pytest.mark.parametrize(
    "listing", [{"checkpoints": "none"}, {"checkpoints": ["a"]}, {"damaged": True}, {"newest": ["a"]}]
)
def test_listings_that_are_none(tmp_path: Path, listing: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        judged(tmp_path, listed(**listing))
