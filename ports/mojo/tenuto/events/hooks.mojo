"""The hooks, by number and by name."""


struct Hook:
    """The moments of a training. Spec: section 1 of 10-callbacks.md."""

    comptime TRAIN_START = 0
    comptime EPOCH_START = 1
    comptime BATCH_START = 2
    comptime BATCH_END = 3
    comptime VALIDATION_START = 4
    comptime VALIDATION_END = 5
    comptime EPOCH_END = 6
    comptime CHECKPOINT_SAVED = 7
    comptime CHECKPOINT_DELETED = 8
    comptime TRAIN_END = 9
    comptime EXCEPTION = 10
    comptime TEARDOWN = 11


comptime HOOK_COUNT = 12


def _hook_names() -> Array[StaticString, HOOK_COUNT]:
    return [
        "on_train_start",
        "on_epoch_start",
        "on_batch_start",
        "on_batch_end",
        "on_validation_start",
        "on_validation_end",
        "on_epoch_end",
        "on_checkpoint_saved",
        "on_checkpoint_deleted",
        "on_train_end",
        "on_exception",
        "on_teardown",
    ]


comptime HOOKS = _hook_names()


def hook_name(hook: Int) -> StaticString:
    """The name of a hook. Spec: GEN-NAME-002."""
    comptime for i in range(HOOK_COUNT):
        comptime name = HOOKS[i]
        if hook == i:
            return name
    return ""


def hook_of(name: StringSpan) -> Int:
    """The number of a hook, or -1."""
    comptime for i in range(HOOK_COUNT):
        comptime known = HOOKS[i]
        if name.as_bytes() == known.as_bytes():
            return i
    return -1
