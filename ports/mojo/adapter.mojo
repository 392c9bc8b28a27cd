"""The conformance adapter of the Mojo port: one request a line, one reply."""
from tenuto.fs import Fd
from tenuto_adapter.lines import LineReader, move_stdout
from tenuto_adapter.operations import answer, internal_reply


def main() raises:
    """Serve until `bye` or the end of the input. Spec: CONF-OP-005."""
    var out = move_stdout()
    var lines = LineReader(Fd(adopt=0))
    var line = List[UInt8]()
    var goodbye = False
    while not goodbye and lines.next(line):
        if lines.too_long:
            out.write_all(internal_reply("", "a line of more than 1 MiB"))
        else:
            out.write_all(answer(line, goodbye))
