"""Checkpoints: the codec (pure) and the store. Works without torch."""

from tenuto.reference.checkpoint.files import open_file, read_checkpoint, read_tensors, verify_checkpoint
from tenuto.reference.checkpoint.reader import OpenedCheckpoint, open_checkpoint
from tenuto.reference.checkpoint.source import BufferSource
from tenuto.reference.checkpoint.storage import PosixStorage, StorageOps
from tenuto.reference.checkpoint.store import Store, write_checkpoint
from tenuto.reference.checkpoint.tree import Document, StoredTensor, Tensor, Tree, tensors_of
from tenuto.reference.checkpoint.writer import encode, strip_origin

__all__ = [
    "BufferSource",
    "Document",
    "OpenedCheckpoint",
    "PosixStorage",
    "StorageOps",
    "Store",
    "StoredTensor",
    "Tensor",
    "Tree",
    "encode",
    "open_checkpoint",
    "open_file",
    "read_checkpoint",
    "read_tensors",
    "strip_origin",
    "tensors_of",
    "verify_checkpoint",
    "write_checkpoint",
]
