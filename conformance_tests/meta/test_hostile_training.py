"""The suite finds out every adapter that spoils a training of the reference in one way, and none that does not."""

from collections.abc import Callable

import pytest

from tenuto.conformance_tests.meta.expectations import TRAINING, Expectation
from tenuto.conformance_tests.meta.observation import Observation

Observe = Callable[[Expectation], Observation]


@pytest.mark.req("CONF-PROF-001", "CONF-VERDICT-002")
def test_a_case_that_needs_a_capability_is_asked_of_a_port_that_claims_it(observed: Observe) -> None:
    """The second case shows what a port does that lacks the capability."""
    only, claims = ("SC-CB-053", "SC-CB-057"), ("callbacks",)
    observed(Expectation("honest", "PASS NOT_CLAIMED", only, claims=claims, capabilities=("signals",)))
    observed(Expectation("honest", "NOT_CLAIMED PASS", only, claims=claims))


@pytest.mark.req("CONF-VERDICT-005", "CONF-VERDICT-007", "CONF-VERDICT-002")
@pytest.mark.parametrize(
    "expectation", TRAINING, ids=[f"{one.adapter}{'-alone' * one.process_per_test}" for one in TRAINING]
)
def test_an_adapter_that_spoils_a_training(observed: Observe, expectation: Expectation) -> None:
    observed(expectation)
