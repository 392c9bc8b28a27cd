"""Wrong readings of the text, each of which a law of the model has to notice.

The functions with a fault stand in for one function of the model each.

Spec: 10-callbacks.md, 20-checkpoint-callback.md, 30-trainer.md, 35-failure-contract.md.
"""

from tenuto.conformance_tests.oracle.model.faults import deciding, keeping, looping, resuming, saving
from tenuto.conformance_tests.oracle.workload.faults.fault import Fault

__all__ = ["FAULTS", "Fault"]

FAULTS = {fault.id: fault for part in (deciding, keeping, looping, saving, resuming) for fault in part.FAULTS}
