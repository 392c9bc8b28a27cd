"""What a trainer asks of the thing that it trains."""
from ..document import Document
from ..errors import TenutoError
from ..tree import Value
from .metrics import MetricBook


trait Workload(Deinitable, Movable):
    """A model with its data, optimizer and scheduler.

    Between two calls of `train` its state is that of a consistent boundary.
    Spec: TR-LOOP-004.
    """

    def config(self) -> Value:
        """The settings that change what is computed. Spec: TR-STATE-013."""
        ...

    def architecture(self) raises TenutoError -> Value:
        """The map `metadata.architecture`. Spec: TR-STATE-008."""
        ...

    def open_epoch(mut self, epoch: Int, skip: Int) raises TenutoError:
        """Start the epoch behind `epoch` completed ones at batch `skip`.

        Spec: TR-LOOP-002.
        """
        ...

    def next_batch(mut self) raises TenutoError -> Bool:
        """Load the next batch; False at the end of the epoch."""
        ...

    def train(mut self) raises TenutoError -> Value:
        """Train on the batch that was loaded; a map of metrics with `loss`.

        Spec: CB-METRIC-004.
        """
        ...

    def completed_window(self) -> Bool:
        """Whether no accumulation window is open. Spec: TR-LOOP-011."""
        ...

    def validation_batches(self) -> Int:
        """How many batches a validation has; 0: there is none."""
        ...

    def validate(mut self, batch: Int) raises TenutoError:
        """Measure one batch of validation, from batch 0 on.

        Spec: RW-MODEL-007.
        """
        ...

    def validated(self) raises TenutoError -> Value:
        """A map of the metrics of the validation. Spec: CB-METRIC-006."""
        ...

    def end_epoch(
        mut self, metrics: MetricBook, step: Int, is_validated: Bool
    ) raises TenutoError:
        """Step what is stepped by epochs. Spec: TR-LOOP-013."""
        ...

    def capture(self, mut doc: Document) raises TenutoError -> Value:
        """Put model, optimizer, scheduler and generators into a document.

        Returns the gradients of an open window, or nil. Spec: TR-STATE-001.
        """
        ...

    def mismatches(
        self, state: Document, batch_in_epoch: Int
    ) raises TenutoError -> List[String]:
        """The path of everything in a state that does not fit.

        Spec: TR-REST-001.
        """
        ...

    def restore(mut self, state: Document) raises TenutoError:
        """Take over a state that fits, or nothing. Spec: TR-REST-002."""
        ...
