"""The checkpoint callback."""
from std.memory import ArcPointer
from ..ckpt import read_file
from ..document import Document
from ..errors import Phase, TenutoError
from ..events.contexts import Context
from ..events.listener import Callback
from ..events.listener import Phase as CallPhase
from ..storage import is_file
from ..tree import Value
from ..trainer.loop import Trainer
from ..trainer.workload import Workload
from .memory import Memory
from .saver import Saver
from .settings import CheckpointSettings


struct CheckpointCallback(Callback, Copyable):
    """Saves checkpoints: periodic, best, latest, at the end, in an emergency.

    A copy is the same callback: give one to the trainer and keep another for
    calls from outside. Errors: `invalid_setting`, `duplicate_file_name`.
    Spec: CPC-SET-001.
    """

    var settings: CheckpointSettings
    var _memory: ArcPointer[Memory]
    var _saver: ArcPointer[Saver]

    def __init__(out self, var settings: CheckpointSettings) raises TenutoError:
        settings.check()
        self._memory = ArcPointer(Memory(settings.chosen()))
        self._saver = ArcPointer(Saver(settings, self._memory))
        self.settings = settings^

    def state_key(self) -> String:
        """The same whatever is monitored, and in every port."""
        return "CheckpointCallback"

    def phase(self) -> Int:
        return CallPhase.CHECKPOINT

    def checkpoint_folder(self) -> Optional[String]:
        return self.settings.checkpoint_dir.copy()

    def state_dict(self) -> Value:
        """Spec: CPC-STATE-001."""
        return self._memory[].to_map()

    def load_state_dict(mut self, state: Value) raises TenutoError:
        self._memory[].load(state)

    def on_train_start(mut self, context: Context) raises TenutoError:
        self._saver[].start(context)

    def on_batch_end(mut self, context: Context) raises TenutoError:
        self._saver[].end_batch(context)

    def on_epoch_end(mut self, context: Context) raises TenutoError:
        self._saver[].end_epoch(context)

    def on_train_end(mut self, context: Context) raises TenutoError:
        self._saver[].finish(context)

    def on_exception(mut self, context: Context) raises TenutoError:
        """What fails in telling older news keeps no emergency save back."""
        try:
            self._saver[].news.tell(context)
        finally:
            self._saver[].save_emergency(context)

    def on_teardown(mut self, context: Context) raises TenutoError:
        self._saver[].close()

    # -- calls from outside the loop -----------------------------------------

    def save_checkpoint[
        W: Workload
    ](
        self,
        mut trainer: Trainer[W],
        metrics: Value,
        epoch: Optional[Int] = None,
    ) raises TenutoError -> String:
        """Save the present state of a trainer now; the path of the file.

        Errors: `epoch_mismatch`, and why the save failed.
        Spec: CPC-CALL-001, CPC-CALL-003, CPC-CALL-004.
        """
        return self.save_in(trainer.context(), metrics, epoch)

    def save_in(
        self, context: Context, metrics: Value, epoch: Optional[Int] = None
    ) raises TenutoError -> String:
        """The same from inside a hook of another callback.

        Spec: CPC-CALL-008.
        """
        if epoch and epoch.value() != context.progress.epoch:
            raise TenutoError(
                "epoch_mismatch",
                Phase.CONFIG,
                String(epoch.value(), "; expected ", context.progress.epoch),
            )
        return self._saver[].save_now(context, metrics)

    def load_checkpoint(self, path: String) raises TenutoError -> Document:
        """Read a checkpoint and check every byte; a bare name is looked up as
        given, then in the folder. Spec: CPC-CALL-002.
        """
        if path.find("/") < 0 and not is_file(path):
            return read_file(
                String(self.settings.checkpoint_dir, "/", path)
            ).take()
        return read_file(path).take()

    def last_model_path(self) -> Optional[String]:
        """Where the checkpoint is that was saved last. Spec: CPC-CALL-006."""
        return self._saver[].last_path.copy()

    def best_model_path(self) -> Optional[String]:
        """Where the best of the first monitor is."""
        ref lists = self._memory[].lists
        if len(lists) == 0 or len(lists[0].entries) == 0:
            return None
        return String(
            self.settings.checkpoint_dir, "/", lists[0].entries[0].file
        )

    def best_model_score(self) -> Optional[Float64]:
        """The best value of the first monitor."""
        ref lists = self._memory[].lists
        if len(lists) == 0 or len(lists[0].entries) == 0:
            return None
        return lists[0].entries[0].value

    def best_k_models(self) -> Dict[String, Float64]:
        """Path -> value of the best list of the first monitor."""
        var found = Dict[String, Float64]()
        ref lists = self._memory[].lists
        if len(lists) > 0:
            for entry in lists[0].entries:
                var path = String(self.settings.checkpoint_dir, "/", entry.file)
                found[path^] = entry.value
        return found^
