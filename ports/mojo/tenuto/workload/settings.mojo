"""The settings of the reference workload. Spec: RW-SET-001."""
from ..errors import TenutoError
from ..settings import (
    invalid,
    read_amount,
    read_integer,
    read_positive,
    read_share,
    read_word,
)
from ..tree import Value

comptime MANY = 65536


struct WorkloadSettings(Copyable):
    """Section 1 of `50-reference-workload.md`; read them with `set`."""

    var seed: Int
    var samples: Int
    var validation_samples: Int
    var features: Int
    var hidden: Int
    var batch_size: Int
    var accumulate: Int
    var dropout: Float64
    var optimizer: String
    var lr: Float64
    var momentum: Float64
    var beta1: Float64
    var beta2: Float64
    var epsilon: Float64
    var scheduler: String
    var warmup: Int
    var step_size: Int
    var gamma: Float64
    var factor: Float64
    var patience: Int
    var cooldown: Int
    var threshold: Float64
    var min_lr: Float64

    def __init__(out self):
        """Every setting with its default."""
        self.seed = 0
        self.samples = 22
        self.validation_samples = 6
        self.features = 3
        self.hidden = 4
        self.batch_size = 4
        self.accumulate = 1
        self.dropout = 0.25
        self.optimizer = "sgd"
        self.lr = 0.05
        self.momentum = 0.9
        self.beta1 = 0.9
        self.beta2 = 0.999
        self.epsilon = 1e-08
        self.scheduler = "none"
        self.warmup = 5
        self.step_size = 10
        self.gamma = 0.5
        self.factor = 0.5
        self.patience = 1
        self.cooldown = 1
        self.threshold = 0.0
        self.min_lr = 0.0

    @staticmethod
    def from_map(given: Value) raises TenutoError -> Self:
        """The settings that a map gives, the others with their defaults.

        Spec: RW-SET-001, RW-SET-002.
        """
        var made = Self()
        for i in range(0, len(given.items), 2):
            var name = given.items[i].as_text()
            ref v = given.items[i + 1]
            if not (
                made._set_size(name, v)
                or made._set_number(name, v)
                or made._set_word(name, v)
            ):
                raise invalid(name, "the name of a setting of the workload")
        if made.scheduler == "plateau" and made.validation_samples == 0:
            raise invalid("validation_samples", "at least 1 with plateau")
        return made^

    def _set_size(mut self, name: String, v: Value) raises TenutoError -> Bool:
        """Take an integer; whether it is the name of one."""
        if name == "seed":
            self.seed = read_integer(name, v, 0)
        elif name == "samples":
            self.samples = read_integer(name, v, 1, MANY)
        elif name == "validation_samples":
            self.validation_samples = read_integer(name, v, 0, MANY)
        elif name == "features":
            self.features = read_integer(name, v, 1, 64)
        elif name == "hidden":
            self.hidden = read_integer(name, v, 1, 64)
        elif name == "batch_size":
            self.batch_size = read_integer(name, v, 1, MANY)
        elif name == "accumulate":
            self.accumulate = read_integer(name, v, 1, MANY)
        elif name == "warmup":
            self.warmup = read_integer(name, v, 0, MANY)
        elif name == "step_size":
            self.step_size = read_integer(name, v, 1, MANY)
        elif name == "patience":
            self.patience = read_integer(name, v, 0, MANY)
        elif name == "cooldown":
            self.cooldown = read_integer(name, v, 0, MANY)
        else:
            return False
        return True

    def _set_number(
        mut self, name: String, v: Value
    ) raises TenutoError -> Bool:
        """Take a float64; whether it is the name of one."""
        if name == "dropout":
            self.dropout = read_share(name, v)
        elif name == "lr":
            self.lr = read_positive(name, v)
        elif name == "momentum":
            self.momentum = read_share(name, v)
        elif name == "beta1":
            self.beta1 = read_share(name, v)
        elif name == "beta2":
            self.beta2 = read_share(name, v)
        elif name == "epsilon":
            self.epsilon = read_positive(name, v)
        elif name == "gamma":
            self.gamma = read_positive(name, v)
        elif name == "factor":
            self.factor = read_positive(name, v)
        elif name == "threshold":
            self.threshold = read_amount(name, v)
        elif name == "min_lr":
            self.min_lr = read_amount(name, v)
        else:
            return False
        return True

    def _set_word(mut self, name: String, v: Value) raises TenutoError -> Bool:
        """Take a word; whether it is the name of one."""
        if name == "optimizer":
            self.optimizer = read_word(name, v, "sgd adam")
        elif name == "scheduler":
            self.scheduler = read_word(name, v, "none warmup_step plateau")
        else:
            return False
        return True

    def to_map(self) -> Value:
        """Every setting under its name. Spec: RW-STATE-006."""
        var m = Value.map()
        m.put("seed", Value.int(Int64(self.seed)))
        m.put("samples", Value.int(Int64(self.samples)))
        m.put("validation_samples", Value.int(Int64(self.validation_samples)))
        m.put("features", Value.int(Int64(self.features)))
        m.put("hidden", Value.int(Int64(self.hidden)))
        m.put("batch_size", Value.int(Int64(self.batch_size)))
        m.put("accumulate", Value.int(Int64(self.accumulate)))
        m.put("dropout", Value.float(self.dropout))
        m.put("optimizer", Value.text(self.optimizer))
        m.put("lr", Value.float(self.lr))
        m.put("momentum", Value.float(self.momentum))
        m.put("beta1", Value.float(self.beta1))
        m.put("beta2", Value.float(self.beta2))
        m.put("epsilon", Value.float(self.epsilon))
        m.put("scheduler", Value.text(self.scheduler))
        m.put("warmup", Value.int(Int64(self.warmup)))
        m.put("step_size", Value.int(Int64(self.step_size)))
        m.put("gamma", Value.float(self.gamma))
        m.put("factor", Value.float(self.factor))
        m.put("patience", Value.int(Int64(self.patience)))
        m.put("cooldown", Value.int(Int64(self.cooldown)))
        m.put("threshold", Value.float(self.threshold))
        m.put("min_lr", Value.float(self.min_lr))
        return m^
