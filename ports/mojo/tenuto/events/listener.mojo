"""The callback trait, and a box for any callback."""
from std.memory import OwnedPointer
from std.reflection import reflect
from ..errors import TenutoError
from ..tree import Value
from .contexts import Context, Erased
from .hooks import Hook


struct Phase:
    """When a callback is called at an event. Spec: CB-ORDER-001."""

    comptime OBSERVE = 0
    comptime CHECKPOINT = 1


trait Callback(Deinitable, Movable):
    """An object with hooks; each has a default that does nothing.

    Spec: CB-HOOK-003, GEN-VER-003.
    """

    def state_key(self) -> String:
        """Under which its state is saved: its class, unless it says otherwise.

        Spec: CB-STATE-004.
        """
        return class_name[Self]()

    def phase(self) -> Int:
        """`Phase.OBSERVE` or `Phase.CHECKPOINT`."""
        return Phase.OBSERVE

    def checkpoint_folder(self) -> Optional[String]:
        """Where it saves checkpoints, if it does. Spec: CB-ORDER-004."""
        return None

    def state_dict(self) -> Value:
        """What a checkpoint keeps of it, a map; nil or an empty one: nothing.

        Spec: CB-STATE-001.
        """
        return Value()

    def load_state_dict(mut self, state: Value) raises TenutoError:
        """Take over what `state_dict` gave. Spec: CB-STATE-003."""
        pass

    def on_train_start(mut self, context: Context) raises TenutoError:
        """Before the first batch of an attempt."""
        pass

    def on_epoch_start(mut self, context: Context) raises TenutoError:
        """Before the first batch of an epoch."""
        pass

    def on_batch_start(mut self, context: Context) raises TenutoError:
        """Before a batch is trained on."""
        pass

    def on_batch_end(mut self, context: Context) raises TenutoError:
        """After a batch was trained on and counted."""
        pass

    def on_validation_start(mut self, context: Context) raises TenutoError:
        """Before validation."""
        pass

    def on_validation_end(mut self, context: Context) raises TenutoError:
        """After validation; its metrics are recorded."""
        pass

    def on_epoch_end(mut self, context: Context) raises TenutoError:
        """After the epoch was counted."""
        pass

    def on_checkpoint_saved(mut self, context: Context) raises TenutoError:
        """After a checkpoint became durable."""
        pass

    def on_checkpoint_deleted(mut self, context: Context) raises TenutoError:
        """After a name of a checkpoint was deleted."""
        pass

    def on_train_end(mut self, context: Context) raises TenutoError:
        """After the last epoch, or a stop."""
        pass

    def on_exception(mut self, context: Context) raises TenutoError:
        """After a failure, in the place of `on_train_end`."""
        pass

    def on_teardown(mut self, context: Context) raises TenutoError:
        """Last, whatever happened."""
        pass


def class_name[T: AnyType]() -> String:
    """The name of a type, without its module and parameters."""
    var full = String(reflect[T].name())
    var start = 0
    var end = full.byte_length()
    var b = full.as_bytes()
    for i in range(len(b)):
        if b[i] == UInt8(ord("[")):
            end = i
            break
        if b[i] == UInt8(ord(".")):
            start = i + 1
    return String(from_utf8_lossy=b[start:end])


def _call[T: Callback](p: Erased, context: Context) raises TenutoError -> None:
    """Call the hook of a context."""
    ref one = p.unsafe_bitcast[T]()[]
    var hook = context.hook
    if hook == Hook.TRAIN_START:
        one.on_train_start(context)
    elif hook == Hook.EPOCH_START:
        one.on_epoch_start(context)
    elif hook == Hook.BATCH_START:
        one.on_batch_start(context)
    elif hook == Hook.BATCH_END:
        one.on_batch_end(context)
    elif hook == Hook.VALIDATION_START:
        one.on_validation_start(context)
    elif hook == Hook.VALIDATION_END:
        one.on_validation_end(context)
    elif hook == Hook.EPOCH_END:
        one.on_epoch_end(context)
    elif hook == Hook.CHECKPOINT_SAVED:
        one.on_checkpoint_saved(context)
    elif hook == Hook.CHECKPOINT_DELETED:
        one.on_checkpoint_deleted(context)
    elif hook == Hook.TRAIN_END:
        one.on_train_end(context)
    elif hook == Hook.EXCEPTION:
        one.on_exception(context)
    else:
        one.on_teardown(context)


def _state[T: Callback](p: Erased) -> Value:
    return p.unsafe_bitcast[T]()[].state_dict()


def _load[T: Callback](p: Erased, state: Value) raises TenutoError -> None:
    p.unsafe_bitcast[T]()[].load_state_dict(state)


def _drop[T: Callback](p: Erased) -> None:
    _ = OwnedPointer[T](unsafe_from_raw_pointer=p.unsafe_bitcast[T]())


struct AnyCallback(Movable):
    """A callback of any type; made where one is expected."""

    var state_key: String
    var phase: Int
    var folder: Optional[String]
    var _p: Erased
    var _call: def(Erased, Context) thin raises TenutoError -> None
    var _state: def(Erased) thin -> Value
    var _load: def(Erased, Value) thin raises TenutoError -> None
    var _drop: def(Erased) thin -> None

    @implicit
    def __init__[T: Callback](out self, var callback: T):
        self.state_key = callback.state_key()
        self.phase = callback.phase()
        self.folder = callback.checkpoint_folder()
        self._p = (
            OwnedPointer(callback^)
            .unsafe_take_allocation()
            .unsafe_leak()
            .unsafe_bitcast[NoneType]()
        )
        self._call = _call[T]
        self._state = _state[T]
        self._load = _load[T]
        self._drop = _drop[T]

    def __deinit__(deinit self):
        self._drop(self._p)

    def call(self, context: Context) raises TenutoError:
        """Call the hook of a context."""
        self._call(self._p, context)

    def state_dict(self) -> Value:
        """See `Callback`."""
        return self._state(self._p)

    def load_state_dict(self, state: Value) raises TenutoError:
        """See `Callback`."""
        self._load(self._p, state)
