"""The two optimizers.

Spec: RW-OPT-001, RW-OPT-002, RW-SGD-001, RW-ADAM-001.
"""

from math import sqrt
from typing import TypeAlias

from attrs import define

from tenuto.conformance_tests.oracle.tree import Scalar
from tenuto.conformance_tests.oracle.workload.network import PARAMETERS, Values, zeros
from tenuto.conformance_tests.oracle.workload.settings import Settings


def sgd(w: float, g: float, v: float, lr: float, momentum: float) -> tuple[float, float]:
    """One weight updated by `sgd`: the new `w` and `v`.

    Spec: RW-SGD-001.
    """
    v = momentum * v + g
    return w - lr * v, v


@define
class Sgd:
    """Momentum; `state` has one entry, by its name in the file, after the first update.

    Spec: RW-SGD-001, RW-STATE-002.
    """

    settings: Settings
    lr: float
    state: dict[str, Values]

    def update(self, weights: Values, gradients: Values) -> None:
        """One update of all weights.

        Spec: RW-OPT-001, RW-OPT-002.
        """
        if not self.state:
            self.state["momentum_buffer"] = zeros(self.settings)
        for name in PARAMETERS:
            w, v = weights[name], self.state["momentum_buffer"][name]
            for at, g in enumerate(gradients[name]):
                w[at], v[at] = sgd(w[at], g, v[at], self.lr, self.settings.momentum)

    def group(self) -> dict[str, Scalar]:
        """The scalars of the optimizer as they stand in the file.

        Spec: RW-STATE-002.
        """
        return {"kind": "sgd", "lr": self.lr, "momentum": self.settings.momentum}


@define
class Adam:
    """Adam; `state` has two entries, by their names in the file, after the first update.

    Spec: RW-ADAM-001, RW-STATE-002.
    """

    settings: Settings
    lr: float
    state: dict[str, Values]
    beta1_power: float = 1.0
    beta2_power: float = 1.0

    def update(self, weights: Values, gradients: Values) -> None:
        """One update of all weights.

        Spec: RW-OPT-001, RW-OPT-002.
        """
        if not self.state:
            self.state["exp_avg"] = zeros(self.settings)
            self.state["exp_avg_sq"] = zeros(self.settings)
        self.beta1_power = self.beta1_power * self.settings.beta1
        self.beta2_power = self.beta2_power * self.settings.beta2
        for name in PARAMETERS:
            w, a, s = weights[name], self.state["exp_avg"][name], self.state["exp_avg_sq"][name]
            for at, g in enumerate(gradients[name]):
                w[at], a[at], s[at] = self.adam(w[at], g, a[at], s[at])

    def adam(self, w: float, g: float, a: float, s: float) -> tuple[float, float, float]:
        """One weight updated by `adam`: the new `w`, `a` and `s`.

        Spec: RW-ADAM-001.
        """
        beta1, beta2, epsilon = self.settings.beta1, self.settings.beta2, self.settings.epsilon
        a = beta1 * a + (1.0 - beta1) * g
        s = beta2 * s + ((1.0 - beta2) * g) * g
        w = w - (self.lr * (a / (1.0 - self.beta1_power))) / (sqrt(s / (1.0 - self.beta2_power)) + epsilon)
        return w, a, s

    def group(self) -> dict[str, Scalar]:
        """The scalars of the optimizer as they stand in the file.

        Spec: RW-STATE-002.
        """
        return {
            "kind": "adam",
            "beta1": self.settings.beta1,
            "beta1_power": self.beta1_power,
            "beta2": self.settings.beta2,
            "beta2_power": self.beta2_power,
            "epsilon": self.settings.epsilon,
            "lr": self.lr,
        }


Optimizer: TypeAlias = Sgd | Adam


def make_optimizer(settings: Settings, lr: float) -> Optimizer:
    """The optimizer of the settings before its first update.

    Spec: RW-OPT-002.
    """
    return Sgd(settings, lr, {}) if settings.optimizer == "sgd" else Adam(settings, lr, {})
