"""The reference workload: a tiny training, the same in every port to the last bit. Works without torch."""

from tenuto.reference.workload.reference import ReferenceWorkload
from tenuto.reference.workload.settings import WorkloadSettings

__all__ = ["ReferenceWorkload", "WorkloadSettings"]
