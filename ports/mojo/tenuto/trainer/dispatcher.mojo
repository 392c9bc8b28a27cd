"""Calls the hooks of the callbacks, in two phases."""
from ..errors import Phase, TenutoError
from ..events.contexts import Context
from ..events.listener import AnyCallback
from ..log import log
from ..tree import Value


def _rank(one: AnyCallback) -> Int:
    """Observers, then those of the checkpoint phase, who saves last.

    Spec: CB-ORDER-001, CB-ORDER-006.
    """
    return 2 if one.folder else one.phase


struct Dispatcher(Movable):
    """The callbacks of one trainer, in the order in which they are called.

    Spec: CB-ORDER-005, CB-HOOK-011.
    """

    var listeners: List[AnyCallback]

    def __init__(out self, var callbacks: List[AnyCallback]) raises TenutoError:
        """Errors: `several_checkpoint_callbacks`, `duplicate_state_key`.

        Spec: CB-ORDER-004, CB-STATE-002.
        """
        self.listeners = List[AnyCallback](capacity=len(callbacks))
        for rank in range(3):
            var kept = List[AnyCallback](capacity=len(callbacks))
            callbacks.reverse()
            while len(callbacks) > 0:
                var one = callbacks.pop()
                if _rank(one) == rank:
                    self.listeners.append(one^)
                else:
                    kept.append(one^)
            callbacks = kept^
        var saving = 0
        for i in range(len(self.listeners)):
            saving += 1 if self.listeners[i].folder else 0
        if saving > 1:
            raise TenutoError(
                "several_checkpoint_callbacks",
                Phase.CONFIG,
                String(saving, " callbacks save; expected at most one"),
            )
        _ = self.capture(List[Value]())

    def folder(self) -> Optional[String]:
        """Where checkpoints are saved, if a callback saves any."""
        for i in range(len(self.listeners)):
            if self.listeners[i].folder:
                return self.listeners[i].folder.copy()
        return None

    def dispatch(self, context: Context) raises TenutoError:
        """Call every callback; an error ends the round. Spec: CB-FAIL-001."""
        for i in range(len(self.listeners)):
            self.listeners[i].call(context)

    def dispatch_to_all(self, context: Context, hook: StringSpan):
        """Call every callback whatever happens; what fails is logged.

        Spec: CB-FAIL-002, CB-FAIL-003, CB-FAIL-004, TR-FAIL-012.
        """
        for i in range(len(self.listeners)):
            try:
                self.listeners[i].call(context)
            except e:
                log(String("in ", hook, ": ", e))

    def copies(self) -> List[Value]:
        """The state of each callback as it is now."""
        var states = List[Value](capacity=len(self.listeners))
        for i in range(len(self.listeners)):
            states.append(self.listeners[i].state_dict())
        return states^

    def capture(self, copies: List[Value]) raises TenutoError -> Value:
        """The states by their keys: the copies, where there are any, but of
        who saves the present one, for its lists are those after the event.

        Spec: CB-STATE-001, CB-STATE-002, CPC-BEST-013, TR-LOOP-018.
        """
        var states = Value.map()
        for i in range(len(self.listeners)):
            ref one = self.listeners[i]
            var state: Value
            if len(copies) > 0 and not one.folder:
                state = copies[i].copy()
            else:
                state = one.state_dict()
            if len(state.items) == 0:
                continue
            if states.find(one.state_key) >= 0:
                raise TenutoError(
                    "duplicate_state_key", Phase.CONFIG, one.state_key.copy()
                )
            states.put(one.state_key, state^)
        return states^

    def restore(self, states: Value) raises TenutoError -> List[Value]:
        """Hand each callback its saved state; the former ones, for `undo`.

        Spec: CB-STATE-003, CB-STATE-007.
        """
        var former = self.copies()
        for i in range(len(self.listeners)):
            var at = states.find(self.listeners[i].state_key)
            if at < 0:
                continue
            try:
                self.listeners[i].load_state_dict(states.items[at])
            except e:
                self.undo(former, i + 1)
                raise e^
        return former^

    def undo(self, former: List[Value], count: Int):
        """Give the first callbacks their former states back."""
        for i in range(count):
            if former[i].items:
                try:
                    self.listeners[i].load_state_dict(former[i])
                except e:
                    log(String("undoing a restore: ", e))

    def unmatched(self, states: Value) -> List[String]:
        """The saved states without a callback, and the other way round.

        Spec: CB-STATE-005, TR-REST-011.
        """
        var notes = List[String]()
        var keys = List[String]()
        for i in range(len(self.listeners)):
            keys.append(self.listeners[i].state_key.copy())
            var has_state = len(self.listeners[i].state_dict().items) > 0
            if has_state and states.find(keys[i]) < 0:
                notes.append(
                    String("callback ", keys[i], ": has no state in the file")
                )
        for i in range(0, len(states.items), 2):
            var key = states.items[i].as_text()
            if key not in keys:
                notes.append(
                    String("callback_state.", key, ": no callback has it")
                )
        return notes^
