"""The reference workload, put together. Spec: 50-reference-workload.md."""
from ..document import Document
from ..errors import Phase, TenutoError
from ..trainer.architecture import describe
from ..trainer.metrics import MetricBook
from ..trainer.workload import Workload
from ..tree import Value
from .arithmetic import check_arithmetic
from .compare import compare_workload
from .data import Sample, epoch_order, make_samples
from .generator import Generator, Purpose, stream
from .network import (
    PARAMETERS,
    Network,
    initial_values,
    parameter_name,
    parameter_shape,
    zeros,
)
from .optimizers import Optimizer
from .schedulers import Scheduler
from .settings import WorkloadSettings
from .state import capture_workload, load_workload


struct ReferenceWorkload(Workload):
    """A two-layer network on made data, fixed to the last bit.

    Errors: `inexact_arithmetic` if the machine or the build computes otherwise.
    """

    var settings: WorkloadSettings
    var network: Network
    var optimizer: Optimizer
    var scheduler: Scheduler
    var generator: Generator
    var gradients: List[List[Float64]]  # empty: no window is open
    var _train: List[Sample]
    var _validation: List[Sample]
    var _order: List[Int]
    var _loaded: Int  # batches of the epoch
    var _squares: Float64
    var _sizes: Float64

    def __init__(out self, var settings: WorkloadSettings) raises TenutoError:
        check_arithmetic()
        var seed = settings.seed
        var features = settings.features
        var weights = initial_values(
            stream(seed, Purpose.WEIGHTS), features, settings.hidden
        )
        self.network = Network(weights^, settings.dropout)
        self.scheduler = Scheduler(settings)
        self.optimizer = Optimizer(settings, self.scheduler.first_rate())
        self.generator = stream(seed, Purpose.DROPOUT)
        self.gradients = []
        self._train = make_samples(
            stream(seed, Purpose.TRAINING_INPUTS), settings.samples, features
        )
        self._validation = make_samples(
            stream(seed, Purpose.VALIDATION_INPUTS),
            settings.validation_samples,
            features,
        )
        self._order = []
        self._loaded = 0
        self._squares = 0.0
        self._sizes = 0.0
        self.settings = settings^

    def config(self) -> Value:
        return self.settings.to_map()

    def architecture(self) raises TenutoError -> Value:
        """Spec: RW-STATE-007."""
        var modules = Value.map()
        modules.put("", Value.text("ReferenceNetwork"))
        modules.put("layer1", Value.text("Linear"))
        modules.put("layer2", Value.text("Linear"))
        var trainable = Value.map()
        var shapes = Value.map()
        var count = 0
        for p in range(PARAMETERS):
            trainable.put(parameter_name(p), Value.bool(True))
            var form = Value.array()
            form.push(Value.text("float64"))
            for n in parameter_shape(
                p, self.settings.features, self.settings.hidden
            ):
                form.push(Value.uint(n))
            shapes.put(parameter_name(p), form^)
            count += len(self.network.values[p])
        var seen = Value.array()
        seen.push(Value.text("int64"))
        shapes.put("seen", seen^)
        return describe(modules^, trainable^, shapes^, count)

    def _batches(self) -> Int:
        """Batches of an epoch."""
        var size = self.settings.batch_size
        return (self.settings.samples + size - 1) // size

    def _is_inside_window(self, batches: Int) -> Bool:
        """Whether a window is open after so many batches. Spec: RW-ACC-001."""
        return (
            batches != self._batches()
            and batches % self.settings.accumulate != 0
        )

    def open_epoch(mut self, epoch: Int, skip: Int) raises TenutoError:
        self._order = epoch_order(
            self.settings.seed, epoch, self.settings.samples
        )
        self._loaded = skip

    def next_batch(mut self) raises TenutoError -> Bool:
        if self._loaded >= self._batches():
            return False
        self._loaded += 1
        return True

    def train(mut self) raises TenutoError -> Value:
        """Spec: RW-DATA-004, RW-MODEL-004, RW-ACC-001, RW-ACC-002."""
        var size = self.settings.batch_size
        var start = (self._loaded - 1) * size
        var batch = List[Int]()
        for i in range(start, min(start + size, len(self._order))):
            batch.append(self._order[i])
        if len(self.gradients) == 0:
            self.gradients = zeros(self.network.values)
        var loss = self.network.train_on(
            self._train,
            batch,
            self.settings.accumulate,
            self.generator,
            self.gradients,
        )
        if not self._is_inside_window(self._loaded):
            self.optimizer.update(self.network.values, self.gradients)
            self.optimizer.rate = self.scheduler.after_update(
                self.optimizer.rate
            )
            self.gradients = []
        var measured = Value.map()
        measured.put("loss", Value.float(loss))
        return measured^

    def completed_window(self) -> Bool:
        return len(self.gradients) == 0

    def validation_batches(self) -> Int:
        var size = self.settings.batch_size
        return (len(self._validation) + size - 1) // size

    def validate(mut self, batch: Int) raises TenutoError:
        """Spec: RW-MODEL-006, RW-MODEL-007."""
        if batch == 0:
            self._squares = 0.0
            self._sizes = 0.0
        var start = batch * self.settings.batch_size
        var end = min(start + self.settings.batch_size, len(self._validation))
        for i in range(start, end):
            var d = self.network.error(self._validation[i])
            self._squares = self._squares + d * d
            if d < 0.0:
                self._sizes = self._sizes + (0.0 - d)
            else:
                self._sizes = self._sizes + d

    def validated(self) raises TenutoError -> Value:
        var count = Float64(len(self._validation))
        var parts = Value.map()
        parts.put("abs", Value.float(self._sizes / count))
        var measured = Value.map()
        measured.put("loss", Value.float(self._squares / count))
        measured.put("parts", parts^)
        return measured^

    def end_epoch(
        mut self, metrics: MetricBook, step: Int, is_validated: Bool
    ) raises TenutoError:
        if self.scheduler.kind != "plateau":
            return
        var metric = metrics.get("val_loss")
        if not metric:
            if is_validated:
                raise TenutoError(
                    "monitor_missing",
                    Phase.CONFIG,
                    "scheduler: val_loss was never measured; expected it",
                )
        elif metric.value().step == step:
            self.optimizer.rate = self.scheduler.after_epoch(
                self.optimizer.rate, metric.value().value
            )

    def capture(self, mut doc: Document) raises TenutoError -> Value:
        return capture_workload(self, doc)

    def mismatches(
        self, state: Document, batch_in_epoch: Int
    ) raises TenutoError -> List[String]:
        var inside = self._is_inside_window(batch_in_epoch)
        return compare_workload(
            self, state, batch_in_epoch <= self._batches(), inside
        )

    def restore(mut self, state: Document) raises TenutoError:
        load_workload(self, state)
