"""The two optimizers. Spec: RW-OPT-001, RW-OPT-002."""
from std.math import sqrt
from .network import PARAMETERS, zeros
from .settings import WorkloadSettings


struct Optimizer(Copyable):
    """`sgd` or `adam`, with the learning rate of the moment.

    `first` and `second` hold the states of the parameters: `v`, or `a` and `s`;
    both are empty before the first update.
    """

    var kind: String
    var rate: Float64
    var momentum: Float64
    var beta1: Float64
    var beta2: Float64
    var epsilon: Float64
    var beta1_power: Float64
    var beta2_power: Float64
    var first: List[List[Float64]]
    var second: List[List[Float64]]

    def __init__(out self, settings: WorkloadSettings, rate: Float64):
        self.kind = settings.optimizer.copy()
        self.rate = rate
        self.momentum = settings.momentum
        self.beta1 = settings.beta1
        self.beta2 = settings.beta2
        self.epsilon = settings.epsilon
        self.beta1_power = 1.0
        self.beta2_power = 1.0
        self.first = []
        self.second = []

    def update(
        mut self,
        mut values: List[List[Float64]],
        gradients: List[List[Float64]],
    ):
        """Change every weight. Spec: RW-OPT-001."""
        if len(self.first) == 0:
            self.first = zeros(values)
            if self.kind == "adam":
                self.second = zeros(values)
        if self.kind == "sgd":
            self._update_sgd(values, gradients)
        else:
            self._update_adam(values, gradients)

    def _update_sgd(
        mut self,
        mut values: List[List[Float64]],
        gradients: List[List[Float64]],
    ):
        """Spec: RW-SGD-001."""
        for p in range(PARAMETERS):
            for i in range(len(values[p])):
                var v = self.momentum * self.first[p][i] + gradients[p][i]
                self.first[p][i] = v
                values[p][i] = values[p][i] - self.rate * v

    def _update_adam(
        mut self,
        mut values: List[List[Float64]],
        gradients: List[List[Float64]],
    ):
        """Spec: RW-ADAM-001."""
        self.beta1_power = self.beta1_power * self.beta1
        self.beta2_power = self.beta2_power * self.beta2
        for p in range(PARAMETERS):
            for i in range(len(values[p])):
                var g = gradients[p][i]
                var a = self.beta1 * self.first[p][i] + (1.0 - self.beta1) * g
                var s = (
                    self.beta2 * self.second[p][i]
                    + ((1.0 - self.beta2) * g) * g
                )
                self.first[p][i] = a
                self.second[p][i] = s
                values[p][i] = values[p][i] - (
                    self.rate * (a / (1.0 - self.beta1_power))
                ) / (sqrt(s / (1.0 - self.beta2_power)) + self.epsilon)
