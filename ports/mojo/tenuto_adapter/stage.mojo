"""The callbacks of a scenario: each notes every call of a hook in the file of
events, and then acts. Spec: SCN-DATA-002, SCN-DATA-003, SCN-EVENT-001.
"""
from std.memory import ArcPointer
from tenuto.callbacks.checkpoint import CheckpointCallback
from tenuto.errors import TenutoError
from tenuto.events.contexts import Context
from tenuto.events.hooks import HOOK_COUNT
from tenuto.events.listener import Callback, Phase
from tenuto.fs import Fd, O_CREAT, O_WRONLY
from tenuto.storage import move, remove
from tenuto.trainer.signals import send
from tenuto.tree import Value
from tenuto_adapter.events import event_line
from tenuto_adapter.scenario import Action, Part


struct Stage(Movable):
    """What the callbacks of an attempt share: the file of events, the folder,
    and the checkpoint callbacks by their names.
    """

    var folder: String
    var saving: Dict[String, CheckpointCallback]
    var _events: Fd

    def __init__(out self, var folder: String, var events: Fd):
        self.folder = folder^
        self.saving = {}
        self._events = events^

    def note(mut self, name: String, context: Context) raises TenutoError:
        """Write down that a callback was called. Spec: SCN-EVENT-002."""
        self._events.write_all(event_line(name, context, self.folder))

    def act(mut self, action: Action, context: Context) raises TenutoError:
        """Do what a callback was told to do."""
        if action.do == "stop":
            context.request_stop(action.text)
        elif action.do == "raise":
            raise TenutoError(action.text.copy(), "train", "told to fail")
        elif action.do == "signal":
            send(action.text)
        elif action.do == "break":
            move(self.folder, self.folder + ".away")
            _ = Fd(self.folder, O_WRONLY | O_CREAT)
        elif action.do == "mend":
            remove(self.folder)
            move(self.folder + ".away", self.folder)
        else:
            self._save(action, context)

    def _save(mut self, action: Action, context: Context) raises TenutoError:
        """A manual save, whose error is dropped."""
        var found = self.saving.get(action.text)
        if not found:
            raise TenutoError("internal", "internal", action.text.copy())
        try:
            _ = found.value().save_in(context, action.metrics)
        except:
            pass


struct Script(Movable):
    """What one callback notes and does."""

    var part: Part
    var stage: ArcPointer[Stage]
    var _calls: ArcPointer[List[Int]]  # behind a pointer: a hook that announces
    # is left and entered again before it ends

    def __init__(out self, part: Part, stage: ArcPointer[Stage]):
        self.part = part.copy()
        self.stage = stage
        self._calls = ArcPointer(List[Int](length=HOOK_COUNT, fill=0))

    def follow(self, context: Context) raises TenutoError:
        """Note a call, and do what is to be done at it."""
        self.stage[].note(self.part.name, context)
        self._calls[][context.hook] += 1
        var call = self._calls[][context.hook]
        for action in self.part.actions:
            if action.hook == context.hook and action.call == call:
                self.stage[].act(action, context)


struct Silent(Callback):
    """An observer: nothing but what its script says, and a count of batches."""

    var name: String
    var counts: Bool
    var own_phase: Int
    var batches: Int

    def __init__(out self, part: Part):
        self.name = part.name.copy()
        self.counts = part.counts
        self.own_phase = Phase.OBSERVE
        if part.phase == "checkpoint":
            self.own_phase = Phase.CHECKPOINT
        self.batches = 0

    def state_key(self) -> String:
        return self.name.copy()

    def phase(self) -> Int:
        return self.own_phase

    def state_dict(self) -> Value:
        var m = Value.map()
        if self.counts:
            m.put("batches", Value.int(Int64(self.batches)))
        return m^

    def load_state_dict(mut self, state: Value) raises TenutoError:
        self.batches = state.get("batches").as_int()

    def on_batch_end(mut self, context: Context) raises TenutoError:
        self.batches += 1


struct Noted[T: Callback](Callback):
    """A callback of the library or of the scenario, registered like a user's,
    whose hooks are noted before they act.
    """

    var inner: Self.T
    var script: Script

    def __init__(out self, var inner: Self.T, var script: Script):
        self.inner = inner^
        self.script = script^

    def state_key(self) -> String:
        return self.inner.state_key()

    def phase(self) -> Int:
        return self.inner.phase()

    def checkpoint_folder(self) -> Optional[String]:
        return self.inner.checkpoint_folder()

    def state_dict(self) -> Value:
        return self.inner.state_dict()

    def load_state_dict(mut self, state: Value) raises TenutoError:
        self.inner.load_state_dict(state)

    def on_train_start(mut self, context: Context) raises TenutoError:
        self.script.follow(context)
        self.inner.on_train_start(context)

    def on_epoch_start(mut self, context: Context) raises TenutoError:
        self.script.follow(context)
        self.inner.on_epoch_start(context)

    def on_batch_start(mut self, context: Context) raises TenutoError:
        self.script.follow(context)
        self.inner.on_batch_start(context)

    def on_batch_end(mut self, context: Context) raises TenutoError:
        self.script.follow(context)
        self.inner.on_batch_end(context)

    def on_validation_start(mut self, context: Context) raises TenutoError:
        self.script.follow(context)
        self.inner.on_validation_start(context)

    def on_validation_end(mut self, context: Context) raises TenutoError:
        self.script.follow(context)
        self.inner.on_validation_end(context)

    def on_epoch_end(mut self, context: Context) raises TenutoError:
        self.script.follow(context)
        self.inner.on_epoch_end(context)

    def on_checkpoint_saved(mut self, context: Context) raises TenutoError:
        self.script.follow(context)
        self.inner.on_checkpoint_saved(context)

    def on_checkpoint_deleted(mut self, context: Context) raises TenutoError:
        self.script.follow(context)
        self.inner.on_checkpoint_deleted(context)

    def on_train_end(mut self, context: Context) raises TenutoError:
        self.script.follow(context)
        self.inner.on_train_end(context)

    def on_exception(mut self, context: Context) raises TenutoError:
        self.script.follow(context)
        self.inner.on_exception(context)

    def on_teardown(mut self, context: Context) raises TenutoError:
        self.script.follow(context)
        self.inner.on_teardown(context)
