"""Which consistent boundary a state belongs to, and whether it is exact."""
from ..tree import Value


struct Boundary(Movable):
    """The last consistent boundary of a training.

    Spec: TR-LOOP-004, TR-LOOP-017, TR-LOOP-018, TR-STATE-021.
    """

    var in_hook: Bool  # stays true if a hook fails
    var touched: Bool  # inside a step of the workload
    var copies: List[Value]  # states of the callbacks as it was left
    var _has_left: Bool
    var _failed_in_hook: Bool
    var _restored_inexact: Bool

    def __init__(out self):
        self.in_hook = False
        self.touched = False
        self.copies = []
        self._has_left = False
        self._failed_in_hook = False
        self._restored_inexact = False

    def begin(mut self):
        """Start an attempt."""
        self.in_hook = False
        self._failed_in_hook = False

    def restored(mut self, exact: Bool):
        """A state was taken over. Spec: TR-REST-017."""
        self.reach()
        self._restored_inexact = not exact

    def reach(mut self):
        """What is counted and what is learned belong together again."""
        self.touched = False
        self.copies = []
        self._has_left = False
        self._restored_inexact = False

    def is_to_leave(self) -> Bool:
        """Whether the states of the callbacks are still those of it."""
        return not self._has_left

    def leave(mut self, var copies: List[Value]):
        """From here on hooks move the states of the callbacks."""
        self.copies = copies^
        self._has_left = True

    def fail(mut self):
        """A hook that failed has left callbacks of its event out.

        Spec: TR-FAIL-007.
        """
        self._failed_in_hook = self.in_hook

    def is_exact(self) -> Bool:
        """Whether training continues bit for bit from it."""
        return not (
            self._failed_in_hook or self._restored_inexact or self.touched
        )
