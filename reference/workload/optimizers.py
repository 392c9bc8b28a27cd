"""The two optimizers of the reference workload, with what of them is saved. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.workload.arithmetic import divide, square_root
from tenuto.reference.workload.form import FLOAT, Form, IndexedForm, TensorForm, exactly
from tenuto.reference.workload.network import Values, zeros
from tenuto.reference.workload.settings import WorkloadSettings
from tenuto.reference.workload.tensors import from_tensor, to_tensor

__all__ = ["Adam", "Optimizer", "Sgd", "make_optimizer"]

_FIRST_POWER: Final = 1.0


class Optimizer(ABC):
    """Changes parameters by their gradients.

    Args:
        settings: Of the workload.
        rate: The first learning rate.

    Attributes:
        rate: The learning rate of the moment.
        moments: For each name of `moment_names` one list for each parameter; empty before the first update.

    Spec: RW-OPT-001, RW-OPT-002.
    """

    moment_names: ClassVar[tuple[str, ...]]

    def __init__(self, settings: WorkloadSettings, rate: float) -> None:
        self.rate = rate
        self.moments: list[Values] = []
        self._settings = settings

    @abstractmethod
    def update(self, values: Values, gradients: Values) -> None:
        """Makes one update; the parameters are changed in place."""

    @abstractmethod
    def constants(self) -> dict[str, Tree]:
        """Returns what of the group is the same throughout a training."""

    def variables(self) -> dict[str, float]:
        """Returns the numbers of the group that training changes."""
        return {"lr": self.rate}

    def set_variables(self, saved: dict[str, Any]) -> None:
        """Takes over what `variables` returned."""
        self.rate = saved["lr"]

    def capture(self, forms: list[TensorForm]) -> dict[str, Tree]:
        """Returns the state.

        Args:
            forms: Of the parameters.

        Spec: RW-STATE-002, TR-STATE-005.
        """
        by_parameter: list[dict[str, Tree]] = [
            {name: to_tensor(moment[index], form) for name, moment in zip(self.moment_names, self.moments, strict=True)}
            for index, form in enumerate(forms)
            if self.moments
        ]
        group: dict[str, Tree] = {**self.constants(), **self.variables(), "params": list(range(len(forms)))}
        return {"param_groups": [group], "state": [[index, moments] for index, moments in enumerate(by_parameter)]}

    def form(self, forms: list[TensorForm]) -> Form:
        """Returns what a saved state has to look like.

        Args:
            forms: Of the parameters.
        """
        group: dict[str, Form] = {name: exactly(value) for name, value in self.constants().items()}
        group.update(dict.fromkeys(self.variables(), FLOAT))
        group["params"] = exactly(list(range(len(forms))))
        by_parameter: list[Form] = [dict.fromkeys(self.moment_names, form) for form in forms]
        return {"param_groups": [group], "state": IndexedForm(by_parameter)}

    def load(self, saved: Any) -> None:  # noqa: ANN401 - from a file, its form has been compared
        """Takes over a saved state."""
        self.set_variables(saved["param_groups"][0])
        by_parameter = [moments for _, moments in saved["state"]]
        self.moments = [
            [from_tensor(moments[name]) for moments in by_parameter] for name in self.moment_names if by_parameter
        ]

    def _start(self, values: Values) -> None:
        """At the first update the moments of each parameter start as zeros."""
        if not self.moments:
            self.moments = [zeros(values) for _ in self.moment_names]


class Sgd(Optimizer):
    """Stochastic gradient descent with momentum.

    Spec: RW-SGD-001.
    """

    moment_names = ("momentum_buffer",)

    def constants(self) -> dict[str, Tree]:
        """See `Optimizer`."""
        return {"kind": "sgd", "momentum": self._settings.momentum}

    def update(self, values: Values, gradients: Values) -> None:
        """See `Optimizer`."""
        self._start(values)
        rate, momentum = self.rate, self._settings.momentum
        for w, g, v in zip(values, gradients, *self.moments, strict=True):
            for i in range(len(w)):
                v[i] = momentum * v[i] + g[i]
                w[i] = w[i] - rate * v[i]


class Adam(Optimizer):
    """Adam; the powers of its betas are products, not calls of `pow`.

    Spec: RW-ADAM-001.
    """

    moment_names = ("exp_avg", "exp_avg_sq")

    def __init__(self, settings: WorkloadSettings, rate: float) -> None:
        super().__init__(settings, rate)
        self.beta1_power = self.beta2_power = _FIRST_POWER

    def constants(self) -> dict[str, Tree]:
        """See `Optimizer`."""
        chosen = self._settings
        return {"kind": "adam", "beta1": chosen.beta1, "beta2": chosen.beta2, "epsilon": chosen.epsilon}

    def variables(self) -> dict[str, float]:
        """See `Optimizer`."""
        return {**super().variables(), "beta1_power": self.beta1_power, "beta2_power": self.beta2_power}

    def set_variables(self, saved: dict[str, Any]) -> None:
        """See `Optimizer`."""
        super().set_variables(saved)
        self.beta1_power, self.beta2_power = saved["beta1_power"], saved["beta2_power"]

    def update(self, values: Values, gradients: Values) -> None:
        """See `Optimizer`."""
        self._start(values)
        rate, epsilon = self.rate, self._settings.epsilon
        beta1, beta2 = self._settings.beta1, self._settings.beta2
        self.beta1_power = self.beta1_power * beta1
        self.beta2_power = self.beta2_power * beta2
        left1, left2 = 1.0 - self.beta1_power, 1.0 - self.beta2_power
        for w, g, a, s in zip(values, gradients, *self.moments, strict=True):
            for i in range(len(w)):
                a[i] = beta1 * a[i] + (1.0 - beta1) * g[i]
                s[i] = beta2 * s[i] + ((1.0 - beta2) * g[i]) * g[i]
                w[i] = w[i] - (rate * divide(a[i], left1)) / (square_root(divide(s[i], left2)) + epsilon)


def make_optimizer(settings: WorkloadSettings, rate: float) -> Optimizer:
    """Returns the optimizer of the settings before its first update."""
    kinds: dict[str, type[Optimizer]] = {"sgd": Sgd, "adam": Adam}
    return kinds[settings.optimizer](settings, rate)
