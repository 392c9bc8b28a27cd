"""What each hostile adapter deserves: its exact verdicts, and how often it has to be started.

No adapter but those that train can read files, so `FAIL` is the right verdict of a file that one was asked about in
good order.
"""

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from tenuto.conformance_tests.limits import Deadlines

# In the order of the plan: the greeting and one echo, which have a process of their own; an empty file, a file without
# the magic, the smallest file decoded and recoded, the end.
V_001 = "CKPT-V-001/[dr]ecode"
ALL = ("CONF-HELLO", "CONF-ECHO-SCALARS", "CKPT-I-001", "CKPT-I-050", V_001, "CONF-BYE")
FILES = ("CKPT-I-001", "CKPT-I-050", V_001)
TWO_FILES = ("CKPT-I-001", "CKPT-V-001/recode")
UNASKED = "UNCOVERED UNCOVERED UNCOVERED UNCOVERED UNCOVERED"
PATIENT = Deadlines()
IMPATIENT = Deadlines(hello=20, operation=1, end=1)
HASTY = Deadlines(hello=20, operation=4, end=1)  # time enough for the reference behind an adapter to start


@frozen
class Expectation:
    """A hostile adapter with what it deserves.

    Attributes:
        adapter: its name.
        verdicts: of the cases, in the order of the plan.
        only: which cases it is asked; ids of cases or vectors.
        starts: how many processes it takes, those for asking again among them; None where that is of no interest.
        deadlines: how long is waited.
        process_per_test: whether each case is asked of a fresh process as well.
        claims, capabilities: what its port.toml says.
    """

    adapter: str
    verdicts: str
    only: Sequence[str] = ALL
    starts: int | None = None
    deadlines: Deadlines = PATIENT
    process_per_test: bool = False
    claims: Sequence[str] = ("codec-read", "codec")
    capabilities: Sequence[str] = ()


