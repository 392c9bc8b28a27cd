"""The reference workload by itself: its settings, its self test, ends of ranges that no known answer reaches."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import xxhash
from attrs import evolve, fields

from tenuto.callbacks.base import BaseCallback
from tenuto.reference.errors import ConfigError
from tenuto.reference.trainer import architecture
from tenuto.reference.trainer.loop import Trainer
from tenuto.reference.workload import ReferenceWorkload, WorkloadSettings, arithmetic
from tenuto.reference.workload.data import Sample
from tenuto.reference.workload.generator import Generator
from tenuto.reference.workload.network import Network, zeros
from tenuto.reference.workload.schedulers import Plateau
from tenuto.reference.workload.tensors import from_counter, to_counter

TEXT = Path(__file__).parents[1] / "spec/v1/50-reference-workload.md"
KINDS = {"integer": int, "float64": float, "str": str}

# -- settings ---------------------------------------------------------------------------------------------------------


def refusal(**values):
    with pytest.raises(ConfigError) as caught:
        WorkloadSettings.from_map(values)
    assert (caught.value.code, caught.value.phase) == ("invalid_setting", "config")
    return caught.value.message


@pytest.mark.req("RW-SET-001", "RW-STATE-006")
def test_settings_and_defaults_are_those_of_the_table():
    section = TEXT.read_text().partition("## 1. Settings")[2].partition("## 2.")[0]
    table = re.findall(r"^\| `(\w+)` \| (\w+) \| (\S+) \|", section, re.MULTILINE)
    expected = {name: KINDS[kind](default.strip("`")) for name, kind, default in table}
    made = WorkloadSettings().to_map()
    assert len(expected) == 23
    assert made == expected
    assert {name: type(value) for name, value in made.items()} == {name: KINDS[kind] for name, kind, _ in table}


INTEGERS = {
    "seed": (0, 2**63 - 1),
    **dict.fromkeys(("samples", "batch_size", "accumulate", "step_size"), (1, 65536)),
    **dict.fromkeys(("validation_samples", "warmup", "patience", "cooldown"), (0, 65536)),
    **dict.fromkeys(("features", "hidden"), (1, 64)),
}
BELOW_ONE, TINY, HUGE = math.nextafter(1.0, 0.0), 5e-324, sys.float_info.max
FLOATS = {  # the least and greatest values accepted, and the nearest ones refused
    **dict.fromkeys(("dropout", "momentum", "beta1", "beta2"), (0.0, BELOW_ONE, -TINY, 1.0)),
    **dict.fromkeys(("lr", "epsilon", "gamma", "factor"), (TINY, HUGE, 0.0, math.inf)),
    **dict.fromkeys(("threshold", "min_lr"), (0.0, HUGE, -TINY, math.inf)),
}


@pytest.mark.req("RW-SET-001")
def test_the_ends_of_every_range_are_accepted_and_what_lies_beyond_is_refused():
    texts = {"optimizer", "scheduler"}
    assert INTEGERS.keys() | FLOATS.keys() | texts == {field.name for field in fields(WorkloadSettings)}
    for name, (low, high) in INTEGERS.items():
        assert [WorkloadSettings(**{name: value}).to_map()[name] for value in (low, high)] == [low, high]
        assert all(name in refusal(**{name: value}) for value in (low - 1, high + 1))
    for name, (low, high, under, over) in FLOATS.items():
        assert [WorkloadSettings(**{name: value}).to_map()[name] for value in (low, high)] == [low, high]
        assert all(name in refusal(**{name: value}) for value in (under, over, math.nan))


@pytest.mark.req("RW-SET-001")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in INTEGERS for value in (1.0, True, "1", None)],
        *[(name, value) for name in FLOATS for value in (1, True, "0.5", None)],
        *[(name, value) for name in ("optimizer", "scheduler") for value in ("lion", 1, None, ["sgd"])],
    ],
)
def test_a_value_of_another_type_is_refused(name, value):
    assert refusal(**{name: value}).startswith(f"{name}: {value!r}; expected ")


@pytest.mark.req("RW-SET-001")
def test_an_unknown_setting_is_refused():
    assert refusal(learning_rate=0.1).startswith("learning_rate: 0.1; expected one of the settings seed, ")


@pytest.mark.req("RW-SET-002")
def test_a_plateau_without_validation_is_refused():
    assert "val_loss" in refusal(scheduler="plateau", validation_samples=0)
    assert not ReferenceWorkload(WorkloadSettings(scheduler="warmup_step", validation_samples=0)).has_validation()


# -- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.req("RW-NUM-002", "RW-NUM-003")
@pytest.mark.parametrize("index", range(4))
def test_wrong_arithmetic_is_refused_when_the_workload_is_made(monkeypatch, index):
    faulty = (0x3C90000000000000, 0x3FF0000000000000, 0, 0x3FF0000000000000)[index]  # contracted, twice, flushed, wide
    lines = list(arithmetic.LINES)
    lines[index] = evolve(lines[index], compute=lambda _a, _b: arithmetic._from_bits(faulty))
    monkeypatch.setattr(arithmetic, "LINES", tuple(lines))
    with pytest.raises(ConfigError) as caught:
        ReferenceWorkload()
    assert (caught.value.code, caught.value.phase) == ("inexact_arithmetic", "config")
    assert f"{faulty:016x}; expected {lines[index].result:016x}" in caught.value.message


@pytest.mark.req("RW-NUM-001")
def test_division_and_square_root_are_those_of_ieee_754_where_python_raises():
    inf = math.inf
    quotients = [(1.0, 0.0, inf), (-1.0, 0.0, -inf), (1.0, -0.0, -inf), (-inf, -0.0, inf), (3.0, 2.0, 1.5)]
    assert [arithmetic.divide(a, b) for a, b, _ in quotients] == [result for *_, result in quotients]
    assert all(math.isnan(arithmetic.divide(a, b)) for a in (0.0, -0.0, math.nan) for b in (0.0, -0.0))
    assert [arithmetic.square_root(x) for x in (2.25, inf)] == [1.5, inf]
    assert math.copysign(1.0, arithmetic.square_root(-0.0)) == -1.0
    assert all(math.isnan(arithmetic.square_root(x)) for x in (-TINY, -inf, math.nan))


class Scripted(Generator):
    """Draws what it is told to."""

    def __init__(self, draws):
        super().__init__(0)
        self.draws = draws

    def next(self):
        return self.draws.pop(0)


@pytest.mark.req("RW-GEN-003")
def test_the_least_draw_that_is_accepted_is_2_to_the_64_mod_n():
    """2^64 mod 5 is 1 and 2^64 mod 6 is 4; the tables hold no draw just at this end."""
    assert [Scripted([0, 1, 8]).below(5), Scripted([3, 4, 9]).below(6), Scripted([0, 9]).below(8)] == [1, 4, 0]


@pytest.mark.req("RW-MODEL-003")
def test_a_draw_equal_to_the_probability_keeps_the_unit():
    network = Network([[1.0] * 3, [0.0] * 3, [1.0] * 3, [0.0]], dropout=0.25)
    draws = [2**62 - 2**11, 2**62, 2**64 - 1]  # as units: just below 0.25, 0.25, just below 1.0
    gradients = zeros(network.values)
    network.train_on([Sample((1.0,), 0.0)], 1, Scripted(draws), gradients)
    assert [value != 0.0 for value in gradients[1]] == [False, True, True]


@pytest.mark.req("RW-MODEL-002", "RW-MODEL-005")
def test_a_unit_at_zero_is_not_active():
    network = Network([[1.0, -1.0], [0.0], [1.0], [0.5]], dropout=0.0)
    gradients = zeros(network.values)
    network.train_on([Sample((0.5, 0.5), 0.0)], 1, Scripted([0]), gradients)
    assert gradients == [[0.0, 0.0], [0.0], [0.0], [1.0]]


def test_the_count_of_samples_wraps_as_an_int64_does():
    assert [from_counter(to_counter(count)) for count in (-1, 2**63 - 1, 2**63)] == [-1, 2**63 - 1, -(2**63)]


# -- windows, epochs and schedulers -----------------------------------------------------------------------------------


@pytest.mark.req("RW-ACC-001", "TR-LOOP-001", "TR-LOOP-011", "CB-METRIC-010")
def test_steps_count_windows_and_the_last_batch_of_an_epoch_ends_one():
    seen = []

    class Counting(BaseCallback):
        def on_batch_end(self, context):
            progress = context.progress
            seen.append((progress.batch_in_epoch, progress.global_step, context.metrics["train_loss_step"].step))

    Trainer(ReferenceWorkload(WorkloadSettings(accumulate=4)), max_epochs=2, callbacks=[Counting()]).fit()
    first = [(1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 1, 1), (5, 1, 1), (6, 2, 2)]
    assert seen == first + [(batch, step + 2, measured + 2) for batch, step, measured in first]


@pytest.mark.req("RW-SCHED-003")
def test_a_plateau_takes_no_nan_for_its_best():
    plateau = Plateau(WorkloadSettings(scheduler="plateau", patience=1, cooldown=0))
    rates = [plateau.after_epoch(1.0, {"val_loss": value}) for value in (math.nan, math.inf, math.nan, math.nan)]
    assert (rates, plateau.best) == ([1.0, 1.0, 1.0, 0.5], math.inf)


@pytest.mark.req("TR-SET-001", "TR-LOOP-010")
@pytest.mark.parametrize("name", ["max_epochs", "validate_every"])
@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", None])
def test_settings_of_the_trainer_that_are_no_count_are_refused(name, value):
    with pytest.raises(ConfigError) as caught:
        Trainer(ReferenceWorkload(), **{"max_epochs": 1, name: value})
    assert caught.value.code == "invalid_setting"
    assert caught.value.message.startswith(f"{name}: {value!r}; expected ")


@pytest.mark.req("TR-LOOP-010", "CB-HOOK-007")
@pytest.mark.parametrize(("samples", "validated"), [(6, [3, 6]), (0, [])])
def test_validation_is_due_after_every_so_many_epochs_where_there_are_samples(samples, validated):
    seen = []

    class Validations(BaseCallback):
        def on_validation_start(self, context):
            seen.append(("start", context.progress.epoch + 1))

        def on_validation_end(self, context):
            seen.append(("end", context.progress.epoch + 1))

    workload = ReferenceWorkload(WorkloadSettings(validation_samples=samples))
    Trainer(workload, max_epochs=7, validate_every=3, callbacks=[Validations()]).fit()
    assert seen == [(moment, epoch) for epoch in validated for moment in ("start", "end")]


# -- what is told about it --------------------------------------------------------------------------------------------


@pytest.mark.req("TR-STATE-008", "TR-STATE-009", "RW-STATE-007")
def test_the_fingerprint_is_that_of_bytes_written_by_hand():
    """One feature, one hidden unit; msgpack by its opcodes: 93 array of 3, 83 map of 3, a6 str of 6 bytes, c3 true."""
    names = [b"\xablayer1.bias", b"\xadlayer1.weight", b"\xablayer2.bias", b"\xadlayer2.weight"]
    modules = b"\x83\xa0\xb0ReferenceNetwork\xa6layer1\xa6Linear\xa6layer2\xa6Linear"
    trainable = b"\x84" + b"".join(name + b"\xc3" for name in names)
    vector, matrix = b"\x92\xa7float64\x01", b"\x93\xa7float64\x01\x01"
    shapes = b"\x85" + b"".join(name + form for name, form in zip(names, [vector, matrix] * 2, strict=True))
    expected = xxhash.xxh64_hexdigest(b"\x93" + modules + trainable + shapes + b"\xa4seen\x91\xa5int64", seed=0)
    described = ReferenceWorkload(WorkloadSettings(features=1, hidden=1)).architecture()
    assert described == {
        "modules": {"": "ReferenceNetwork", "layer1": "Linear", "layer2": "Linear"},
        "trainable": dict.fromkeys(("layer1.weight", "layer1.bias", "layer2.weight", "layer2.bias"), True),
        "parameter_count": 4,
        "fingerprint": expected,
    }


@pytest.mark.req("TR-STATE-009")
def test_the_fingerprint_depends_on_every_part_and_not_on_the_order_of_names():
    def fingerprint(**parts):
        whole = {"modules": {"": "A", "b": "B"}, "trainable": {"b.x": True, "b.é": True}, "parameter_count": 3}
        described = architecture.describe(**{**whole, "shapes": {"b.x": ("float32", 1), "b.é": ("int8", 2)}, **parts})
        return described["fingerprint"]

    known = fingerprint()
    assert fingerprint(modules={"b": "B", "": "A"}, shapes={"b.é": ("int8", 2), "b.x": ("float32", 1)}) == known
    others = [
        fingerprint(modules={"": "A", "b": "C"}),
        fingerprint(trainable={"b.x": True, "b.é": False}),
        fingerprint(shapes={"b.x": ("float32", 1), "b.é": ("int8", 2, 1)}),
        fingerprint(shapes={"b.x": ("float64", 1), "b.é": ("int8", 2)}),
    ]
    assert len({known, *others}) == 5


def test_importing_the_workload_and_the_loop_does_not_import_torch():
    modules = "tenuto.reference.workload, tenuto.reference.trainer.loop, tenuto.callbacks"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("False\n", "")
