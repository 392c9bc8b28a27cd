from pathlib import Path

import pytest

from tenuto.conformance_tests.asking import Terms
from tenuto.conformance_tests.cases import Case, SuiteError
from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.course import Settings
from tenuto.conformance_tests.judge import Verdict
from tenuto.conformance_tests.meta.ports import hostile
from tenuto.conformance_tests.order import SHARED_CASES, arrange, opens, shares
from tenuto.conformance_tests.plan import all_cases
from tenuto.conformance_tests.port import read_port
from tenuto.conformance_tests.runner import run
from tenuto.conformance_tests.selection import UsageError, choose


@pytest.fixture(scope="module")
def every_case() -> list[Case]:
    return all_cases(spec_folder())


def ids(cases: list[Case]) -> list[str]:
    return [case.id for case in cases]


def test_without_a_seed_the_order_is_that_of_the_suite(every_case: list[Case]) -> None:
    assert ids(arrange(every_case, None)) == ids(every_case)


def test_a_seed_decides_the_order_and_nothing_else(every_case: list[Case]) -> None:
    first, again, other = (ids(arrange(every_case, seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert sorted(first) == sorted(other) == sorted(ids(every_case))
    assert first != ids(every_case)


def test_a_part_of_the_plan_keeps_the_order_of_its_cases(every_case: list[Case]) -> None:
    part = every_case[::7]
    whole = [one for one in ids(arrange(every_case, 3)) if one in ids(part)]
    assert ids(arrange(part, 3)) == whole


@pytest.mark.req("CONF-OP-002")
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_the_adapter_itself_comes_first(every_case: list[Case], seed: int | None) -> None:
    ordered = arrange(every_case, seed)
    opening = [case for case in every_case if opens(case)]
    assert ids(opening)[:2] == ["CONF-HELLO", "CONF-ECHO-SCALARS"]
    assert ids(ordered[: len(opening)]) == ids(opening)


def test_cases_that_share_a_process() -> None:
    cases = [Case(str(number), "codec", (), "", None) for number in range(2 * SHARED_CASES + 1)]  # type: ignore[arg-type]
    assert [len(group) for group in shares(cases)] == [SHARED_CASES, SHARED_CASES, 1]
    assert [case for group in shares(cases) for case in group] == cases
    assert shares([]) == []


def test_heavy_cases_share_a_process_with_few() -> None:
    weights = [1, 1, SHARED_CASES // 2, SHARED_CASES // 2, SHARED_CASES // 2, 1, SHARED_CASES * 2, 1]
    cases = [Case(str(at), "codec", (), "", None, weight=weight) for at, weight in enumerate(weights)]  # type: ignore[arg-type]
    assert [[case.weight for case in group] for group in shares(cases)] == [weights[:4], weights[4:7], weights[7:]]


def test_the_cases_of_many_runs_are_heavy(every_case: list[Case]) -> None:
    heavy = {case.id.partition("/")[0] for case in every_case if case.weight > 1}
    assert heavy == {"SC-MONITORS", "SC-SELECTION"}


@pytest.mark.parametrize("seed", [2, 5])
def test_verdicts_do_not_depend_on_how_many_are_asked_at_once(
    tmp_path: Path, every_case: list[Case], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The adapter answers every file with what it saw first, so its verdicts tell which cases shared a process."""
    monkeypatch.setattr("tenuto.conformance_tests.order.SHARED_CASES", 3)
    port = read_port(hostile(tmp_path, "remembers"))
    plan = choose(every_case, None, ["CONF-HELLO", "CKPT-I-00[12]", "CKPT-I-05[0-3]", "CKPT-I-01[01]"])
    found = []
    for jobs in (1, 4):
        results, _ = run(port, plan, every_case, tmp_path / "r", Settings(Terms(jobs=jobs), seed))
        found.append([(result.case.id, result.verdict) for result in results])
    assert found[0] == found[1]
    assert {Verdict.PASS, Verdict.FAIL, Verdict.FLAKY} == {verdict for _, verdict in found[0]}
    assert [identity for identity, _ in found[0]] == ids(arrange(plan, seed))


def test_a_fault_of_ours_in_a_worker_is_not_lost(tmp_path: Path, every_case: list[Case]) -> None:
    port = read_port(hostile(tmp_path, "canned_error"))

    def told(_: object) -> None:
        raise SuiteError("the report is at fault")

    plan = choose(every_case, None, ["CKPT-I-0*"])
    with pytest.raises(SuiteError, match="the report"):
        run(port, plan, every_case, tmp_path / "r", Settings(Terms(jobs=3)), told)


@pytest.mark.req("CONF-VERDICT-003")
def test_filters_name_cases_vectors_requirements_and_patterns(every_case: list[Case]) -> None:
    def chosen(*filters: str, profile: str | None = None) -> list[str]:
        return ids(choose(every_case, profile, filters))

    assert chosen("CKPT-V-001")[:2] == ["CKPT-V-001/decode", "CKPT-V-001/recode"]
    assert chosen("CKPT-V-001/recode", "CONF-BYE") == ["CKPT-V-001/recode", "CONF-BYE"]
    assert chosen("CKPT-V-00[12]/decode") == ["CKPT-V-001/decode", "CKPT-V-002/decode"]
    assert chosen("CKPT-V-001", profile="codec-read") == ["CKPT-V-001/decode"]
    assert chosen("CONF-OP-005") == ["CONF-END-OF-INPUT", "CONF-BYE"]
    # A pattern of ids of cases is not one of requirements as well, which nearly every case would fit.
    assert set(chosen("CONF-*")) == {case.id for case in every_case if case.id.startswith("CONF-")}
    canonical = {case.id for case in every_case if any(one.startswith("CKPT-CANON-") for one in case.req)}
    assert set(chosen("CKPT-CANON-*")) == canonical
    assert ids(choose(every_case, "codec-read", [])) == [case.id for case in every_case if case.profile == "codec-read"]
    for profile, filters in (
        ("codecs", []),
        (None, ["C"]),
        (None, ["CKPT-V-001", "C"]),
        ("codec-read", ["CKPT-V-001/recode"]),
    ):
        with pytest.raises(UsageError):
            choose(every_case, profile, filters)