ENDS = [
    # A process answers two requests and dies of the third. Asked again in a fresh one it answers, and is found out.
    Expectation("crashes", "PASS PASS FAIL FLAKY FAIL FLAKY PASS"),
    Expectation("exits_early", "PASS PASS FAIL FLAKY FAIL FLAKY PASS"),
    # Two for the greeting, one for each file, two to ask again about each, and one for the end.
    Expectation("crashes_on_files", "PASS PASS CRASH CRASH CRASH CRASH PASS", starts=14),
    # A crash is never a rejection, though the file was to be rejected.
    Expectation("refuses_by_crashing", "PASS PASS CRASH FAIL FAIL FAIL PASS"),
    Expectation("exits_after_hello", "PASS CRASH", only=("CONF-HELLO", "CKPT-I-001")),
    Expectation("stays", "FAIL TIMEOUT", only=("CKPT-I-001", "CONF-BYE"), deadlines=IMPATIENT),
    Expectation("outlives_its_input", "TIMEOUT PASS", only=("CONF-END-OF-INPUT", "CONF-BYE"), deadlines=IMPATIENT),
    Expectation("ends_badly", "PASS FAIL", only=("CONF-HELLO", "CONF-BYE")),
    Expectation("dies_at_the_end", "PASS CRASH", only=("CONF-HELLO", "CONF-BYE")),
]
SILENCE = [
    # A late answer is asked for once more, not twice.
    Expectation("hangs", "PASS PASS TIMEOUT TIMEOUT PASS", (*ALL[:3], "CKPT-I-050", "CONF-BYE"), 6, IMPATIENT),
    Expectation("hangs_at_once", f"TIMEOUT UNCOVERED {UNASKED}", starts=2, deadlines=Deadlines(1, 1, 1)),
    Expectation("stops_itself", "TIMEOUT", only=("CKPT-I-001",), deadlines=IMPATIENT),
    Expectation("closes_its_output", "CRASH", only=("CKPT-I-001",)),
    # It always answers `bad_magic`: right for one file, and right in the midst of noise.
    Expectation("prints_noise", "PASS PASS FAIL PASS FAIL FAIL PASS"),
    Expectation("prints_garbage", "TIMEOUT", only=("CKPT-I-001",), deadlines=IMPATIENT),
    Expectation("forgets_prefix", "TIMEOUT", only=("CKPT-I-001",), deadlines=IMPATIENT),
    Expectation("forgets_flush", "TIMEOUT TIMEOUT", only=TWO_FILES, deadlines=IMPATIENT),
    Expectation("floods", "TIMEOUT", only=("CKPT-I-001",), deadlines=IMPATIENT),
    Expectation("floods_stderr", "TIMEOUT", only=("CKPT-I-001",), deadlines=IMPATIENT),
    Expectation("floods_reply", "PROTOCOL PROTOCOL", only=TWO_FILES),
]
FORMS = [
    Expectation("breaks_json", "PROTOCOL PROTOCOL", only=TWO_FILES),
    Expectation("says_null", "PROTOCOL PROTOCOL", only=TWO_FILES),
    Expectation("says_it_twice", "PROTOCOL PROTOCOL", only=TWO_FILES),
    Expectation("says_no_object", "PROTOCOL PROTOCOL", only=TWO_FILES),
    Expectation("says_more_than_an_object", "PROTOCOL PROTOCOL", only=TWO_FILES),
    Expectation("says_no_utf8", "PROTOCOL PROTOCOL", only=TWO_FILES),
    # Out of words, not out of step: the process goes on, so there are one, and two for each file to ask again.
    Expectation("own_reply", "PROTOCOL PROTOCOL", TWO_FILES, 5),
    Expectation("own_words", "PROTOCOL PROTOCOL", TWO_FILES, 5),
    Expectation("wrong_nonce", f"PROTOCOL UNCOVERED {UNASKED}", starts=3),
    Expectation("wrong_id", "PASS PASS PROTOCOL PROTOCOL PROTOCOL PROTOCOL PASS"),
    Expectation("answers_twice", f"PASS PROTOCOL {UNASKED}"),
    Expectation("answers_unasked", f"PROTOCOL UNCOVERED {UNASKED}"),
]
LIES = [
    Expectation("canned_ok", "PASS PASS FAIL FAIL FAIL FAIL PASS"),
    # Copying the input is the right answer for a canonical file, and for nothing else.
    Expectation("canned_file", "PASS PASS FAIL FAIL FAIL PASS PASS"),
    Expectation("canned_error", "PASS PASS FAIL PASS FAIL FAIL PASS"),
    Expectation("wrong_phase", "PASS PASS FAIL FAIL FAIL FAIL PASS"),
    Expectation("claims_too_much", "PASS PASS NOT_TESTABLE NOT_TESTABLE NOT_TESTABLE NOT_TESTABLE PASS"),
    Expectation("boasts", f"FAIL UNCOVERED {UNASKED}"),
    Expectation("damages_numbers", f"PASS FAIL {UNASKED}"),
    Expectation("nests_deeply", "PROTOCOL PROTOCOL", only=("CKPT-V-001/decode", "CKPT-V-002/decode")),
    Expectation("writes_no_file", "FAIL FAIL", only=(V_001,)),
    Expectation("writes_beside", "FAIL FAIL", only=(V_001,)),
    Expectation("removes_sandbox", "FAIL FAIL FAIL FAIL", only=FILES),
    # Right alone, wrong after another file: asking again shows another verdict, and so does the other way of asking.
    Expectation("remembers", "PASS FLAKY", only=("CKPT-I-001", "CKPT-I-050")),
    Expectation("remembers", "PASS FAIL", only=("CKPT-I-001", "CKPT-I-050"), process_per_test=True),
    Expectation("counts_on_chance", "FLAKY", only=("CKPT-I-001",)),
    Expectation("counts_on_chance", "FLAKY", only=("CKPT-I-001",), process_per_test=True),
]
MACHINE = [
    Expectation("eats_memory", "CRASH CRASH", only=TWO_FILES),
    Expectation("opens_too_many_files", "CRASH CRASH", only=TWO_FILES),
    Expectation("fills_the_disk", "FAIL", only=("CKPT-V-001/recode",)),
    Expectation("writes_a_hole", "PROTOCOL FAIL", only=(V_001,)),
    Expectation("spins", "TIMEOUT", only=("CKPT-I-001",), deadlines=IMPATIENT),
    Expectation("leaves_a_child", "CRASH", only=("CKPT-I-001",)),
    Expectation("leaves_a_child_of_another_group", "CRASH", only=("CKPT-I-001",)),
]

