"""Saving from a loop of one's own: the best by each metric, and whatever else the loop asks for."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import evolve

from tenuto.callbacks.own_loop_configs import (
    EXPORTS,
    CheckpointConfig,
    SaveRule,
    has_known_suffix,
    read_configs,
    stamped_name,
)
from tenuto.callbacks.own_loop_metadata import STATE_KEY, Facts, identity_in, make_metadata, own_state, read_own_state
from tenuto.callbacks.policies.ranking import BestEntry, admit
from tenuto.callbacks.torch_based.own_loop_documents import (
    LiveTree,
    export_bytes,
    kind_of,
    make_document,
    read_export,
    read_state,
)
from tenuto.reference.checkpoint.store import Store
from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import CheckpointError, ConfigError
from tenuto.reference.trainer.metrics import flatten

__all__ = ["CheckpointManager"]

_log = logging.getLogger("tenuto")


class CheckpointManager:
    """Saves from a loop that tenuto does not drive: durably, checked, and never over something better.

    Example:
        ```python
        manager = tenuto.CheckpointManager("checkpoints", [{"monitor": "val_loss"}])
        for epoch in range(epochs):
            ...  # train and validate
            manager.update({"val_loss": val_loss}, model.state_dict(), epoch + 1)
        state, metadata = manager.load_checkpoint("checkpoints/best_val_loss.ckpt")
        model.load_state_dict(state)
        ```

    Args:
        output_dir: The folder, made when first needed.
        checkpoint_configs: What to save, each a `CheckpointConfig` or a map of its fields; empty for nothing but what
            `save_checkpoint` is asked for.

    Attributes:
        best_values: The best value of each metric that has one.
        saved_files: The path of the file of each of them.

    Raises:
        ConfigError: `invalid_setting` with the path to the key, or `duplicate_file_name`.

    Spec: CPC-MAN-001 to CPC-MAN-017.
    """

    best_values: dict[str, float]
    saved_files: dict[str, str]

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        checkpoint_configs: Sequence[CheckpointConfig | Mapping[str, LiveTree]],
    ) -> None:
        self.best_values, self.saved_files = {}, {}
        self._rules = read_configs(checkpoint_configs)
        self._folder = os.path.abspath(output_dir)  # a script may change its working folder before the first save
        self._run = identity_in(self._folder)
        self._started = time.monotonic()
        self._warned: set[str] = set()
        Store(self._folder, self._run.run_id).sweep()

    # -- saving -------------------------------------------------------------------------------------------------------

    def update(
        self, metrics_dict: Mapping[str, float], model_state_dict: Mapping[str, LiveTree], epoch: int
    ) -> list[str]:
        """Saves a file for each configuration whose metric is better than ever.

        Args:
            metrics_dict: Measured now; nested maps are flattened with `.`.
            model_state_dict: The state of the model, or what `training_state` gives, for a file to resume from.
            epoch: Completed epochs, at least 0.

        Returns:
            The paths of the files saved.

        Raises:
            ConfigError: `invalid_setting`.
            CheckpointError: The first save that failed, after all were tried.

        Spec: CPC-MAN-002 to CPC-MAN-004.
        """
        metrics = flatten(metrics_dict)
        facts = Facts(kind_of(model_state_dict), epoch, metrics)
        saved: list[str] = []
        errors: list[CheckpointError] = []
        for rule in self._rules:
            if not self._improves(rule, metrics, epoch):
                continue
            try:
                saved.append(self._save_best(rule, model_state_dict, facts))
            except CheckpointError as error:
                _log.error("best by %s not saved: %s", rule.metric, error)
                errors.append(error)
        if errors:
            raise errors[0]
        return saved

    def _improves(self, rule: SaveRule, metrics: Mapping[str, float], epoch: int) -> bool:
        if rule.metric not in metrics:
            if rule.metric not in self._warned:
                known = ", ".join(sorted(metrics)) or "none"
                _log.warning("metric %r: not measured; expected one of %s; nothing is saved for it", rule.metric, known)
            self._warned.add(rule.metric)
            return False
        former = self.best_values.get(rule.metric)
        # Two updates of one epoch are two states: the former best one has an epoch that no state has.
        entries = () if former is None else (BestEntry(former, -1, 0, rule.name),)
        candidate = BestEntry(metrics[rule.metric], epoch, 0, rule.name)
        return admit(entries, candidate, mode=rule.mode, slots=1, min_delta=0.0) is not None

    def _save_best(self, rule: SaveRule, state: Mapping[str, Any], facts: Facts) -> str:
        value = facts.metrics[rule.metric]
        path = self._path(os.path.join(self._folder, rule.name), overwrite=rule.overwrite)
        best: dict[str, Tree] = {"value": value, "epoch": facts.epoch, "step": 0, "file": rule.name}
        trigger: dict[str, Tree] = {
            "monitor": rule.metric,
            "value": value,
            "mode": rule.mode,
            "strategy": "best",
            "previous_best": self.best_values.get(rule.metric),
        }
        files: dict[str, Tree] = {} if rule.overwrite else {rule.metric: os.path.basename(path)}
        facts = evolve(facts, reasons=("best",), best={rule.metric: [best]}, trigger=trigger, files=files)
        values, saved = {**self.best_values, rule.metric: value}, {**self.saved_files, rule.metric: path}
        self._write(path, state, facts, own_state(values, saved))
        self.best_values, self.saved_files = values, saved
        return path

    def save_checkpoint(
        self,
        state_dict: Mapping[str, LiveTree],
        filepath: str | os.PathLike[str],
        overwrite: bool = True,
        metadata: Mapping[str, LiveTree] | None = None,
    ) -> str:
        """Saves a map, whatever was measured.

        Args:
            state_dict: As for `update`.
            filepath: Where to; a bare name lies in the folder of the manager. `.pt` and `.pth` write an export.
            overwrite: Whether a file of that name is replaced; otherwise the name gets the time.
            metadata: Further facts; `epoch`, completed epochs, among them tells which file is the newest.

        Returns:
            The path.

        Raises:
            ConfigError: `invalid_setting`.
            CheckpointError: Why the save failed.

        Spec: CPC-MAN-011, CPC-MAN-012.
        """
        given = os.fspath(filepath)
        if not has_known_suffix(os.path.basename(given)):
            message = f"filepath: {given!r}; expected a name that ends in .ckpt, .pt or .pth"
            raise ConfigError("invalid_setting", message)
        is_bare = os.path.basename(given) == given
        path = os.path.join(self._folder, given) if is_bare else os.path.abspath(given)
        facts = Facts(kind_of(state_dict), given={} if metadata is None else metadata)
        path = self._path(path, overwrite=overwrite)
        self._write(path, state_dict, facts, self.state_dict())
        return path

    def _path(self, path: str, *, overwrite: bool) -> str:
        folder, name = os.path.split(path)
        if overwrite:
            return path
        try:
            taken = Store(folder, self._run.run_id).ops.names(folder)
        except OSError:
            taken = []  # not there yet, or no folder at all, which the save says
        return os.path.join(folder, stamped_name(name, datetime.now(UTC), taken))

    def _write(self, path: str, state: Mapping[str, Any], facts: Facts, own: dict[str, Tree]) -> None:
        folder, name = os.path.split(path)
        store = Store(folder, self._run.run_id)
        elapsed = time.monotonic() - self._started
        metadata = make_metadata(facts, self._run, elapsed, state)
        if name.endswith(EXPORTS):
            store.export(name, export_bytes(state, metadata))
            return
        if facts.is_full:
            state = {**state, "callback_state": state.get("callback_state", {STATE_KEY: own})}
        store.save(name, make_document(state, metadata))

    # -- reading ------------------------------------------------------------------------------------------------------

    @staticmethod
    def load_checkpoint(filepath: str | os.PathLike[str]) -> tuple[dict[str, LiveTree], dict[str, LiveTree]]:
        """Reads a file that a manager or a trainer has saved and checks every byte of a checkpoint.

        Args:
            filepath: Of a checkpoint or an export.

        Returns:
            What was given to be saved, with tensors on the CPU, and the metadata.

        Raises:
            CheckpointError: `file_not_found`, or why it is refused.

        Spec: CPC-MAN-007.
        """
        return read_export(filepath) if os.fspath(filepath).endswith(EXPORTS) else read_state(filepath)

    # -- state --------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Tree]:
        """Returns what later decisions depend on; a file in the folder is named without it, so that it may move.

        Spec: CPC-MAN-008.
        """
        return own_state(self.best_values, self.saved_files)

    def load_state_dict(self, state: Mapping[str, Tree]) -> None:
        """Takes over what `state_dict` returned; a metric that no configuration has is kept too.

        Raises:
            RestoreError: `not_resumable` for a map of another form.

        Spec: CPC-MAN-008.
        """
        values, files = read_own_state(state)
        self.best_values = values
        self.saved_files = {metric: os.path.join(self._folder, name) for metric, name in files.items()}
