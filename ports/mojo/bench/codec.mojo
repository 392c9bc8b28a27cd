"""Does once what each line of stdin says with a checkpoint file, and answers
with the number of bytes: what benchmarks/mojo.py measures.
"""
from std.memory import unsafe_memcpy
from std.sys import argv
from tenuto import Document, read_file, write_bytes
from tenuto.errors import TenutoError
from tenuto.fs import Fd, map_file
from tenuto_adapter.lines import LineReader


def do(word: String, path: String, doc: Document) raises TenutoError -> Int:
    """`encode`: the file in memory; `read`: with every check, from the cache;
    `copy`: the bytes of the file.
    """
    if word == "encode":
        return len(write_bytes(doc))
    if word == "read":
        var found = read_file(path).take()
        var count = 0
        for t in found.tensors:
            count += t.nbytes()
        return count
    var blob = map_file(path)
    var b = blob.span()
    var copied = List[UInt8]()
    copied.resize(unsafe_uninit_length=len(b))
    unsafe_memcpy(dest=copied.unsafe_ptr(), src=b.unsafe_ptr(), count=len(b))
    _ = blob^
    return len(copied)


def main() raises:
    var path = String(argv()[1])
    var doc = read_file(path).take()
    var lines = LineReader(Fd(adopt=0))
    var line = List[UInt8]()
    while lines.next(line):
        print(do(String(from_utf8_lossy=line), path, doc), flush=True)
