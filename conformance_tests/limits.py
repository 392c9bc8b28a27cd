"""What a process of an adapter may take of time and machine, so that a port at fault harms only its own verdicts.

The limits hold for each process that the adapter starts as well. They are set where the system can set them for a
running process, which is Linux; elsewhere deadlines alone hold an adapter back.

Spec: CONF-VERDICT-005, and section 5 of 90-conformance.md.
"""

import contextlib
import resource

from attrs import frozen

GIB = 1 << 30


@frozen
class Deadlines:
    """Seconds to wait, before `timeout_scale`.

    Spec: section 5 of 90-conformance.md.
    """

    hello: float = 20.0
    operation: float = 10.0
    end: float = 2.0

    def scaled(self, factor: float) -> "Deadlines":
        """All of them times a factor."""
        return Deadlines(self.hello * factor, self.operation * factor, self.end * factor)


@frozen
class Limits:
    """The most that one process may take.

    Attributes:
        memory_bytes: of address space. Runtimes reserve far more of it than they use, the one of Mojo up to 4 GiB.
        open_files: at once.
        cpu_seconds: over its whole life; it ends a child that has left the process group, too.
        file_bytes: of one file that it writes.
    """

    memory_bytes: int = 8 * GIB
    open_files: int = 256
    cpu_seconds: int = 600
    file_bytes: int = GIB // 4

    def hold(self, process_id: int) -> None:
        """Set the limits of a process that was just started; one that has ended already needs none."""
        if not hasattr(resource, "prlimit"):
            return
        wanted = {
            resource.RLIMIT_AS: self.memory_bytes,
            resource.RLIMIT_NOFILE: self.open_files,
            resource.RLIMIT_CPU: self.cpu_seconds,
            resource.RLIMIT_FSIZE: self.file_bytes,
            resource.RLIMIT_CORE: 0,
        }
        with contextlib.suppress(ProcessLookupError):
            for which, most in wanted.items():
                _, ceiling = resource.prlimit(process_id, which)
                least = most if ceiling == resource.RLIM_INFINITY else min(most, ceiling)
                resource.prlimit(process_id, which, (least, least))
