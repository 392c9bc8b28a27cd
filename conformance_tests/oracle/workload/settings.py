"""The settings of the workload, with the defaults of the text.

Spec: section 1 of 50-reference-workload.md.
"""

from attrs import fields, frozen

from tenuto.conformance_tests.oracle.tree import Scalar


@frozen
class Settings:
    """What fixes a training, but for the number of its epochs; the text has meanings and ranges.

    Spec: RW-STATE-006.
    """

    seed: int = 0
    samples: int = 22
    validation_samples: int = 6
    features: int = 3
    hidden: int = 4
    batch_size: int = 4
    accumulate: int = 1
    dropout: float = 0.25
    optimizer: str = "sgd"
    lr: float = 0.05
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-08
    scheduler: str = "none"
    warmup: int = 5
    step_size: int = 10
    gamma: float = 0.5
    factor: float = 0.5
    patience: int = 1
    cooldown: int = 1
    threshold: float = 0.0
    min_lr: float = 0.0

    def values(self) -> dict[str, Scalar]:
        """Every setting under its name."""
        return {one.name: getattr(self, one.name) for one in fields(Settings)}

    def changed(self) -> dict[str, Scalar]:
        """The settings that differ from the defaults."""
        defaults = Settings().values()
        return {name: value for name, value in self.values().items() if value != defaults[name]}
