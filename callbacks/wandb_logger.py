"""Every metric in a run of Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from tenuto.callbacks.metric_logger import MetricLogger
from tenuto.callbacks.optional_packages import load_package
from tenuto.reference.checkpoint.storage import PosixStorage
from tenuto.reference.errors import ConfigError
from tenuto.reference.events.contexts import Context, Metric, TrainStart

__all__ = ["WandbLogger"]

WandbMode = Literal["online", "offline"]
_STEP: Final = "global_step"  # W&B counts calls of its own; a resumed run would go back in them, which it refuses


class WandbLogger(MetricLogger):
    """Logs to Weights & Biases, under `global_step`.

    All attempts of a run are one run of W&B, by its `run_id`. It needs the extra `wandb`, and an account unless `mode`
    is `offline`; `wandb sync FOLDER` sends what was logged offline.

    Example:
        `tenuto.WandbLogger("digits", folder="runs/a", mode="offline")`

    Args:
        project: Name of the project.
        folder: Where W&B keeps its files, made when first needed.
        name: Of the run, None for one that W&B makes up.
        mode: `online` or `offline`.
        config: Further facts about the run, shown beside it.

    Raises:
        ConfigError: `missing_package` or `invalid_setting`.

    Spec: CB-READY-001, CB-READY-002, CB-READY-012.
    """

    def __init__(
        self,
        project: str,
        *,
        folder: str | os.PathLike[str],
        name: str | None = None,
        mode: WandbMode = "online",
        config: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__()
        if mode not in get_args(WandbMode):
            raise ConfigError("invalid_setting", f"mode: {mode!r}; expected one of {', '.join(get_args(WandbMode))}")
        self._wandb = load_package("wandb", "wandb")
        self._project, self._name, self._mode, self._config = project, name, mode, dict(config or {})
        self._folder = os.path.abspath(folder)
        self._run: Any = None

    def open(self, context: TrainStart) -> None:
        """Starts the run, or goes on with it."""
        PosixStorage().make_folder(self._folder)  # W&B writes to the temporary folder of the system otherwise
        self._run = self._wandb.init(
            project=self._project,
            name=self._name,
            dir=self._folder,
            mode=self._mode,
            config=self._config,
            id=context.run.run_id,
            resume="allow",
        )
        self._run.define_metric("*", step_metric=_STEP)

    def write_values(self, values: Mapping[str, Metric], context: Context) -> None:
        """Logs the values that were measured at one step together."""
        for step in sorted({metric.step for metric in values.values()}):
            measured = {name: metric.value for name, metric in values.items() if metric.step == step}
            self._run.log({_STEP: step, **measured})

    def close(self) -> None:
        """Ends the run of W&B in this process."""
        if self._run is not None:
            run, self._run = self._run, None
            run.finish()
