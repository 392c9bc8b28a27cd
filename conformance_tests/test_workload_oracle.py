"""The known answers and the faults: what is committed, and that every fault breaks a law or an answer."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tenuto.conformance_tests import test_workload_drawing as drawing
from tenuto.conformance_tests import test_workload_network as network
from tenuto.conformance_tests import test_workload_state as state
from tenuto.conformance_tests import test_workload_updating as updating
from tenuto.conformance_tests.clauses import clauses, spec_folder
from tenuto.conformance_tests.oracle import make_kat
from tenuto.conformance_tests.oracle.document import Json, Reader
from tenuto.conformance_tests.oracle.workload.faults import FAULTS, Fault
from tenuto.conformance_tests.oracle.workload.numbers import LINES
from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.protocol import parse_json

Law = Callable[[], None]
WINDOWS, PLATEAU = state.RESUMED["windows"], state.RESUMED["plateau"]

LAWS: dict[str, Law] = {
    "next mixes before it steps": drawing.test_the_published_outputs_of_splitmix64,
    "unit has 52 bits": drawing.test_unit_has_53_bits_and_stays_below_one,
    "unit has 64 bits": drawing.test_unit_has_53_bits_and_stays_below_one,
    "below accepts everything": drawing.test_below_is_even_where_most_draws_are_biased,
    "below rejects the top": drawing.test_below_gives_what_is_left_of_the_first_draw_it_accepts,
    "below takes the high bits": drawing.test_below_gives_what_is_left_of_the_first_draw_it_accepts,
    "below leaves out the greatest": drawing.test_below_reaches_every_small_number_alike,
    "streams are sums": drawing.test_no_two_streams_start_alike,
    "inputs by feature": drawing.test_inputs_are_drawn_by_sample_then_by_feature,
    "validation on training samples": drawing.test_inputs_lie_in_their_range_and_validation_has_its_own,
    "target without wrap": drawing.test_targets_are_products_of_neighbors_in_a_ring,
    "order of one cycle": drawing.test_orders_are_permutations_that_are_all_alike_frequent,
    "order swaps anywhere": drawing.test_orders_are_permutations_that_are_all_alike_frequent,
    "order of the seed alone": drawing.test_orders_depend_on_seed_and_epoch_alone,
    "short batch left out": drawing.test_batches_cut_the_order_and_leave_nothing_out,
    "batches by stride": drawing.test_batches_cut_the_order_and_leave_nothing_out,
    "second layer drawn first": network.test_initial_weights_are_drawn_layer_by_layer,
    "biases drawn": network.test_initial_weights_are_even_within_their_range,
    "weights from the stream of the data": drawing.test_more_draws_for_one_purpose_move_no_other,
    "kept units not scaled": network.test_dropout_keeps_the_mean_output,
    "no activation": network.test_the_output_is_that_of_a_two_layer_network,
    "dropped units kept": network.test_units_are_dropped_as_often_as_asked_for_and_in_order,
    "no draws without dropout": lambda: network.test_one_draw_for_each_unit_and_sample_whatever_the_dropout(0.0),
    "loss not divided": network.test_without_dropout_a_batch_is_validated_as_it_is_trained,
    "seen counts batches": network.test_seen_counts_samples,
    "gradients not scaled": lambda: network.test_gradients_are_finite_differences_of_the_loss(Settings(), 3),
    "gradients by a mask of zeros": network.test_a_unit_that_does_not_pass_adds_nothing_not_even_nan,
    "gradients not divided by the window": lambda: updating.test_a_full_window_updates_as_one_batch_of_its_samples(
        "sgd"
    ),
    "gradients divided by the full batch": lambda: network.test_gradients_are_finite_differences_of_the_loss(
        Settings(), 3
    ),
    "gradients of half the square": lambda: network.test_gradients_are_finite_differences_of_the_loss(Settings(), 4),
    "validation scaled": network.test_validation_keeps_every_unit_and_changes_nothing,
    "validation not divided": network.test_metrics_of_validation_are_means_over_its_samples,
    "differences not absolute": network.test_validation_keeps_every_unit_and_changes_nothing,
    "window across epochs": lambda: updating.test_no_window_crosses_the_end_of_an_epoch(4, 2),
    "window of one batch": lambda: updating.test_a_full_window_updates_as_one_batch_of_its_samples("adam"),
    "gradients kept after the update": updating.test_the_gradients_of_a_window_are_its_own,
    "short window divided by its batches": updating.test_a_short_window_is_divided_like_any_other,
    "dropout anew each epoch": lambda: network.test_one_draw_for_each_unit_and_sample_whatever_the_dropout(0.25),
    "rate of the settings": updating.test_sgd_moves_each_weight_by_rate_and_momentum_of_the_moment,
    "optimizer state from the start": state.test_before_the_first_update_the_optimizer_has_no_state,
    "Nesterov": updating.test_momentum_sums_a_steady_gradient_to_its_limit,
    "momentum damped": updating.test_momentum_sums_a_steady_gradient_to_its_limit,
    "rate inside the momentum": updating.test_momentum_sums_a_steady_gradient_to_its_limit,
    "no bias correction": updating.test_the_first_update_of_adam_is_as_large_as_the_rate,
    "epsilon inside the root": updating.test_adam_without_betas_follows_the_sign_of_the_gradient,
    "power for each weight": updating.test_the_powers_of_adam_count_updates,
    "rate that decays": updating.test_without_a_scheduler_the_rate_stays,
    "warm-up one update late": lambda: updating.test_warmup_step_climbs_and_then_halves(4, 3),
    "warm-up from zero": lambda: updating.test_warmup_step_climbs_and_then_halves(4, 3),
    "reductions from the start": lambda: updating.test_warmup_step_climbs_and_then_halves(4, 3),
    "schedulers stepped by batch": lambda: updating.test_warmup_step_climbs_and_then_halves(4, 3),
    "no threshold": updating.test_an_improvement_below_the_threshold_is_none,
    "threshold as a share": updating.test_an_improvement_below_the_threshold_is_none,
    "no lowest rate": updating.test_the_rate_falls_by_the_factor_to_the_least_and_no_lower,
    "no cooldown": lambda: updating.test_a_loss_that_stays_is_borne_and_reductions_cool_down(2, 4),
    "less patience": lambda: updating.test_a_loss_that_stays_is_borne_and_reductions_cool_down(1, 1),
    "equal improves": lambda: updating.test_a_loss_that_stays_is_borne_and_reductions_cool_down(1, 1),
    "NaN improves": lambda: updating.test_a_loss_that_stays_is_borne_and_reductions_cool_down(1, 1),
    "global_step counts batches": lambda: updating.test_no_window_crosses_the_end_of_an_epoch(4, 2),
    "mean over samples": state.test_sums_run_through_an_epoch_and_give_its_mean,
    "plateau on the training loss": lambda: updating.test_plateau_follows_the_validation_of_the_epoch_that_ends(1),
    "plateau on metrics of an earlier epoch": updating.test_an_epoch_without_validation_is_no_epoch_for_plateau,
    "validation counted from 0": lambda: updating.test_plateau_follows_the_validation_of_the_epoch_that_ends(2),
    "NaN with a sign": state.test_a_nan_has_one_form,
    "zeros saved as integers": lambda: state.test_the_head_but_its_states("end"),
    "buffer counted as a parameter": state.test_the_architecture_and_its_fingerprint,
    "sums kept after the epoch": state.test_sums_run_through_an_epoch_and_give_its_mean,
    "gradients not saved": lambda: state.test_gradients_are_kept_inside_of_a_window_alone(WINDOWS),
    "gradients saved between windows": lambda: state.test_gradients_are_kept_inside_of_a_window_alone(WINDOWS),
    "sums not saved": lambda: state.test_a_training_resumed_at_any_boundary_ends_alike(WINDOWS),
    "seen not saved": state.test_the_states_of_sgd_without_a_scheduler,
    "generator not saved": lambda: state.test_a_training_resumed_at_any_boundary_ends_alike(WINDOWS),
    "momentum not saved": lambda: state.test_a_training_resumed_at_any_boundary_ends_alike(WINDOWS),
    "powers not restored": lambda: state.test_a_training_resumed_at_any_boundary_ends_alike(WINDOWS),
    "rate not restored": lambda: state.test_a_training_resumed_at_any_boundary_ends_alike(WINDOWS),
    "scheduler not restored": lambda: state.test_a_training_resumed_at_any_boundary_ends_alike(PLATEAU),
}
"""By fault: a law that it breaks."""

BITS_ALONE = {
    "order upwards": "another order, as even",
    "weights divided by the root": "the same number, rounded otherwise",
    "bias added last": "the same number, rounded otherwise",
    "output of fused operations": "the same number, rounded otherwise",
    "gradients divided earlier": "the same number, rounded otherwise",
    "fused multiply-add": "the same number, rounded otherwise",
    "subnormal numbers flushed": "the same number but for the least ones",
    "gradient squared first": "the same number, rounded otherwise",
    "learning rate multiplied last": "the same number, rounded otherwise",
    "warm-up by a fraction": "the same number, rounded otherwise",
}
"""By fault that no law can notice: why."""

RESTORES = {"powers not restored", "rate not restored", "scheduler not restored"}  # no answer is made by a restore

ELSEWHERE = {
    "RW-SET-001": "what is refused is not computed",
    "RW-SET-002": "as RW-SET-001",
    "RW-NUM-001": "a training of exact arithmetic",
    "RW-NUM-003": "the table below",
    "RW-MODEL-007": "changes when a signal is noticed, and no number",
    "RW-STATE-008": "as RW-SET-001",
    "RW-KAT-001": "the answers themselves",
}
"""By clause without a fault: why it needs none."""


def section(heading: str) -> str:
    """One section of the text of the workload, up to the next heading of any level."""
    text = (spec_folder() / "50-reference-workload.md").read_text("utf-8")
    return text.split(f"\n{heading}\n")[1].split("\n## ")[0]


@cache
def committed() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in make_kat.FOLDER.iterdir()}


@pytest.fixture
def faulty(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The fault of this id, in place of the function that is right."""
    fault: Fault = FAULTS[request.param]
    monkeypatch.setattr(fault.owner, fault.attribute, fault.wrong)
    return fault.id


