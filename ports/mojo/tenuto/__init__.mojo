"""The tenuto checkpoint codec in Mojo, written from the specification alone."""
from .ckpt import Checkpoint, read_blob, read_file, write_bytes, write_file
from .document import Document, Tensor
from .errors import Phase, TenutoError
from .fs import Blob
from .hash import Xxh64, xxh64
from .msgpack import Kind
from .tree import Value
