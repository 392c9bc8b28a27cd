"""Asks the cases of a plan of one or more processes of an adapter at once, and answers in the order of the plan.

Spec: CONF-VERDICT-005.
"""

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from attrs import Factory, evolve, frozen

from tenuto.conformance_tests.cases import Case, SuiteError
from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.limits import Deadlines, Limits
from tenuto.conformance_tests.order import opens, shares
from tenuto.conformance_tests.port import Port
from tenuto.conformance_tests.session import Session, opened

DEATHS_MAX = 10  # of CONF-VERDICT-005


@frozen
class Terms:
    """What a port gets to answer with.

    Attributes:
        deadlines: before `timeout_scale`.
        limits: of each process.
        jobs: how many processes of the adapter answer at once.
        process_per_test: whether each case is also asked of a process that is asked nothing else.
    """

    deadlines: Deadlines = Factory(Deadlines)
    limits: Limits = Factory(Limits)
    jobs: int = 1
    process_per_test: bool = False


@frozen
class Asked:
    """What came of a case.

    Attributes:
        judgement: of a process that may have answered other cases before.
        seconds: how long that took.
        died: whether the adapter was lost over it.
        noise: lines of stdout that were no replies.
        alone: the judgement of a process that was asked nothing else, if there was one.
    """

    case: Case
    judgement: Judgement
    seconds: float
    died: bool
    noise: int
    alone: Judgement | None = None


def ask_alone(port: Port, case: Case, terms: Terms) -> Judgement:
    """Ask a case of a process of its own."""
    with opened(port, terms.deadlines, terms.limits) as session:
        return _judge(session, case)


def ask_all(port: Port, cases: Sequence[Case], terms: Terms) -> Generator[Asked]:
    """Ask all cases; ends early, and lets no process go on, if the caller closes the iterator."""
    groups = shares(cases)
    queues: list[SimpleQueue[Asked | BaseException]] = [SimpleQueue() for _ in groups]
    ended = threading.Event()
    with ThreadPoolExecutor(terms.jobs) as workers:
        for group, queue in zip(groups, queues, strict=True):
            workers.submit(_ask_group, port, group, terms, queue, ended)
        try:
            for group, queue in zip(groups, queues, strict=True):
                for _ in group:
                    yield _taken(queue)
        finally:
            ended.set()
            workers.shutdown(cancel_futures=True)


def _taken(queue: "SimpleQueue[Asked | BaseException]") -> Asked:
    found = queue.get()
    if isinstance(found, BaseException):
        raise found
    return found


def _ask_group(
    port: Port, group: Sequence[Case], terms: Terms, queue: "SimpleQueue[Asked | BaseException]", ended: threading.Event
) -> None:
    """The cases of one session; what is wrong on our side is raised where the answers are waited for."""
    try:
        for asked in _in_turn(port, group, terms, ended):
            queue.put(asked)
        queue.put(SuiteError("no further answers; expected one for each case that is waited for"))
    except BaseException as error:  # noqa: BLE001 - in a thread nobody would see it
        queue.put(error)


def _in_turn(port: Port, group: Sequence[Case], terms: Terms, ended: threading.Event) -> Iterator[Asked]:
    """The cases of one session, as far as any answer can matter."""
    with opened(port, terms.deadlines, terms.limits, ended) as session:
        for case in group:
            if ended.is_set() or session.deaths >= DEATHS_MAX:
                return
            asked = ask(session, case)
            yield evolve(asked, alone=ask_alone(port, case, terms)) if terms.process_per_test else asked
            if opens(case) and asked.judgement.verdict is not Verdict.PASS:
                return


def ask(session: Session, case: Case) -> Asked:
    """Ask a case of a process that may have answered others."""
    start, deaths, noise = time.monotonic(), session.deaths, session.noise
    judgement = _judge(session, case)
    seconds = time.monotonic() - start
    return Asked(case, judgement, seconds, session.deaths > deaths, session.noise - noise)


def _judge(session: Session, case: Case) -> Judgement:
    """One case; what goes wrong on our side is never blamed on the port, now or with the next case."""
    try:
        return session.run(case.task)
    except Exception as error:  # noqa: BLE001 - whatever it is, the next case is still run
        session.stop()
        return Judgement(Verdict.SUITE_ERROR, f"{type(error).__name__}: {error}")
