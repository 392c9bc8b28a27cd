"""For callbacks that only tell: what fails there is logged once and never ends a training."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ParamSpec

__all__ = ["BestEffort"]

_log = logging.getLogger("tenuto")
_Arguments = ParamSpec("_Arguments")


class BestEffort:
    """Runs the actions of one callback until the first one fails.

    A signal is no failure of the callback: what is no `Exception` goes through.

    Args:
        owner: Name of the callback, for the log.

    Spec: CB-READY-001.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._failed = False

    def begin(self) -> None:
        """Starts an attempt: what failed in an earlier one is tried again."""
        self._failed = False

    def run(
        self, action: Callable[_Arguments, None], *arguments: _Arguments.args, **keywords: _Arguments.kwargs
    ) -> None:
        """Does something, unless something has failed before."""
        if not self._failed:
            self.finish(action, *arguments, **keywords)

    def finish(
        self, action: Callable[_Arguments, None], *arguments: _Arguments.args, **keywords: _Arguments.kwargs
    ) -> None:
        """Does something whatever has failed before, such as closing a file; only the first failure is logged."""
        try:
            action(*arguments, **keywords)
        except Exception as error:  # noqa: BLE001 - the contract: whatever it is, training goes on
            if not self._failed:
                _log.error(
                    "%s: %s: %s; it is switched off until the attempt ends", self._owner, type(error).__name__, error
                )
            self._failed = True
