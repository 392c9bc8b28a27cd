"""Changes of one thing each, and the rule and clause under which `tenuto spec lint` has to report it.

By file: rule, clause, and what is changed, as `old => new`.
"""

INTERFACES = "spec/v1/interfaces"
CHANGES = {
    # -- prose and interface files
    f"{INTERFACES}/base_callback.yaml": [
        ("form", "CB-HOOK-099", "clause: CB-HOOK-006, text => clause: CB-HOOK-099, text"),
    ],
    f"{INTERFACES}/checkpoint_callback.yaml": [
        ("text", "CPC-NAME-005", "enum[auto, symlink, copy, none] => enum[auto, copy, none]"),
        ("text", "STORE-SAVE-010", "  disk_full: { =>   disk_is_full: {"),
        ("pending", "CPC-ERR-002", "after which the run fails} => after which the run fails, pending: manager}"),
    ],
    f"{INTERFACES}/trainer.yaml": [
        ("pending", "STORE-IDX-001", "  IndexRun:\n    pending: runs =>   IndexRun:\n    pending: soon"),
    ],
    f"{INTERFACES}/ckpt.yaml": [
        ("text", "CKPT-FILE-002", "    rng_state: {value: map, clause: CKPT-FILE-002}\n => "),
        ("text", "CKPT-VAL-010", "bad_segment_ref: {phase: framing => bad_segment_ref: {phase: head"),
    ],
    "spec/v1/10-callbacks.md": [
        ("text", "CB-EARLY-001", "| `patience` | integer | => | `patience` | float64 |"),
        ("text", "CB-HOOK-005", "| `on_teardown` | last, whatever happened | |\n => "),
        ("text", "CB-HOOK-010", "was deleted | `deleted` | => was deleted | `removed` |"),
        ("text", "CB-HOOK-006", "before the first batch of an epoch | | => at the first batch of an epoch | |"),
    ],
    "spec/v1/20-checkpoint-callback.md": [
        ("text", "CPC-ERR-002", "| `max_save_failures` | integer | 3 | => | `max_save_failures` | integer | 4 |"),
        ("text", "CPC-BEST-005", "| 0.0 | finite, at least 0.0 | => | 0.0 | at least 0.0 |"),
        ("text", "CPC-SET-001", "| `async_save` | bool => | `async` | bool"),
    ],
    "spec/v1/30-trainer.md": [
        ("text", "TR-RES-001", "or path | `never` | => or path | `auto` |"),
    ],
    "spec/v1/40-ckpt-format.md": [
        ("text", "CKPT-FILE-002", "| 5 | `optimizer_state` | map: => | 5 | `optimizer_state` | tree:"),
        ("text", "CKPT-LIM-001", "| rank of a tensor | 32 | => | rank of a tensor | 64 |"),
        ("text", "CKPT-VAL-004", "`bfloat16` | 2 | => `bfloat16` | 4 |"),
        ("text", "CKPT-READ-001", "`unsupported_ext`, `bad_tensor`, => `unsupported_ext`, `worse_tensor`,"),
    ],
    # -- generated files
    "reference/events/hooks.py": [
        ("generated", "CB-ORDER-003", '"on_epoch_end" => "on_epoch_finish"'),
    ],
    "reference/checkpoint/constants.py": [
        ("generated", "CKPT-LIM-001", "RANK_LIMIT: Final = 32 => RANK_LIMIT: Final = 64"),
        ("generated", "CKPT-VAL-004", '"bfloat16": 2 => "bfloat16": 4'),
    ],
    "reference/codes.py": [
        ("generated", "TR-RES-006", '"ambiguous_run" => "ambiguous_runs"'),
    ],
    "reference/trainer/reasons.py": [
        ("generated", "TR-STATE-004", '    "best",\n => '),
    ],
    # -- the reference, written by hand
    "callbacks/base.py": [
        ("hook", "CB-ORDER-003", "def on_epoch_end( => def on_epoch_finish("),
        ("hook", "CB-HOOK-001", "def on_epoch_end( => def on_epoch_finish("),
        (
            "hook",
            "CB-HOOK-013",
            "on_batch_end(self, context: Context) => on_batch_end(self, context: Context, step: int)",
        ),
        ("hook", "TR-FAIL-001", "context: ExceptionRaised => context: Context"),
        ("hook", "CB-HOOK-003", '"""Before validation.""" => context.request_stop("")'),
        ("field", "CB-ORDER-001", 'phase: Phase = "observe" => phase: Phase = "checkpoint"'),
        ("field", "CB-STATE-004", "def state_key(self) -> str: => def state_key(self) -> int:"),
        ("call", "CB-STATE-001", "def state_dict(self) -> dict[str, Tree]: => def state_dict(self) -> list[Tree]:"),
    ],
    "callbacks/settings.py": [
        ("setting", "CPC-ERR-002", "field(default=3, => field(default=4,"),
        ("setting", "CPC-BEST-005", "min_delta: float = field(default=0.0, => min_delta: float = field(default=0,"),
        ("setting", "CPC-KEEP-001", "    keep_last_n: int | None = =>     keep_last: int | None ="),
        ("setting", "CPC-SET-001", "    keep_last_n: int | None = =>     keep_last: int | None ="),
        ("range", "CPC-SET-006", 'one_of("zstd", None) => one_of("zst", None)'),
    ],
    "callbacks/policies/ranges.py": [
        ("range", "CPC-BEST-005", "not 0 <= value => not 0 < value"),
    ],
    "callbacks/policies/monitors.py": [
        ("field", "CPC-NAME-009", "overwrite: bool = field(default=True => overwrite: bool = field(default=False"),
    ],
    "callbacks/policies/ranking.py": [
        ("setting", "CPC-BEST-001", 'Literal["min", "max"] => Literal["min", "max", "auto"]'),
    ],
    "callbacks/checkpoint.py": [
        ("call", "CPC-CALL-001", "epoch: int | None = None, => folder: str, epoch: int | None = None,"),
        ("code", "ERR-CODE-001", 'ConfigError("epoch_mismatch" => ConfigError("epoch_differs"'),
        ("code", "CPC-CALL-001", 'ConfigError("epoch_mismatch" => ConfigError("epoch_differs"'),
        ("range", "CB-EARLY-001", "class CheckpointCallback( => class Checkpointing("),  # the first that is tried
    ],
    "callbacks/missing_monitors.py": [
        ("code", "ERR-CODE-001", 'ConfigError("monitor_missing" => ConfigError(monitor'),
    ],
    "reference/events/contexts.py": [
        ("field", "CB-STATE-003", "    resumed: bool\n => "),
        ("field", "TR-FAIL-007", "    exact: bool\n =>     exact: str\n"),
        ("field", "CB-HOOK-001", "    resumed: bool\n =>     resumed: bool\n    folder: str\n"),
        ("field", "TR-RES-007", "    attempt: int = 1\n =>     attempt: int = 0\n"),
        ("call", "CB-STOP-001", "request_stop: Callable[[str], None] => request_stop: Callable[[], None]"),
        ("call", "CPC-STATE-003", "        best: dict[str, Tree],\n => "),
    ],
    "reference/ranges.py": [
        ("range", "CPC-KEEP-001", "(type(value) is not int or value < 1 => (type(value) is not int or value < 0"),
        ("range", "CPC-WHEN-001", "(type(value) is not int or value < 1 => (type(value) is not int or value < 2"),
        ("range", "CPC-WHEN-008", "and 0 < value < => and 0 <= value <"),
        (
            "range",
            "TR-REST-008",
            "    if type(value) is not int or value < 1 =>     if type(value) is not int or value < 0",
        ),
        ("range", "TR-FAIL-020", "and 0 < value < => and 0 <= value <"),
    ],
    "reference/trainer/loop.py": [
        ("call", "TR-RES-001", 'PathLike[str] = "never", => PathLike[str] = "auto",'),
        ("call", "TR-REST-012", "require_exact: bool = False, => require_exact: bool = True,"),
    ],
    "reference/trainer/training.py": [
        (
            "call",
            "TR-REST-001",
            "def restore_state(self, state: Document, => def restore_state(self, document: Document,",
        ),
        (
            "call",
            "TR-REST-009",
            (
                'strict: bool = True) -> RestoreReport:\n        """Takes over a saved'
                ' => strict: bool = False) -> RestoreReport:\n        """Takes over a saved'
            ),
        ),
        ("key", "TR-FAIL-007", '"exact": self._boundary.is_exact() if is_exact is None else is_exact,\n => '),
    ],
    "reference/trainer/torch_trainer.py": [
        ("setting", "TR-REST-008", "        max_epochs: int,\n =>         max_epochs: int = 1,\n"),
        (
            "setting",
            "TR-LOOP-014",
            "        max_steps: int | None = None,\n => ",
        ),
    ],
    "reference/trainer/state.py": [
        ("key", "TR-STATE-016", '"elapsed_seconds": elapsed => "seconds": elapsed'),
        ("key", "TR-STATE-003", '"elapsed_seconds": elapsed => "host": "", "elapsed_seconds": elapsed'),
        ("code", "TR-REST-001", 'RestoreError("state_mismatch" => ConfigError("state_mismatch"'),
        ("code", "ERR-CODE-003", 'RestoreError("state_mismatch" => ConfigError("state_mismatch"'),
    ],
    "reference/trainer/resume.py": [
        ("code", "TR-RES-002", 'RestoreError("inexact_state" => RestoreError("not_resumable"'),
        ("code", "ERR-CODE-001", 'RestoreError("inexact_state" => RestoreError("half_state"'),
    ],
    "reference/checkpoint/refusals.py": [
        ("code", "STORE-SAVE-010", '    errno.ENOTDIR: "not_a_folder",\n => '),
    ],
}
