"""What a case states by hand is compared, each part of it, and so are the documents that a port encodes."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve

from tenuto.conformance_tests.cases import Conversation
from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.encoding import encode_cases
from tenuto.conformance_tests.judge import PASSED, Verdict
from tenuto.conformance_tests.meta.puppet import Puppet
from tenuto.conformance_tests.oracle.document import Json, load
from tenuto.conformance_tests.oracle.frame import file
from tenuto.conformance_tests.plan import vector_sources
from tenuto.conformance_tests.protocol import Reply
from tenuto.conformance_tests.scenarios.build import action, observer, saving, scenario
from tenuto.conformance_tests.scenarios.expected import judge_reply
from tenuto.conformance_tests.scenarios.folder import Contents, judge_names
from tenuto.conformance_tests.scenarios.origin import judge_origin
from tenuto.conformance_tests.scenarios.script import Act, Expect, Hold, Like, Script
from tenuto.conformance_tests.scenarios.stage import carry_out

WORKLOAD = {"samples": 4, "validation_samples": 2}
VALUES = {"val_loss": [0.5, 0.4]}
RUN = scenario(2, [saving(keep_last_n=1), observer("A")], workload=WORKLOAD, metrics=VALUES)
SAVED = (
    "checkpoint_epoch_0001.ckpt best_model_val_loss.ckpt latest.ckpt: periodic best",
    "checkpoint_epoch_0002.ckpt best_model_val_loss.ckpt latest.ckpt: periodic best",
)
LOG = (
    *("on_train_start 0/0/0 A S", "on_epoch_start 0/0/0 A S", "on_batch_start 0/0/0 A S", "on_batch_end 0/1/1 A S"),
    *("on_validation_start 0/1/1 A S", "on_validation_end 0/1/1 A S", "on_epoch_end 1/0/1 A S"),
    *("on_checkpoint_saved 1/0/1 A S", "on_epoch_start 1/0/1 A S", "on_batch_start 1/0/1 A S"),
    *("on_batch_end 1/1/2 A S", "on_validation_start 1/1/2 A S", "on_validation_end 1/1/2 A S"),
    *("on_epoch_end 2/0/2 A S", "on_checkpoint_saved 2/0/2 A S", "on_checkpoint_deleted 2/0/2 A S"),
    *("on_train_end 2/0/2 A S", "on_teardown 2/0/2 A S"),
)
FILES = (
    *("best_model_val_loss.ckpt = checkpoint_epoch_0002.ckpt", "checkpoint_epoch_0002.ckpt"),
    "latest.ckpt = checkpoint_epoch_0002.ckpt",
)
RIGHT = Expect(
    reply={"reply": "ok", "outcome": "finished"},
    log=LOG,
    saved=SAVED,
    deleted=("checkpoint_epoch_0001.ckpt",),
    files=FILES,
    newest="latest.ckpt",
    damaged=(),
)
NEWEST = "checkpoint_epoch_0002.ckpt"


def stated(tmp_path: Path, expect: Expect, *holds: Hold) -> Any:
    """The judgement of one attempt whose newest file by `list` is the last name."""
    act = Act(RUN, expect=expect, holds=holds)
    script = Script("SC-TEST/1", "", (), "resume", (act,))
    return carry_out(script, Puppet(tmp_path, lambda answer: answer.listing.update(newest="latest.ckpt")))


def test_what_is_stated_rightly_passes(tmp_path: Path) -> None:
    assert stated(tmp_path, RIGHT) == PASSED


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"reply": {"reply": "ok", "outcome": "stopped"}}, "the reply (SCN-OP-004)"),
        ({"log": LOG[:-1]}, "log, line 18 differs"),
        ({"log": (*LOG, LOG[-1])}, "log, line 19 differs"),
        ({"log": (LOG[0].replace("A S", "S A"), *LOG[1:])}, "log, line 1 differs"),
        ({"saved": SAVED[:1]}, "saved, line 2 differs"),
        ({"saved": ()}, "saved, line 1 differs"),
        ({"deleted": ()}, "deleted, line 1 differs"),
        ({"files": FILES[1:]}, "the names in the folder: missing [], not expected ['best_model_val_loss.ckpt']"),
        ({"newest": NEWEST}, "list: newest"),
        ({"damaged": ("a.ckpt: bad_magic",)}, "list: damaged"),
    ],
)
def test_what_is_stated_otherwise_fails(tmp_path: Path, changes: dict[str, Any], detail: str) -> None:
    found = stated(tmp_path, evolve(RIGHT, **changes))
    assert (found.verdict, found.detail) == (Verdict.FAIL, detail)


def test_names_that_are_to_have_equal_bytes(tmp_path: Path) -> None:
    given = scenario(2, [saving()], workload=WORKLOAD, metrics=VALUES)
    names = ("best_model_val_loss.ckpt", "checkpoint_epoch_0001.ckpt", "checkpoint_epoch_0002.ckpt", "latest.ckpt")
    for first, detail in (
        ("best_model_val_loss.ckpt = latest.ckpt", ""),
        (
            "best_model_val_loss.ckpt = checkpoint_epoch_0001.ckpt",
            "best_model_val_loss.ckpt and checkpoint_epoch_0001.ckpt",
        ),
        ("best_model_*.ckpt", ""),
        ("best_model_?.ckpt", "the names in the folder: missing ['best_model_?.ckpt']"),
    ):
        script = Script("SC-TEST/1", "", (), "checkpoint", (Act(given, expect=Expect(files=(first, *names[1:]))),))
        found = carry_out(script, Puppet(tmp_path))
        assert found.detail.startswith(detail)
        assert (found == PASSED) is (detail == "")


def test_attempts_that_lead_to_the_same(tmp_path: Path) -> None:
    like = Like((Act(RUN),), (NEWEST,))
    assert stated(tmp_path, Expect(like=like)) == PASSED
    other = scenario(2, [saving(keep_last_n=1), observer("B")], workload=WORKLOAD, metrics=VALUES)
    found = stated(tmp_path, Expect(like=Like((Act(other),), ())))
    assert found.detail == "events, line 1: name differs (CB-ORDER-001)"
    seeded = scenario(2, [saving(keep_last_n=1), observer("A")], workload=WORKLOAD | {"epsilon": 1e-7}, metrics=VALUES)
    found = stated(tmp_path, Expect(like=Like((Act(seeded),), (NEWEST,))))
    assert found.detail == f"{NEWEST}: metadata.config.epsilon differs"
    stopped = scenario(
        2, [saving(keep_last_n=1), observer("A", action("on_epoch_end", 1, "stop", reason=""))], workload=WORKLOAD
    )
    found = stated(tmp_path, Expect(like=Like((Act(stopped),), ())))
    assert found.detail == "the reply (SCN-OP-004)"


@pytest.mark.parametrize(
    ("hold", "passes"),
    [
        (Hold(NEWEST, "metadata.progress.epoch", "i:2"), True),
        (Hold(NEWEST, "metadata.progress.epoch", "i:1"), False),
        (Hold(NEWEST, "metadata.best.val_loss.0.value", "f64:3fd999999999999a"), True),
        (Hold(NEWEST, "metadata.later", "absent"), True),
        (Hold(NEWEST, "metadata.later", "nil"), False),
        (Hold(NEWEST, "metadata.exact", "absent"), False),
        (Hold("other.ckpt", "metadata.exact", True), False),
    ],
)
def test_items_that_a_file_is_to_hold(tmp_path: Path, hold: Hold, passes: bool) -> None:
    assert (stated(tmp_path, RIGHT, hold) == PASSED) is passes


@pytest.mark.req("TR-REST-007", "TR-REST-015")
@pytest.mark.parametrize(
    ("told", "passes"),
    [
        (["metadata.config.lr", "metadata.config.seed"], True),
        (["metadata.architecture.fingerprint", "metadata.config.lr", "metadata.config.seed"], True),
        (["metadata.config.seed", "metadata.config.lr"], False),
        (["metadata.config.lr"], False),
        ("metadata.config.lr", False),
        (["metadata.config.lr", "metadata.config.seed", True], False),
    ],
)
def test_paths_of_a_mismatch(told: Json, passes: bool) -> None:
    expected: Mapping[str, Json] = {"mismatches": ["metadata.config.lr", "metadata.config.seed"]}
    assert (judge_reply(expected, Reply("error", {"mismatches": told})) is None) is passes


@pytest.mark.req("CPC-NAME-005", "CPC-NAME-016", "STORE-NAME-005")
def test_links(tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(b"")
    (tmp_path / "b.ckpt").symlink_to("a.ckpt")
    names = ["a.ckpt", "b.ckpt"]
    assert judge_names(names, Contents.of(tmp_path), ["b.ckpt"]) is None
    assert judge_names(names, Contents.of(tmp_path), [], ["b.ckpt"]) is None
    for links in ([], ["a.ckpt", "b.ckpt"]):
        assert judge_names(names, Contents.of(tmp_path), links) is not None
    (tmp_path / "b.ckpt").unlink()
    (tmp_path / "b.ckpt").symlink_to(tmp_path / "a.ckpt")
    found = judge_names(names, Contents.of(tmp_path), ["b.ckpt"])
    assert found is not None
    assert found.detail == "b.ckpt leads elsewhere (STORE-NAME-005)"


ORIGIN = {
    "checkpoint_id": "0" * 32,
    "run_id": "r",
    "attempt": 1,
    "parent": None,
    "lineage": [[1, 2, 3, 4]],
    "timestamp": "2025-01-01T00:00:00.5Z",
    "producer": {"name": "a", "version": "b", "language": "c"},
    "reasons": ["periodic", "best"],
    "elapsed_seconds": 0.0,
}
TRIGGER = {"monitor": "a", "value": 0.5, "mode": "max", "strategy": "best", "previous_best": None}


def with_origin(origin: Mapping[str, Any]) -> Any:
    entry = {"value": 0.5, "epoch": 1, "step": 2, "file": "a.ckpt"}
    metadata = {"origin": origin, "progress": {"epoch": 1, "global_step": 2}, "best": {"a": [entry]}}
    saving_state = {"best": {"a": {"mode": "max", "entries": [entry]}}}
    return {"metadata": metadata, "callback_state": {"CheckpointCallback": saving_state}}


@pytest.mark.req("TR-STATE-003", "TR-STATE-012")
def test_an_origin() -> None:
    assert judge_origin("x", with_origin(ORIGIN | {"trigger": TRIGGER})) is None
    for key in ORIGIN:
        found = judge_origin("x", with_origin({name: value for name, value in ORIGIN.items() if name != key}))
        assert found is not None
        assert found.detail == f"x: metadata.origin.{key}"
    changes: list[dict[str, Any]] = [
        {"lineage": [[1, 2, 3]]},
        {"lineage": [1]},
        {"parent": "a"},
        {"attempt": True},
        {"producer": {"name": "a", "version": "b"}},
        {"producer": {"name": "a", "version": "b", "language": 1}},
        {"timestamp": "2025-01-01 00:00:00"},
        {"reasons": []},
        {"elapsed_seconds": -1.0},
        {"trigger": TRIGGER | {"value": 0.25}},
        {"trigger": TRIGGER | {"mode": "min"}},
        {"trigger": TRIGGER | {"monitor": "b"}},
        {"trigger": TRIGGER | {"previous_best": 1}},
        {"trigger": TRIGGER | {"more": 1}},
        {"reasons": ["periodic"]},
    ]
    for change in changes:
        assert judge_origin("x", with_origin(ORIGIN | {"trigger": TRIGGER} | change)) is not None, change


@define
class Encoding:
    """Encodes with the oracle, or refuses with a code."""

    root: Path
    code: str | None = None
    byte: int | None = None

    def scratch(self) -> Path:
        folder = self.root / str(len(list(self.root.iterdir())))
        folder.mkdir()
        return folder

    def restart(self) -> None:
        raise AssertionError("one process is enough")

    def ask(self, operation: str, members: Mapping[str, Any]) -> Reply:
        assert operation == "encode"
        if self.code is not None:
            return Reply("error", {"code": self.code, "phase": "encode"})
        data = bytearray(file(load(json.loads(Path(members["document"]).read_text()))))
        if self.byte is not None:
            data[self.byte] ^= 1
        Path(members["out"]).write_bytes(data)
        return Reply("ok", {})


CASES = {case.id: case for case in encode_cases(vector_sources(spec_folder()))}


def encoded(name: str, talk: Encoding) -> Any:
    task = CASES[name].task
    assert isinstance(task, Conversation)
    return task.carry_out(talk)


@pytest.mark.req("SCN-OP-001", "CONF-VERDICT-007")
def test_a_document_is_encoded_to_the_bytes_of_its_vector(tmp_path: Path) -> None:
    names = [name for name in CASES if name.endswith("/encode")]
    assert len(names) > 90
    for name in names:
        assert encoded(name, Encoding(tmp_path)) == PASSED, name
        assert encoded(name, Encoding(tmp_path, byte=-1)).verdict is Verdict.FAIL
        assert encoded(name, Encoding(tmp_path, code="wrong_type")).verdict is Verdict.FAIL


@pytest.mark.req("CKPT-LIM-002", "CONF-VERDICT-001")
def test_a_document_at_fault_is_to_be_refused_with_its_code_alone(tmp_path: Path) -> None:
    table = (spec_folder() / "80-error-codes.md").read_text("utf-8")
    codes = set(re.findall(r"^\| `([a-z_0-9]+)` \| [^|]*`encode`", table, re.MULTILINE))
    names = [name for name in CASES if re.fullmatch(r"CKPT-E-0\d\d/refuse", name)]
    for name in names:
        passing = {code for code in codes if encoded(name, Encoding(tmp_path, code=code)) == PASSED}
        assert len(passing) == 1, name
    left_out = {"node_limit", "tensor_limit", "segment_limit", "head_limit"}  # documents of many megabytes
    left_out |= {"key_not_string", "unserializable_value"}  # the tagged form has no such value
    seen = {code for code in codes for name in names if encoded(name, Encoding(tmp_path, code=code)) == PASSED}
    assert codes - seen == left_out
