"""The lines of the file of events. Spec: SCN-EVENT-001."""
from tenuto.errors import TenutoError
from tenuto.events.contexts import Context
from tenuto.events.hooks import Hook, hook_name
from tenuto.trainer.interrupts import told_code
from tenuto.tree import Value
from tenuto_adapter.json import quote
from tenuto_adapter.tagged import append_scalar


def _raw(mut line: List[UInt8], text: StringSpan):
    line.extend(text.as_bytes())


def append_texts(mut line: List[UInt8], texts: List[String]):
    """An array of plain texts."""
    _raw(line, "[")
    for i in range(len(texts)):
        if i > 0:
            _raw(line, ",")
        quote(line, "", texts[i].as_bytes())
    _raw(line, "]")


def append_bool(mut line: List[UInt8], value: Bool):
    """True or false."""
    _raw(line, "true" if value else "false")


def _metrics(mut line: List[UInt8], values: Value) raises TenutoError:
    _raw(line, ',"metrics":{')
    for i in range(0, len(values.items), 2):
        if i > 0:
            _raw(line, ",")
        quote(line, "", values.items[i].data)
        _raw(line, ":[")
        append_scalar(line, values.items[i + 1].get("value"))
        _raw(line, ",")
        append_scalar(line, values.items[i + 1].get("step"))
        _raw(line, "]")
    _raw(line, "}")


def event_line(
    name: String, context: Context, folder: String
) raises TenutoError -> List[UInt8]:
    """One line: that a callback was called."""
    var line = List[UInt8](capacity=512)
    _raw(line, '{"hook":"')
    _raw(line, hook_name(context.hook))
    _raw(line, '","name":')
    quote(line, "", name.as_bytes())
    var now = context.progress
    _raw(
        line,
        String(
            ',"progress":["i:',
            now.epoch,
            '","i:',
            now.batch_in_epoch,
            '","i:',
            now.global_step,
            '"]',
        ),
    )
    _metrics(line, context.metrics().values)
    _further(line, context, folder)
    _raw(line, "}\n")
    return line^


def _further(
    mut line: List[UInt8], context: Context, folder: String
) raises TenutoError:
    """The members of some hooks."""
    if context.hook == Hook.TRAIN_START:
        _raw(line, ',"resumed":')
        append_bool(line, context.resumed)
    elif context.hook == Hook.CHECKPOINT_SAVED:
        ref saved = context.saved.value()
        _raw(line, ',"names":')
        append_texts(line, saved.names)
        _raw(line, ',"reasons":')
        append_texts(line, saved.reasons)
    elif context.hook == Hook.CHECKPOINT_DELETED:
        _raw(line, ',"file":')
        # A name in the folder, which may have a folder of its own in it.
        var path = context.deleted.value().path.as_bytes()
        quote(line, "", path[folder.byte_length() + 1 : len(path)])
    elif context.hook == Hook.EXCEPTION:
        _raw(line, ',"code":')
        quote(line, "", told_code(context.error.value()).as_bytes())
        _raw(line, ',"exact":')
        append_bool(line, context.exact)
        _raw(line, ',"is_signal":')
        append_bool(line, context.is_signal)
