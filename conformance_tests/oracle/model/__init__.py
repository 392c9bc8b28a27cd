"""The oracle of scenarios: foretells from the text alone what a scripted training leads to.

It trains the reference workload of the oracle, calls hooks that do nothing but note, and keeps a folder that is a
map of names. What the text leaves free, or does not say, is not foretold: `UnforeseenError`.

Spec: 10-callbacks.md, 20-checkpoint-callback.md, 30-trainer.md, 35-failure-contract.md, 95-scenarios.md.
"""

from tenuto.conformance_tests.oracle.model.errors import UnforeseenError
from tenuto.conformance_tests.oracle.model.foretelling import Attempt, Foretold, foretell

__all__ = ["Attempt", "Foretold", "UnforeseenError", "foretell"]
