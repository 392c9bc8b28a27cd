"""The settings of a trainer."""
from ..errors import TenutoError
from ..msgpack import Kind
from ..settings import (
    invalid,
    read_integer,
    read_integer_or_nil,
    read_positive,
    read_switch,
    read_word,
)
from ..tree import Value


struct TrainerSettings(Copyable):
    """Section 1 of 30-trainer.md; `from_map` checks them. Spec: TR-SET-001."""

    var max_epochs: Int
    var validate_every: Int
    var max_steps: Optional[Int]
    var max_seconds: Optional[Float64]
    var require_exact: Bool
    var on_unusable_checkpoint: String

    def __init__(out self, max_epochs: Int, validate_every: Int = 1):
        self.max_epochs = max_epochs
        self.validate_every = validate_every
        self.max_steps = None
        self.max_seconds = None
        self.require_exact = False
        self.on_unusable_checkpoint = "error"

    @staticmethod
    def from_map(given: Value) raises TenutoError -> Self:
        """The settings of a map, which has `max_epochs`."""
        if given.find("max_epochs") < 0:
            raise invalid("max_epochs", "an integer of at least 1")
        var made = Self(1)
        for i in range(0, len(given.items), 2):
            made.put(given.items[i].as_text(), given.items[i + 1])
        return made^

    def put(mut self, name: String, v: Value) raises TenutoError:
        """Set one by its name."""
        if name == "max_epochs":
            self.max_epochs = read_integer(name, v, 1)
        elif name == "validate_every":
            self.validate_every = read_integer(name, v, 1)
        elif name == "max_steps":
            self.max_steps = read_integer_or_nil(name, v)
        elif name == "max_seconds":
            self.max_seconds = None
            if v.kind != Kind.NIL:
                self.max_seconds = read_positive(name, v, whole=True)
        elif name == "require_exact":
            self.require_exact = read_switch(name, v)
        elif name == "on_unusable_checkpoint":
            self.on_unusable_checkpoint = read_word(name, v, "error fresh")
        else:
            raise invalid(name, "the name of a setting of the trainer")

    def check(self) raises TenutoError:
        """Refuse what was set past `put`."""
        if self.max_epochs < 1:
            raise invalid("max_epochs", "an integer of at least 1")
        if self.validate_every < 1:
            raise invalid("validate_every", "an integer of at least 1")
        if self.max_steps and self.max_steps.value() < 1:
            raise invalid("max_steps", "an integer of at least 1")
