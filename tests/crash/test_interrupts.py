"""Lane E: an interrupt before every opcode of the save path, real signals, and memory that runs out.

The old file is there or the new one whole, a temporary file goes with the next sweep at the latest, and no error comes
out that is not the interrupt, the lack of memory, or a refusal.
"""

import os
import random
import sys
from ast import literal_eval
from collections import Counter
from importlib.util import find_spec

import pytest

from crash.interrupting import SHELL, Interrupter, Leaks, Stage, with_a_signal, without_memory
from crash.record import Lane, conclude, sized
from tenuto.reference.errors import CheckpointError

REQUIRED = pytest.mark.req("STORE-SAVE-008", "STORE-SAVE-013", "STORE-NAME-001")
ALLOCATIONS = 4000  # more than any of the acts makes
CHANGING = ("save", "link", "copy", "delete", "sweep")


def endings(stage, act, attempts):
    """Runs attempts at an act, and returns how often each ending came, and what was wrong."""
    ended, wrong = Counter(), []
    for moment, attempt in attempts:
        stage.set()
        error = attempt(stage.acts[act])
        ended[type(error).__name__] += 1
        if error is not None and not isinstance(error, KeyboardInterrupt | MemoryError | CheckpointError):
            wrong.append(f"{act} at {moment}: {type(error).__name__}: {error}")
        wrong += [f"{act} at {moment}: {one}" for one in stage.breaches()]
    return ended, wrong


def count_of(stage, act, files):
    stage.set()
    counting = Interrupter(0, files)
    assert counting.run(stage.acts[act]) is None
    return counting.count


@REQUIRED
@pytest.mark.skipif(sys.gettrace() is not None, reason="another tracer is at work")
def test_an_interrupt_at_every_opcode(tmp_path, record_property):
    stage, leaks, ended, wrong = Stage(tmp_path), Leaks(), Counter(), []
    files = sized(SHELL, None)  # the long size has the opcodes of what computes, too
    for act in CHANGING:
        points = range(1, count_of(stage, act, files) + 1)
        attempts = ((at, Interrupter(at, files).run) for at in points)
        found, breaches = endings(stage, act, attempts)
        ended, wrong = ended + found, wrong + breaches
        leaks.mend()
    assert wrong[:10] == []
    assert ended["KeyboardInterrupt"] > 0.99 * ended.total()
    record_property("handles left open", leaks.count)
    conclude(Lane("E opcodes", ended.total(), ended.total(), 0, len(wrong), sized(2_000, 12_000)), record_property)


# In a callback of the collector, which is another tool's, or in a finalizer the interpreter drops an interrupt.
@REQUIRED
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_real_signal_at_any_moment(tmp_path, record_property):
    stage, leaks, chance, ended, wrong = Stage(tmp_path), Leaks(), random.Random(7), Counter(), []
    for act in CHANGING:
        moments = [chance.uniform(1e-6, 2e-3 if act == "save" else 3e-4) for _ in range(sized(300, 10_000))]
        attempts = ((f"{at:.6f} s", lambda do, at=at: with_a_signal(do, at)) for at in moments)
        found, breaches = endings(stage, act, attempts)
        ended, wrong = ended + found, wrong + breaches
        leaks.mend()
    assert wrong[:10] == []
    assert ended["KeyboardInterrupt"] > 0.05 * ended.total()
    conclude(Lane("E signals", ended.total(), ended.total(), 0, len(wrong), sized(1_500, 50_000)), record_property)


def lacking(folder, act, step, writing):
    """In a process of its own: allocations of an act fail in turn, each alone, and each with the seven after it.

    With all that follow failing too, the interpreter itself may try for ever to make the error that says so.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what the interpreter says of errors in finalizers
    stage, leaks, ended, wrong = Stage(folder), Leaks(), Counter(), []

    def attempts(numbers, count):
        for first in numbers:
            yield first, lambda do, first=first: without_memory(do, first, first + count)
            leaks.mend()

    for count in (1, 8):
        found, breaches = endings(stage, act, attempts(range(1, ALLOCATIONS, step), count))
        ended, wrong = ended + found, wrong + breaches
    beyond, _ = endings(stage, act, attempts(range(ALLOCATIONS, ALLOCATIONS + 100), 1))
    if beyond["MemoryError"]:
        wrong.append(f"{act}: more than {ALLOCATIONS} allocations: the test has to go on")
    os.write(writing, repr((dict(ended), wrong[:5])).encode())


@REQUIRED
@pytest.mark.req("CKPT-READ-005")
def test_memory_that_runs_out_at_every_allocation(tmp_path, record_property):
    if find_spec("_testcapi") is None:
        lane = Lane("E allocations", 0, 0, 1, 0, 0, "this interpreter cannot make allocations fail")
        conclude(lane, record_property)
        pytest.skip(lane.reason)
    ended, wrong = Counter(), []
    for act in (*CHANGING, "encode", "load", "verify", "ledger"):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(reading)
                lacking(tmp_path / act, act, sized(29, 1), writing)
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        found, breaches = literal_eval(told.decode()) if told else ({}, [f"{act}: the process ended with {code}"])
        ended, wrong = ended + Counter(found), wrong + breaches
    assert wrong[:10] == []
    assert ended["MemoryError"] > 300
    conclude(Lane("E allocations", ended.total(), ended.total(), 0, len(wrong), sized(1_000, 8_000)), record_property)