# Two documents to encode, a run of two epochs, one of windows, one that saves, one that is extended.
TRAININGS = ("CKPT-V-00[12]/encode", "SC-CB-00[12]", "SC-CPC-001", "SC-TR-001")
ONE = ("CKPT-V-001/encode", "SC-CB-001")
_CLAIMED = ("resume",)


def _training(adapter: str, verdicts: str, only: Sequence[str] = TRAININGS, **more: Any) -> Expectation:
    return Expectation(adapter, verdicts, only, claims=_CLAIMED, **more)


TRAINING = [
    _training("honest", "PASS PASS PASS PASS PASS PASS"),
    # Right once, for the training that the events are of.
    _training("canned_events", "PASS FAIL", only=("SC-CB-00[12]",), process_per_test=True),
    _training("canned_events", "PASS FLAKY", only=("SC-CB-00[12]",)),
    _training("events_in_another_order", "PASS FAIL", only=ONE),
    _training("events_cut_short", "PASS FAIL", only=ONE),
    _training("last_event_lost", "PASS FAIL", only=ONE),
    _training("event_told_twice", "PASS FAIL", only=ONE),
    _training("events_with_numbers", "PROTOCOL", only=("SC-CB-001",)),
    _training("events_missing", "FAIL FAIL", only=("SC-CB-001", "SC-CPC-001")),
    _training("events_without_end", "FAIL", only=("SC-CB-001",)),
    _training("answers_too_early", "FAIL FAIL", only=("SC-CB-001", "SC-CPC-001")),
    _training("claims_to_train", "NOT_TESTABLE NOT_TESTABLE", only=ONE),
    _training("lacks_a_capability", "NOT_TESTABLE", only=("SC-CB-001",), capabilities=("signals",)),
    _training("says_other_progress", "PASS FAIL", only=ONE),
    _training("refuses_to_train", "PASS FAIL", only=ONE),
    # Nothing of a run that saves nothing is missing.
    _training("checkpoints_missing", "PASS FAIL", only=("SC-CB-001", "SC-CPC-001")),
    _training("checkpoints_spoiled", "PASS FAIL", only=("SC-CB-001", "SC-CPC-001")),
    _training("writes_outside", "FAIL FAIL FAIL", only=("SC-CB-001", "SC-CPC-001", "SC-TR-001")),
    _training("leaves_a_temporary_file", "PASS FAIL FAIL", only=("SC-CB-001", "SC-CPC-001", "SC-TR-001")),
    _training("deletes_its_sandbox", "FAIL FAIL", only=("SC-CB-001", "SC-CPC-001")),
    # What a port believes of its folder is a matter of resuming.
    _training("lists_nothing", "PASS PASS FAIL", only=("SC-CB-001", "SC-CPC-001", "SC-TR-001")),
    _training("encodes_one_file", "PASS FLAKY", only=("CKPT-V-00[12]/encode",)),
    _training("encodes_one_file", "PASS FAIL", only=("CKPT-V-00[12]/encode",), process_per_test=True),
    _training("hangs_in_the_third_run", "PASS PASS FLAKY", only=("SC-CB-00[123]",), deadlines=HASTY),
    _training("crashes_in_restore", "PASS PASS CRASH", only=("SC-CB-001", "SC-CPC-001", "SC-TR-001")),
    _training("starts_anew", "PASS PASS FAIL", only=("SC-CB-001", "SC-CPC-001", "SC-TR-001")),
    _training("changes_its_working_folder", "PASS FLAKY", only=("SC-CPC-00[12]",)),
    _training("changes_its_working_folder", "PASS FAIL", only=("SC-CPC-00[12]",), process_per_test=True),
    _training("keeps_stdout_open", "CRASH CRASH", only=("SC-CB-001", "SC-CPC-001")),
]
EXPECTATIONS = [*ENDS, *SILENCE, *FORMS, *LIES, *MACHINE, *TRAINING]
