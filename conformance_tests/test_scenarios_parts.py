"""The parts that scenario cases are made of: their form, the oracle behind them, damage, and reading files."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tenuto.conformance_tests.cases import SuiteError
from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.oracle.frame import file
from tenuto.conformance_tests.oracle.make_vectors import all_vectors
from tenuto.conformance_tests.oracle.tree import Document, filled, make
from tenuto.conformance_tests.scenarios.build import scenario
from tenuto.conformance_tests.scenarios.damage import do_damage, find, with_run
from tenuto.conformance_tests.scenarios.expected import expectations
from tenuto.conformance_tests.scenarios.families import selection
from tenuto.conformance_tests.scenarios.folder import difference
from tenuto.conformance_tests.scenarios.plan import scenario_cases, scripts
from tenuto.conformance_tests.scenarios.schema import Schema
from tenuto.conformance_tests.scenarios.script import Act, Damage, Expect, Script, read_scripts
from tenuto.conformance_tests.scenarios.witness import NoCheckpointError, read

VECTORS = spec_folder() / "vectors"
SCHEMA = Schema.read(VECTORS / "scenarios" / "schema.json")


def test_every_scenario_has_the_form_of_the_schema() -> None:
    found = {script.id: SCHEMA.breaches(act.scenario) for script in scripts(VECTORS) for act in script.attempts}
    wrong = {one: breaches for one, breaches in found.items() if breaches}
    assert set(wrong) == {"SC-SCN-001", "SC-SCN-002"}  # a port is to find fault with their form
    for one in selection.selections():
        assert SCHEMA.breaches(next(selection.single_scenarios(one))[1]) == []
        assert SCHEMA.breaches(next(selection.shared_scenarios(one))[1]) == []


GOOD: dict[str, Any] = {"workload": {"seed": "i:1"}, "max_epochs": "i:1", "callbacks": [{"name": "A"}]}
ACTION = {"hook": "on_batch_end", "call": "i:1", "do": "stop", "reason": ""}


@pytest.mark.parametrize(
    ("changes", "breach"),
    [
        ({}, None),
        ({"callbacks": [{"name": "A", "actions": [ACTION]}]}, None),
        ({"workload": {"seed": 1}}, "$.workload.seed: 1; expected one of 5 forms"),
        ({"workload": {"seed": "i:01"}}, "$.workload.seed: 'i:01'; expected one of 5 forms"),
        ({"workload": {"lr": "f64:3FF0000000000000"}}, "$.workload.lr"),
        ({"epochs": "i:1"}, "$: member epochs; expected one of ["),
        ({"callbacks": {}}, "$.callbacks: {}; expected array"),
        ({"callbacks": [{}]}, "$.callbacks[0]: no member name; expected it"),
        ({"callbacks": [{"name": ""}]}, "$.callbacks[0].name: ''; expected ^.+$"),
        ({"callbacks": [{"name": "A", "counts": False}]}, "$.callbacks[0].counts: False; expected one of [True]"),
        ({"callbacks": [{"name": "A", "actions": [ACTION | {"do": "wait"}]}]}, "$.callbacks[0].actions[0]: "),
        ({"callbacks": [{"name": "A", "actions": [ACTION | {"code": "x_a"}]}]}, "$.callbacks[0].actions[0]: "),
        ({"metrics": {"val_loss": ["f64:0000000000000000", "none"]}}, "$.metrics.val_loss[1]: 'none'"),
    ],
)
def test_a_scenario_of_another_form(changes: dict[str, Any], breach: str | None) -> None:
    found = SCHEMA.breaches(GOOD | changes)
    assert bool(found) is (breach is not None)
    assert breach is None or found[0].startswith(breach)


CASE = {
    "id": "SC-CB-001",
    "title": "a",
    "req": ["CB-HOOK-001"],
    "profile": "callbacks",
    "attempts": [{"scenario": GOOD}],
}


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("SC-CB-001", {}, None),
        ("SC-CB-002", {}, "id SC-CB-001; expected the name of the file"),
        ("SC-CB-001", {"profile": "codec"}, "$.profile: 'codec'"),
        ("SC-CB-001", {"attempts": [{"scenario": GOOD, "resumes": "auto"}]}, "$.attempts[0]: member resumes"),
        ("SC-CB-001", {"attempts": [{"scenario": GOOD | {"more": True}}]}, "$: member more"),
    ],
)
def test_a_case_of_another_form(tmp_path: Path, name: str, changes: dict[str, Any], message: str | None) -> None:
    (tmp_path / "schema.json").write_bytes((VECTORS / "scenarios" / "schema.json").read_bytes())
    (tmp_path / "cb").mkdir()
    (tmp_path / "cb" / f"{name}.yaml").write_text(yaml.safe_dump(CASE | changes))
    if message is None:
        assert [script.id for script in read_scripts(tmp_path)] == ["SC-CB-001"]
        return
    with pytest.raises(SuiteError, match=message.replace("$", r"\$").replace("[", r"\[")):
        read_scripts(tmp_path)


def test_the_oracle_foresees_every_case_or_it_states_what_is_expected() -> None:
    for script in scripts(VECTORS):
        for expected in expectations(script):
            assert expected.reply, script.id


@pytest.mark.parametrize(
    ("attempts", "message"),
    [
        ((Act(GOOD, expect=Expect()), Act(GOOD)), "expected one by hand too"),
        ((Act(GOOD, damage=(Damage("remove", "a"),)),), "damage, or another folder"),
        ((Act(GOOD, folder="other"),), "damage, or another folder"),
        ((Act(scenario(1, []) | {"trainer": {"max_seconds": "f64:3ff0000000000000"}}),), "does not foresee"),
    ],
)
def test_a_case_that_nobody_can_judge_is_a_fault_of_the_suite(attempts: tuple[Act, ...], message: str) -> None:
    script = Script("SC-TEST/1", "", (), "resume", attempts)
    with pytest.raises(SuiteError, match=message):
        expectations(script)


def test_ids_are_given_once_and_say_their_area() -> None:
    ids = [case.id for case in scenario_cases(VECTORS)]
    assert len(set(ids)) == len(ids)
    for path in (VECTORS / "scenarios").glob("*/*.yaml"):
        assert path.stem.split("-")[1].lower() == path.parent.name


def test_the_space_of_selections_is_whole() -> None:
    assert len(selection.selections()) == 10
    for one in selection.selections():
        runs: list[Any] = [scenario["metrics"] for _, scenario in selection.shared_scenarios(one)]
        sequences = [tuple(values) for metrics in runs for values in metrics.values()]
        assert len(sequences) == len(set(sequences)) == 4**5


@pytest.mark.req("CKPT-CANON-001")
def test_canonical_files_are_read_and_others_are_not() -> None:
    """A file with a fault that a re-encoding shows; what kinds of values its keys have is not looked at."""
    for vector in all_vectors():
        if vector.folder == "valid":
            assert file(read(vector.data)) == vector.data
            continue
        if vector.folder == "noncanonical":
            with pytest.raises(NoCheckpointError):
                read(vector.data)
    for at in range(0, len(FILE), 3):
        with pytest.raises(NoCheckpointError):
            read(FILE[:at] + bytes([FILE[at] ^ 1]) + FILE[at + 1 :])


def origin(**changes: Any) -> Document:
    metadata: dict[str, Any] = {"origin": {"run_id": "a.b", "timestamp": "now"} | changes, "list": [1, {"a": 2}]}
    return make(metadata=metadata, model_state=filled("float64", 3))


FILE = file(origin())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.ckpt").write_bytes(FILE)
    (tmp_path / "run" / "twin.ckpt").hardlink_to(tmp_path / "run" / "a.ckpt")
    return tmp_path / "run"


@pytest.mark.parametrize("how", ["flip", "truncate", "age"])
def test_damage_to_a_name_leaves_other_names_of_its_bytes_alone(folder: Path, how: str) -> None:
    do_damage(folder, Damage(how, "a.ckpt"))
    assert (folder / "twin.ckpt").read_bytes() == FILE
    assert (folder / "a.ckpt").read_bytes() != FILE


def test_a_bit_flips_in_the_data_of_the_last_tensor(folder: Path) -> None:
    do_damage(folder, Damage("flip", "a.ckpt"))
    data = (folder / "a.ckpt").read_bytes()
    differing = [at for at, (one, other) in enumerate(zip(data, FILE, strict=True)) if one != other]
    assert differing == [FILE.index(filled("float64", 3).data) + 23]


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("metadata.origin.run_id", "s:x", "x"),
        ("metadata.list.1.a", ["array", "i:1"], [1]),
        ("metadata.list.0", "nil", None),
        ("later", ["map"], {}),
    ],
)
def test_an_item_is_set(folder: Path, path: str, value: Any, found: object) -> None:
    do_damage(folder, Damage("set", "a.ckpt", path=path, value=value))
    assert find(read((folder / "a.ckpt").read_bytes()), path) == found


def test_an_item_is_dropped(folder: Path) -> None:
    do_damage(folder, Damage("drop", "a.ckpt", path="metadata.origin.run_id"))
    assert read((folder / "a.ckpt").read_bytes()).keys() == origin().keys()
    with pytest.raises(NoCheckpointError):
        find(read((folder / "a.ckpt").read_bytes()), "metadata.origin.run_id")


def test_files_come_and_go(folder: Path) -> None:
    do_damage(folder, Damage("copy_as", "a.ckpt", to="deep/b.ckpt"))
    do_damage(folder, Damage("link_as", "a.ckpt", to="link.ckpt"))
    do_damage(folder, Damage("garbage", ".{run_id}.left.tmp"))
    do_damage(folder, Damage("folder", "c.ckpt"))
    do_damage(folder, Damage("pipe", "d.ckpt"))
    do_damage(folder, Damage("remove", "twin.ckpt"))
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert names == {"a.ckpt", "deep", "deep/b.ckpt", "link.ckpt", ".a%2Eb.left.tmp", "c.ckpt", "d.ckpt"}
    assert (folder / "link.ckpt").readlink() == Path("a.ckpt")
    (folder.parent / "other").mkdir()
    do_damage(folder.parent / "other", Damage("moved", "run"))
    assert (folder.parent / "other" / "a.ckpt").read_bytes() == FILE
    assert not folder.exists()


def test_a_name_with_a_run_is_that_of_the_files(folder: Path) -> None:
    assert with_run(folder, ".{run_id}.tmp") == ".a%2Eb.tmp"
    assert with_run(folder, "plain.ckpt") == "plain.ckpt"


@pytest.mark.parametrize(
    ("one", "other", "path"),
    [
        ({"a": [1, {"b": 2.0}]}, {"a": [1, {"b": 2.0}]}, None),
        ({"a": [1, {"b": 0.0}]}, {"a": [1, {"b": -0.0}]}, "a.1.b"),
        ({"a": [1]}, {"a": [1, 2]}, "a"),
        ({"a": 1}, {"a": True}, "a"),
        ({"a": 1}, {"a": 1.0}, "a"),
        ({"a": 1}, {"b": 1}, "a"),
        ({"a": b"a"}, {"a": "a"}, "a"),
        ({"a": []}, {"a": {}}, "a"),
        ({"a": filled("float64", 2)}, {"a": filled("float64", 2, seed=2)}, "a"),
        ({"a": filled("int8", 8)}, {"a": filled("uint8", 8)}, "a"),
        ({"a": filled("int8", 8)}, {"a": filled("int8", 4, 2)}, "a"),
    ],
)
def test_the_first_place_at_which_trees_differ(one: Any, other: Any, path: str | None) -> None:
    found = difference(one, other)
    assert (None if found is None else found.path) == path
    assert found is None or found.expected != found.actual
