"""Says of a monitor that nobody measures: once, or by failing the run."""

from __future__ import annotations

import logging

from tenuto.callbacks.policies.monitors import MonitorSettings
from tenuto.reference.errors import ConfigError
from tenuto.reference.events.contexts import EpochEnd

__all__ = ["MissingMonitors"]

_log = logging.getLogger("tenuto")


class MissingMonitors:
    """Looks for the monitors among the metrics.

    Args:
        monitors: Which are waited for.
        strict: Whether a missing one fails the run.

    Spec: CPC-BEST-007.
    """

    def __init__(self, monitors: tuple[MonitorSettings, ...], *, strict: bool) -> None:
        self._monitors, self._strict = monitors, strict
        self._warned: set[str] = set()

    def start(self) -> None:
        """Begins an attempt, in which each is warned of again."""
        self._warned.clear()

    def look(self, context: EpochEnd) -> None:
        """Warns of a monitor that has not been measured by the end of an epoch.

        Raises:
            ConfigError: `monitor_missing`.
        """
        if not context.measured:
            return
        for monitor in (one.monitor for one in self._monitors if one.monitor not in context.metrics):
            known = ", ".join(sorted(context.metrics)) or "none"
            message = f"monitor: {monitor!r}; expected one of the metrics measured: {known}"
            if self._strict:
                raise ConfigError("monitor_missing", message)
            if monitor not in self._warned:
                _log.warning("%s; no best checkpoint is kept", message)
                self._warned.add(monitor)
