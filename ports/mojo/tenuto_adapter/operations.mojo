"""The operations of the adapter protocol."""
from tenuto.ckpt import read_file, write_file
from tenuto.document import Document
from tenuto.errors import Phase, TenutoError
from tenuto.fs import Memory, NewFile, map_file
from tenuto.encode import Plan
from tenuto_adapter.json import Json, parse_json, quote
from tenuto_adapter.tagged import TreeReader, TreeWriter

# As in port.toml.
comptime IDENTITY = '"port":{"name":"mojo","version":"0.1.0","language":"Mojo"}'
comptime CLAIMS = '"claims":["codec-read","codec"],"capabilities":[]'


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
    var file = NewFile(out)
    var writer = TreeWriter()
    writer.document(found.document, file)
    file.finish(durable=False)
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
    write_file(doc, out, durable=False)
    return Reply(id, "ok").finish()


def _encode(request: Json, id: StringSpan) raises TenutoError -> List[UInt8]:
    """Spec: SCN-OP-001."""
    var text = map_file(request.string("document"))
    var reader = TreeReader()
    var root = reader.tree(parse_json(text.span()))
    var doc = Document(root^, reader^.take())
    write_file(doc, request.string("out"), durable=False)
    return Reply(id, "ok").finish()
