"""The operations of the adapter protocol."""
from std.ffi import c_int
from tenuto.ckpt import read_file, write_file
from tenuto.document import Document
from tenuto.errors import Phase, TenutoError
from tenuto.encode import Plan
from tenuto.entries import Entry
from tenuto.fs import Fd, Memory, O_CREAT, O_WRONLY, map_file
from tenuto.ledger import read_ledger
from tenuto.storage import NewFile
from tenuto.trainer.resume import find_newest
from tenuto_adapter.events import append_bool, append_texts
from tenuto_adapter.json import Json, parse_json, quote
from tenuto_adapter.scenario import read_scenario
from tenuto_adapter.tagged import TreeReader, TreeWriter
from tenuto_adapter.training import carry_out

# As in port.toml.
comptime IDENTITY = '"port":{"name":"mojo","version":"0.1.0","language":"Mojo"}'
comptime CLAIMS = '"claims":["codec-read","codec","callbacks","checkpoint","resume"],"capabilities":["signals","symlinks","mmap"]'


struct Reply(Movable):
    """A reply in the making."""

    var line: List[UInt8]

    def __init__(out self, id: StringSpan, word: StringSpan):
        self.line = List[UInt8](capacity=256)
        self.line.extend('@tenuto {"id":'.as_bytes())
        quote(self.line, "", id.as_bytes())
        self.string("reply", word.as_bytes())

    def string(mut self, key: StringSpan, text: Span[UInt8, _]):
        """Add a member that is a string."""
        self.raw(String(',"', key, '":'))
        quote(self.line, "", text)

    def raw(mut self, json: StringSpan):
        """Add JSON as it is."""
        self.line.extend(json.as_bytes())

    def finish(deinit self) -> List[UInt8]:
        """The whole line."""
        self.line.extend("}\n".as_bytes())
        return self.line^


def answer(line: Span[UInt8, _], mut goodbye: Bool) -> List[UInt8]:
    """The one line that answers a request. Spec: CONF-LINE-002.

    Nothing that a request holds may end the process.
    """
    var id = String("")
    try:
        var request = parse_json(line)
        id = request.string("id")
        return _dispatch(request, id, goodbye)
    except e:
        return _failure(id, e)


def _failure(id: StringSpan, e: TenutoError) -> List[UInt8]:
    """The reply to a refusal, or to a fault of ours or of the request."""
    if e.phase == Phase.INTERNAL:
        return internal_reply(id, e.msg)
    var reply = Reply(id, "error")
    reply.string("code", e.code.as_bytes())
    reply.string("phase", e.phase.as_bytes())
    if e.code == "state_mismatch":
        reply.raw(',"mismatches":')
        append_texts(reply.line, e.mismatches)
    return reply^.finish()


def internal_reply(id: StringSpan, message: StringSpan) -> List[UInt8]:
    """The reply to a fault."""
    var reply = Reply(id, "internal")
    reply.string("message", message.as_bytes())
    return reply^.finish()


def _dispatch(
    request: Json, id: StringSpan, mut goodbye: Bool
) raises TenutoError -> List[UInt8]:
    """Spec: CONF-OP-001 to CONF-OP-005, SCN-OP-001, CONF-REPLY-002."""
    var op = request.string("op")
    if op == "hello":
        return _hello(request, id)
    if op == "echo":
        return _echo(request, id)
    if op == "decode":
        return _decode(request, id)
    if op == "recode":
        return _recode(request, id)
    if op == "encode":
        return _encode(request, id)
    if op == "run":
        return _train(request, id, "never")
    if op == "restore":
        return _train(request, id, request.string("resume"))
    if op == "list":
        return _list(request, id)
    if op == "bye":
        goodbye = True
        return Reply(id, "ok").finish()
    return _unsupported(id, op)


def _unsupported(id: StringSpan, capability: StringSpan) -> List[UInt8]:
    """Spec: CONF-REPLY-002."""
    var reply = Reply(id, "unsupported")
    reply.string("capability", capability.as_bytes())
    return reply^.finish()


def _hello(request: Json, id: StringSpan) raises TenutoError -> List[UInt8]:
    """Spec: CONF-OP-001, CONF-REPLY-002."""
    var nonce = request.string("nonce")
    if request.string("protocol") != "i:1":
        return _unsupported(id, "protocol")
    if request.string("spec") != "1.0":
        return _unsupported(id, "spec")
    var reply = Reply(id, "ok")
    reply.string("nonce", nonce.as_bytes())
    reply.raw(',"protocol":"i:1","spec":"1.0",')
    reply.raw(IDENTITY)
    reply.raw(",")
    reply.raw(CLAIMS)
    return reply^.finish()


def _echo(request: Json, id: StringSpan) raises TenutoError -> List[UInt8]:
    """Spec: CONF-OP-002."""
    var reader = TreeReader()
    var tree = reader.tree(request.get("value"))
    var writer = TreeWriter()
    var sink = Memory()
    writer.tree(tree, reader.tensors, Plan(tree, reader.tensors), sink)
    var reply = Reply(id, "ok")
    reply.raw(',"value":')
    reply.line.extend(sink^.take())
    reply.line.extend(writer^.take())
    return reply^.finish()


