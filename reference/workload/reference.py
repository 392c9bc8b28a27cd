"""The reference workload: what the trainer drives when every bit of the outcome is known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from attrs import define

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.events.contexts import Metric, Progress
from tenuto.reference.trainer.architecture import describe
from tenuto.reference.trainer.workload import WorkloadState
from tenuto.reference.workload import tensors
from tenuto.reference.workload.arithmetic import check_arithmetic
from tenuto.reference.workload.data import Sample, epoch_order, make_samples
from tenuto.reference.workload.form import WORD, Comparison, Form, ScalarForm, exactly, is_same
from tenuto.reference.workload.generator import Generator, Purpose, stream
from tenuto.reference.workload.network import PARAMETERS, Network, Values, initial_values, zeros
from tenuto.reference.workload.optimizers import Optimizer, make_optimizer
from tenuto.reference.workload.schedulers import Scheduler, make_scheduler
from tenuto.reference.workload.settings import WorkloadSettings

__all__ = ["ReferenceWorkload"]

_OPTIMIZER, _DROPOUT, _GRADIENTS, _SEEN = "optimizer", "dropout", "gradients", "seen"
_GENERATOR_KIND = "splitmix64"
_MODULES = {"": "ReferenceNetwork", "layer1": "Linear", "layer2": "Linear"}


@define
class _Training:
    """Everything that training moves.

    Batches, ends of epochs and restores work on one of their own and put it in the place of the last: whatever fails
    in between, the state of the last boundary is whole.

    Attributes:
        gradients: Of the window in progress; None at its end.
    """

    network: Network
    optimizer: Optimizer
    scheduler: Scheduler
    generator: Generator
    gradients: Values | None = None


class ReferenceWorkload:
    """Trains the reference network in plain Python numbers.

    Args:
        settings: The defaults unless given.

    Raises:
        ConfigError: `inexact_arithmetic`.

    Spec: RW-NUM-003, RW-ACC-001, RW-ACC-002.
    """

    def __init__(self, settings: WorkloadSettings | None = None) -> None:
        check_arithmetic()
        chosen = WorkloadSettings() if settings is None else settings
        self._settings = chosen
        self._train = make_samples(stream(chosen.seed, Purpose.TRAINING_INPUTS), chosen.samples, chosen.features)
        inputs = stream(chosen.seed, Purpose.VALIDATION_INPUTS)
        self._validation = make_samples(inputs, chosen.validation_samples, chosen.features)
        self._batches = -(-chosen.samples // chosen.batch_size)  # of an epoch
        self._forms = tensors.parameter_forms(chosen.features, chosen.hidden)
        self._live = self._boundary = self._fresh()
        self._touched = False
        self._order: list[int] = []
        self._loaded = 0  # batches of the epoch

    def _fresh(self) -> _Training:
        chosen, scheduler = self._settings, make_scheduler(self._settings)
        values = initial_values(stream(chosen.seed, Purpose.WEIGHTS), chosen.features, chosen.hidden)
        optimizer = make_optimizer(chosen, scheduler.first_rate())
        return _Training(Network(values, chosen.dropout), optimizer, scheduler, stream(chosen.seed, Purpose.DROPOUT))

    # -- what is saved about it ---------------------------------------------------------------------------------------

    def config(self) -> dict[str, Tree]:
        """See `Workload`."""
        return self._settings.to_map()

    def architecture(self) -> dict[str, Tree]:
        """See `Workload`.

        Spec: RW-STATE-007.
        """
        forms = {**dict(zip(PARAMETERS, self._forms, strict=True)), _SEEN: tensors.COUNTER}
        return describe(
            modules=_MODULES,
            trainable=dict.fromkeys(PARAMETERS, True),
            shapes={name: (form.dtype, *form.shape) for name, form in forms.items()},
            parameter_count=sum(len(values) for values in self._live.network.values),
        )

    # -- training -----------------------------------------------------------------------------------------------------

    def open_epoch(self, epoch: int, skip_batches: int) -> None:
        """See `Workload`."""
        self._order = epoch_order(self._settings.seed, epoch, self._settings.samples)
        self._loaded = skip_batches

    def next_batch(self) -> list[Sample] | None:
        """See `Workload`.

        Spec: RW-DATA-004.
        """
        if self._loaded >= self._batches:
            return None
        size = self._settings.batch_size
        chosen = self._order[self._loaded * size : (self._loaded + 1) * size]
        self._loaded += 1
        return [self._train[number] for number in chosen]

    def train_on(self, batch: list[Sample]) -> Mapping[str, Any]:
        """See `Workload`.

        Spec: RW-MODEL-004, RW-ACC-001, RW-ACC-002, TR-FAIL-007.
        """
        self._touched = True
        live = deepcopy(self._live)
        gradients = zeros(live.network.values) if live.gradients is None else live.gradients
        loss = live.network.train_on(batch, self._settings.accumulate, live.generator, gradients)
        live.gradients = gradients
        if not self._is_inside_window(self._loaded):
            live.optimizer.update(live.network.values, gradients)
            live.optimizer.rate = live.scheduler.after_update(live.optimizer.rate)
            live.gradients = None
        self._live = live
        return {"loss": loss}

    def completed_window(self) -> bool:
        """See `Workload`. The last window of an epoch holds the batches that are left.

        Spec: RW-ACC-001.
        """
        return self._live.gradients is None

    def _is_inside_window(self, batches: int) -> bool:
        """Returns whether a window is in progress after so many batches of an epoch."""
        return batches != self._batches and batches % self._settings.accumulate != 0

    def has_validation(self) -> bool:
        """See `Workload`."""
        return bool(self._validation)

    def validate(self, poll: Callable[[], None]) -> Mapping[str, Any]:
        """See `Workload`.

        Spec: RW-MODEL-006, RW-MODEL-007.
        """
        squares = sizes = 0.0
        size = self._settings.batch_size
        for start in range(0, len(self._validation), size):
            for sample in self._validation[start : start + size]:
                d = self._live.network.error(sample)
                squares = squares + d * d
                sizes = sizes + (0.0 - d) if d < 0.0 else sizes + d
            poll()
        count = float(len(self._validation))
        return {"loss": squares / count, "parts": {"abs": sizes / count}}

    def end_epoch(self, metrics: Mapping[str, Metric], *, step: int, validated: bool) -> None:
        """See `Workload`."""
        self._touched = True
        live = deepcopy(self._live)
        measured = {name: metric.value for name, metric in metrics.items() if metric.step == step}
        if validated:
            live.scheduler.check_metrics(metrics)
        live.optimizer.rate = live.scheduler.after_epoch(live.optimizer.rate, measured)
        self._live = live

    def close(self) -> None:
        """See `Workload`. An epoch holds nothing that has to be given back."""

    # -- state --------------------------------------------------------------------------------------------------------

    def mark_boundary(self, *, copy_generators: bool) -> None:  # noqa: ARG002 - it is kept whole, at no cost
        """See `Workload`."""
        self._boundary, self._touched = self._live, False

    def is_exact(self) -> bool:
        """See `Workload`. False after a batch that failed, for the model has a buffer, although the boundary is kept.

        Spec: TR-FAIL-007.
        """
        return not self._touched

    def capture(self, *, at_boundary: bool, copy: bool) -> WorkloadState:  # noqa: ARG002 - always copied
        """See `Workload`. At a boundary all of the state is that of the boundary (TR-FAIL-011).

        Spec: RW-STATE-001 to RW-STATE-005.
        """
        taken = self._boundary if at_boundary else self._live
        network, gradients = taken.network, taken.gradients
        return WorkloadState(
            {**tensors.to_named(network.values, self._forms), _SEEN: tensors.to_counter(network.seen)},
            {_OPTIMIZER: taken.optimizer.capture(self._forms)},
            taken.scheduler.capture(),
            {_DROPOUT: {"kind": _GENERATOR_KIND, "state": taken.generator.state}},
            None if gradients is None else tensors.to_named(gradients, self._forms),
        )

    def mismatches(self, state: WorkloadState, progress: Progress) -> list[str]:
        """See `Workload`.

        Spec: TR-REST-001, RW-STATE-001 to RW-STATE-005.
        """
        named: dict[str, Form] = dict(zip(PARAMETERS, self._forms, strict=True))
        comparison = Comparison()
        compare = comparison.compare
        self._compare_weights(comparison, state.model_state)
        compare("optimizer_state", state.optimizer_state, {_OPTIMIZER: self._live.optimizer.form(self._forms)})
        compare("scheduler_state", state.scheduler_state, self._live.scheduler.form())
        compare("rng_state", state.rng_state, {_DROPOUT: {"kind": exactly(_GENERATOR_KIND), "state": WORD}})
        within = ScalarForm(f"an integer of 0 to {self._batches}", lambda batches: batches <= self._batches)
        compare("metadata.progress.batch_in_epoch", progress.batch_in_epoch, within)
        kept: dict[str, Tree] = {} if state.gradients is None else {_GRADIENTS: state.gradients}
        compare("trainer_state", kept, {_GRADIENTS: named} if self._is_inside_window(progress.batch_in_epoch) else {})
        return comparison.mismatches

    def weights_mismatches(self, saved: Tree) -> list[str]:
        """See `Workload`."""
        comparison = Comparison()
        self._compare_weights(comparison, saved)
        return comparison.mismatches

    def _compare_weights(self, comparison: Comparison, saved: Tree) -> None:
        """Spec: RW-STATE-001."""
        named: dict[str, Form] = dict(zip(PARAMETERS, self._forms, strict=True))
        comparison.compare("model_state", saved, {**named, _SEEN: tensors.COUNTER})

    def config_mismatches(self, saved: Mapping[str, Tree]) -> list[str]:
        """See `Workload`.

        Spec: RW-STATE-006, RW-STATE-008.
        """
        return [
            f"metadata.config.{name}: {saved.get(name)!r} in the file, {live!r} in this workload"
            for name, live in self.config().items()
            if not is_same(saved.get(name), live)
        ]

    def inexact(self, state: WorkloadState, progress: Progress) -> list[str]:  # noqa: ARG002 - the signature of `Workload`
        """See `Workload`. What fits is complete."""
        return []

    def restore(self, state: WorkloadState, progress: Progress) -> None:  # noqa: ARG002 - as above
        """See `Workload`. Everything is made first and put in place at the end, so there is nothing to undo.

        Spec: TR-REST-002, TR-REST-003.
        """
        live = deepcopy(self._live)
        model: Any = state.model_state
        _load(live.network, model)
        if _OPTIMIZER in state.optimizer_state:
            live.optimizer.load(state.optimizer_state[_OPTIMIZER])
        if state.scheduler_state:
            live.scheduler.load(state.scheduler_state)
        dropout: Any = state.rng_state[_DROPOUT]
        live.generator.state = dropout["state"]
        live.gradients = None if state.gradients is None else tensors.from_named(state.gradients)
        self._live = live
        self.mark_boundary(copy_generators=True)

    def load_weights(self, saved: dict[str, Tree]) -> None:
        """See `Workload`. What is kept of the last boundary gets them too."""
        _load(self._live.network, saved)
        _load(self._boundary.network, saved)


def _load(network: Network, saved: dict[str, Tree]) -> None:
    """Gives a network the weights that a map has."""
    network.values = [
        tensors.from_tensor(saved[name]) if name in saved else values
        for name, values in zip(PARAMETERS, network.values, strict=True)
    ]
    if _SEEN in saved:
        network.seen = tensors.from_counter(saved[_SEEN])
