"""The names of checkpoint files. Pure."""
from ..events.progress import Progress
from ..ledger import is_epoch_name

comptime LATEST: StaticString = "latest.ckpt"
comptime FINAL_WEIGHTS: StaticString = "final_model.ckpt"


def padded(n: Int, width: Int) -> String:
    """A number with zeros before it, and whole. Spec: CPC-NAME-007."""
    var digits = String(n)
    while digits.byte_length() < width:
        digits = "0" + digits
    return digits^


def escape(metric: StringSpan) -> String:
    """The name of a metric as a part of a file name. Spec: CPC-NAME-004."""
    comptime HEX = "0123456789ABCDEF"
    var text = List[UInt8]()
    for c in metric.as_bytes():
        if (
            (c >= 0x30 and c <= 0x39)
            or (c >= 0x41 and c <= 0x5A)
            or (c >= 0x61 and c <= 0x7A)
            or c == 0x2E
            or c == 0x5F
            or c == 0x2D
        ):
            text.append(c)
        else:
            text.append(0x25)
            text.append(HEX.as_bytes()[Int(c >> 4)])
            text.append(HEX.as_bytes()[Int(c & 15)])
    return String(from_utf8_lossy=text)


def _moment(progress: Progress) -> String:
    """Spec: CPC-NAME-001, CPC-NAME-008."""
    var text = String("epoch_", padded(progress.epoch, 4))
    if progress.batch_in_epoch != 0:
        text += "_step_" + padded(progress.global_step, 8)
    return text^


def boundary_name(progress: Progress, in_window: Bool, dirs: Bool) -> String:
    """The name of a periodic, manual or final save; `dirs`: `epoch_dirs`.

    Spec: CPC-NAME-001, CPC-NAME-015, STORE-DIR-002.
    """
    if dirs and progress.batch_in_epoch == 0:
        return String("epoch_", progress.epoch, "/checkpoint.ckpt")
    var name = "checkpoint_" + _moment(progress)
    if in_window:
        name += "_batch_" + padded(progress.batch_in_epoch, 6)
    return name + ".ckpt"


def emergency_name(progress: Progress) -> String:
    """The name of an emergency save. Spec: CPC-NAME-002."""
    return String(
        "emergency_epoch_",
        padded(progress.epoch, 4),
        "_step_",
        padded(progress.global_step, 8),
        ".ckpt",
    )


def best_name(metric: StringSpan) -> String:
    """The name of rank 1 of a monitor. Spec: CPC-NAME-003."""
    return String("best_model_", escape(metric), ".ckpt")


def entry_name(metric: StringSpan, slots: Int, progress: Progress) -> String:
    """The name of an entry of a best list. Spec: CPC-NAME-003, CPC-STATE-004.
    """
    if slots == 1:
        return best_name(metric)
    return String(
        "best_model_", escape(metric), "_", _moment(progress), ".ckpt"
    )


def _digits(b: Span[UInt8, _], start: Int) -> Int:
    """Offset behind the digits at `start`."""
    var at = start
    while at < len(b) and b[at] >= 0x30 and b[at] <= 0x39:
        at += 1
    return at


def _field(b: Span[UInt8, _], at: Int, label: StringSpan, least: Int) -> Int:
    """Offset behind a label and at least so many digits, or -1."""
    var n = label.byte_length()
    if n > len(b) - at or b[at : at + n] != label.as_bytes():
        return -1
    var end = _digits(b, at + n)
    return end if end - at - n >= least else -1


def moment_end(b: Span[UInt8, _], start: Int) -> Int:
    """Offset behind `epoch_N`, or behind `epoch_N_step_M`, at `start`, or -1.
    """
    var at = _field(b, start, "epoch_", 4)
    if at < 0:
        return -1
    var further = _field(b, at, "_step_", 8)
    return further if further >= 0 else at


def is_boundary_name(name: StringSpan) -> Bool:
    """Whether a periodic, manual or final save may have a name."""
    var b = name.as_bytes()
    comptime START = "checkpoint_"
    if is_epoch_name(name):
        return True
    if len(b) < 11 or b[0:11] != START.as_bytes():
        return False
    var at = moment_end(b, 11)
    if at < 0:
        return False
    var batch = _field(b, at, "_batch_", 6)
    if batch >= 0 and _field(b, 11, "epoch_", 4) != at:
        at = batch
    return b[at : len(b)] == ".ckpt".as_bytes()


def is_emergency_name(name: StringSpan) -> Bool:
    """Whether an emergency save may have a name."""
    var b = name.as_bytes()
    comptime START = "emergency_"
    if len(b) < 10 or b[0:10] != START.as_bytes():
        return False
    var at = _field(b, 10, "epoch_", 4)
    if at >= 0:
        at = _field(b, at, "_step_", 8)
    return at >= 0 and b[at : len(b)] == ".ckpt".as_bytes()


def stem_of(name: StringSpan) -> String:
    """A name without `.ckpt`; of `epoch_{N}/checkpoint.ckpt` `epoch_{N}`.

    Spec: STORE-DIR-002.
    """
    var n = name.byte_length() - (16 if is_epoch_name(name) else 5)
    return String(from_utf8_lossy=name.as_bytes()[0:n])


def is_bare_name(name: StringSpan) -> Bool:
    """Whether it is the name of a checkpoint in the folder and leads nowhere
    else. Spec: CPC-STATE-005.
    """
    var b = name.as_bytes()
    if len(b) < 6 or b[len(b) - 5 : len(b)] != ".ckpt".as_bytes():
        return False
    for c in b:
        if c == 0x2F or c == 0x5C or c == 0:
            return False
    return b[0] != 0x2E