def _decode(request: Json, id: StringSpan) raises TenutoError -> List[UInt8]:
    """Spec: CONF-OP-003."""
    var path = request.string("path")
    var out = request.string("out")
    var found = read_file(path)
    try:
        var file = NewFile(out)
        var writer = TreeWriter()
        writer.document(found.document, file)
        file.finish(durable=False)
    except e:
        raise _of_out(e)
    var reply = Reply(id, "ok")
    reply.raw(',"canonical":true' if found.canonical else ',"canonical":false')
    return reply^.finish()


def _recode(request: Json, id: StringSpan) raises TenutoError -> List[UInt8]:
    """Spec: CONF-OP-004."""
    var path = request.string("path")
    var out = request.string("out")
    var strip = request.bool("strip_origin")
    var doc = read_file(path).take()
    if strip:
        doc.strip_origin()
    _write(doc, out)
    return Reply(id, "ok").finish()


def _of_out(e: TenutoError) -> TenutoError:
    """A file `out` that cannot be written has one code. Spec: CONF-REPLY-003.
    """
    if e.phase == Phase.IO:
        return TenutoError("io_error", Phase.IO, e.msg.copy())
    return e.copy()


def _write(doc: Document, path: String) raises TenutoError:
    """Write a document to a file `out`."""
    try:
        write_file(doc, path, durable=False)
    except e:
        raise _of_out(e)


def _encode(request: Json, id: StringSpan) raises TenutoError -> List[UInt8]:
    """Spec: SCN-OP-001."""
    var text = map_file(request.string("document"))
    var reader = TreeReader()
    var root = reader.tree(parse_json(text.span()))
    var doc = Document(root^, reader^.take())
    _write(doc, request.string("out"))
    return Reply(id, "ok").finish()


def _open_events(path: String) raises TenutoError -> Fd:
    """The file of events, made anew."""
    comptime O_TRUNC = 0o1000
    try:
        return Fd(path, O_WRONLY | O_CREAT | c_int(O_TRUNC))
    except e:
        raise _of_out(e)


def _train(
    request: Json, id: StringSpan, resume: String
) raises TenutoError -> List[UInt8]:
    """Spec: SCN-OP-002, SCN-OP-003, SCN-OP-004."""
    var text = map_file(request.string("scenario"))
    var scenario = read_scenario(parse_json(text.span()))
    _ = text^
    var outcome = carry_out(
        scenario,
        request.string("folder"),
        _open_events(request.string("events")),
        resume,
    )
    var reply = Reply(id, "ok")
    reply.string("outcome", outcome.word.as_bytes())
    reply.string("detail", outcome.detail.as_bytes())
    var now = outcome.progress
    reply.raw(String(',"progress":{"epoch":"i:', now.epoch))
    reply.raw(String('","batch_in_epoch":"i:', now.batch_in_epoch))
    reply.raw(String('","global_step":"i:', now.global_step, '"}'))
    return reply^.finish()


def _list(request: Json, id: StringSpan) raises TenutoError -> List[UInt8]:
    """Spec: SCN-OP-005."""
    var folder = request.string("folder")
    var entries = read_ledger(folder)
    var reply = Reply(id, "ok")
    reply.raw(',"checkpoints":[')
    var is_first = True
    for entry in entries:
        if not entry.is_damaged():
            reply.raw("" if is_first else ",")
            is_first = False
            _describe(reply, entry)
    reply.raw('],"damaged":[')
    is_first = True
    for entry in entries:
        if entry.is_damaged():
            reply.raw('{"name":' if is_first else ',{"name":')
            is_first = False
            quote(reply.line, "", entry.name.as_bytes())
            reply.string("code", entry.damage.as_bytes())
            reply.raw("}")
    reply.raw("]")
    reply.string("newest", _newest(folder, entries).as_bytes())
    return reply^.finish()


def _describe(mut reply: Reply, entry: Entry):
    """One checkpoint of a list."""
    reply.raw('{"name":')
    quote(reply.line, "", entry.name.as_bytes())
    reply.string("run_id", entry.run_id.as_bytes())
    reply.string("kind", ("full" if entry.is_full else "weights").as_bytes())
    var now = entry.progress
    reply.raw(String(',"attempt":"i:', entry.attempt))
    reply.raw(String('","epoch":"i:', now.epoch))
    reply.raw(String('","batch_in_epoch":"i:', now.batch_in_epoch))
    reply.raw(String('","global_step":"i:', now.global_step, '","exact":'))
    append_bool(reply.line, entry.is_exact)
    reply.raw(',"reasons":')
    append_texts(reply.line, entry.reasons)
    reply.raw("}")


def _newest(folder: String, entries: List[Entry]) -> String:
    """A name of the checkpoint that `auto` takes; empty where it takes none."""
    try:
        var found = find_newest(folder, entries)
        if found:
            return found.value().name.copy()
    except:
        pass  # of several runs
    return ""