@pytest.mark.req("RW-KAT-001")
def test_the_committed_answers_are_those_that_the_oracle_makes(capsys: pytest.CaptureFixture[str]) -> None:
    assert make_kat.main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_the_check_names_files_that_differ_are_missing_or_not_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.json").write_bytes(b"")
    make_kat.write(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == committed()
    (tmp_path / "numbers.json").unlink()
    (tmp_path / "data.json").write_bytes(committed()["data.json"].replace(b"i:9", b"i:8", 1))
    (tmp_path / "more.json").write_bytes(b"")
    assert make_kat.main(["--check"], tmp_path) == 1
    named = [line.split(":")[0] for line in capsys.readouterr().err.splitlines()]
    assert named == ["data.json", "more.json", "numbers.json"]


def test_the_committed_answers_stay_small() -> None:
    assert sum(map(len, committed().values())) < 1_500_000


@pytest.mark.parametrize("faulty", LAWS, indirect=True)
def test_a_fault_breaks_its_law(faulty: str) -> None:
    with pytest.raises(AssertionError):
        LAWS[faulty]()


@pytest.mark.parametrize("law", dict.fromkeys(LAWS.values()))
def test_without_a_fault_the_same_law_holds(law: Law) -> None:
    law()


@pytest.mark.req("RW-KAT-001", "RW-NUM-002")
@pytest.mark.parametrize("faulty", sorted(FAULTS.keys() - RESTORES), indirect=True)
def test_a_fault_changes_an_answer(faulty: str) -> None:
    assert any(committed()[name] != data for name, data in make_kat.files()), faulty


def test_every_fault_has_a_law_or_the_reason_why_not() -> None:
    assert not LAWS.keys() & BITS_ALONE.keys()
    assert LAWS.keys() | BITS_ALONE.keys() == FAULTS.keys()
    assert LAWS.keys() > RESTORES


def test_every_clause_has_a_fault() -> None:
    faulty = {fault.req for fault in FAULTS.values()}
    assert faulty - clauses().keys() == set()
    assert {one for one in clauses() if one.startswith("RW-")} - faulty == ELSEWHERE.keys()


@pytest.mark.req("RW-NUM-003")
def test_the_lines_of_the_self_test_are_those_of_the_text() -> None:
    rows = re.findall(r"^\| \d \|(.*)\|$", section("## 2. Numbers"), re.MULTILINE)
    found = [tuple(cell.strip() for cell in row.split("|")) for row in rows]
    assert found == [
        (f"`{one.computes}`", f"`a` = {one.a}, `b` = {one.b}", one.result, f"{one.fault}: {one.otherwise}")
        for one in LINES
    ]


def test_the_defaults_are_those_of_the_text() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| `?([\w.-]+)`? \|", section("## 1. Settings"), re.MULTILINE)
    kinds = {"integer": int, "float64": float, "str": str}
    found = {name: kinds[kind](default) for name, kind, default in rows}
    assert repr(found) == repr(Settings().values())


def leaves(value: Json) -> Iterator[Json]:
    if isinstance(value, dict):
        yield from (leaf for one in value.values() for leaf in leaves(one))
    elif isinstance(value, list):
        yield from (leaf for one in value for leaf in leaves(one))
    else:
        yield value


def members(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        yield from (name for one in value.values() for name in members(one))
    elif isinstance(value, list):
        yield from (name for one in value for name in members(one))


@pytest.mark.req("RW-KAT-001")
@pytest.mark.parametrize("name", [*make_kat.TABLES, "checkpoint.json"])
def test_the_tables_have_the_form_of_section_9(name: str) -> None:
    """Tables of rows, every scalar tagged, every member named in the text."""
    tables = parse_json(committed()[name])
    assert isinstance(tables, dict)
    for table in tables.values():
        assert isinstance(table, list)
        assert {type(row) for row in table} == {dict}
    for leaf in leaves(tables):
        Reader().tree(leaf)
    text = "".join(map(section, ("## 9.1 Form of the tables", "## 1. Settings", "## 5. Model", "## 8. State")))
    assert {one for one in members(tables) if f"`{one}`" not in text} == set()
    assert json.dumps(tables, indent=1).encode("ascii") + b"\n" == committed()[name]
