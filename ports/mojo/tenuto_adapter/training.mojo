"""The interpreter: carries out a scenario with the trainer and the callbacks
of the library. Spec: SCN-OP-002 to SCN-OP-004, SCN-DATA-001.
"""
from std.memory import ArcPointer
from tenuto.callbacks.checkpoint import CheckpointCallback
from tenuto.callbacks.early_stopping import EarlyStopping
from tenuto.callbacks.settings import CheckpointSettings
from tenuto.document import Document
from tenuto.errors import TenutoError, internal
from tenuto.events.listener import AnyCallback
from tenuto.events.progress import Progress
from tenuto.fs import Fd
from tenuto.msgpack import Kind
from tenuto.trainer.interrupts import is_interruption, told_code
from tenuto.trainer.loop import Trainer
from tenuto.trainer.metrics import MetricBook, flatten
from tenuto.trainer.settings import TrainerSettings
from tenuto.trainer.workload import Workload
from tenuto.tree import Value
from tenuto.workload.reference import ReferenceWorkload
from tenuto.workload.settings import WorkloadSettings
from tenuto_adapter.scenario import Part, Scenario
from tenuto_adapter.stage import Noted, Script, Silent, Stage


struct ScriptedWorkload(Workload):
    """The reference workload, but for what its validation measures."""

    var inner: ReferenceWorkload
    var script: Value
    var epoch: Int

    def __init__(
        out self, var settings: WorkloadSettings, script: Value
    ) raises TenutoError:
        self.inner = ReferenceWorkload(settings^)
        self.script = script.copy()
        self.epoch = 0

    def config(self) -> Value:
        return self.inner.config()

    def architecture(self) raises TenutoError -> Value:
        return self.inner.architecture()

    def open_epoch(mut self, epoch: Int, skip: Int) raises TenutoError:
        self.epoch = epoch
        self.inner.open_epoch(epoch, skip)

    def next_batch(mut self) raises TenutoError -> Bool:
        return self.inner.next_batch()

    def train(mut self) raises TenutoError -> Value:
        return self.inner.train()

    def completed_window(self) -> Bool:
        return self.inner.completed_window()

    def validation_batches(self) -> Int:
        return self.inner.validation_batches()

    def validate(mut self, batch: Int) raises TenutoError:
        self.inner.validate(batch)

    def validated(self) raises TenutoError -> Value:
        """What was measured, or what the script has in its place."""
        var measured = flatten(self.inner.validated())
        for i in range(0, len(self.script.items), 2):
            ref values = self.script.items[i + 1]
            if self.epoch >= len(values.items):
                continue
            var name = self.script.items[i].as_text()
            if values.items[self.epoch].kind != Kind.NIL:
                measured.put(name, values.items[self.epoch].copy())
                continue
            var at = measured.find(name)
            if at >= 0:
                _ = measured.items.pop(at)
                _ = measured.items.pop(at - 1)
        return measured^

    def end_epoch(
        mut self, metrics: MetricBook, step: Int, is_validated: Bool
    ) raises TenutoError:
        self.inner.end_epoch(metrics, step, is_validated)

    def capture(self, mut doc: Document) raises TenutoError -> Value:
        return self.inner.capture(doc)

    def mismatches(
        self, state: Document, batch_in_epoch: Int
    ) raises TenutoError -> List[String]:
        return self.inner.mismatches(state, batch_in_epoch)

    def restore(mut self, state: Document) raises TenutoError:
        self.inner.restore(state)


@fieldwise_init
struct Outcome(Movable):
    """How an attempt ended."""

    var word: String
    var detail: String
    var progress: Progress


def _callback(
    part: Part, stage: ArcPointer[Stage]
) raises TenutoError -> AnyCallback:
    """The callback that a part stands for."""
    var script = Script(part, stage)
    if part.checkpoint:
        var settings = CheckpointSettings.from_map(
            stage[].folder, part.checkpoint.value()
        )
        var saving = CheckpointCallback(settings^)
        stage[].saving[part.name.copy()] = saving.copy()
        return Noted(saving^, script^)
    if part.early_stopping:
        return Noted(
            EarlyStopping.from_map(part.early_stopping.value()), script^
        )
    return Noted(Silent(part), script^)


def carry_out(
    scenario: Scenario, folder: String, var events: Fd, resume: String
) raises TenutoError -> Outcome:
    """Train once as a scenario says.

    Errors: why the attempt was refused before `on_train_start`.
    """
    var stage = ArcPointer(Stage(folder.copy(), events^))
    var callbacks = List[AnyCallback]()
    for part in scenario.callbacks:
        callbacks.append(_callback(part, stage))
    var trainer = Trainer(
        ScriptedWorkload(
            WorkloadSettings.from_map(scenario.workload), scenario.metrics
        ),
        TrainerSettings.from_map(scenario.trainer),
        callbacks^,
    )
    var outcome = Outcome("finished", "", Progress(0, 0, 0))
    try:
        var result = trainer.fit(resume)
        if result.stop_reason:
            outcome.word = "stopped"
            outcome.detail = result.stop_reason.value().copy()
        for save in scenario.then:
            var saving = stage[].saving.get(save.text)
            if not saving:
                raise internal(save.text + ": no checkpoint callback")
            _ = saving.value().save_checkpoint(trainer, save.metrics)
    except e:
        if not trainer.has_begun:
            raise e^
        outcome.word = "interrupted" if is_interruption(e) else "raised"
        outcome.detail = told_code(e)
    outcome.progress = trainer.progress
    return outcome^
