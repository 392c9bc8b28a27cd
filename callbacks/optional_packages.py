"""Packages that only some callbacks need, loaded when such a callback is made."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tenuto.reference.errors import ConfigError

__all__ = ["load_package"]


def load_package(module: str, extra: str) -> Any:  # noqa: ANN401 - a module of a package that may not be there
    """Imports a module.

    Args:
        module: Its full name.
        extra: The extra of tenuto that brings its package.

    Raises:
        ConfigError: `missing_package`.

    Spec: CB-READY-012.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        message = f"module {module}: {error}; expected it, which `pip install 'tenuto[{extra}]'` brings"
        raise ConfigError("missing_package", message) from error
