"""Wrong readings of the text, each of which a law or a known answer has to notice.

The functions with a fault stand in for one function of the oracle each.

Spec: RW-KAT-001.
"""

from tenuto.conformance_tests.oracle.workload.faults import computing, drawing, keeping, updating
from tenuto.conformance_tests.oracle.workload.faults.fault import Fault

__all__ = ["FAULTS", "Fault"]

FAULTS = {fault.id: fault for part in (drawing, computing, updating, keeping) for fault in part.FAULTS}
