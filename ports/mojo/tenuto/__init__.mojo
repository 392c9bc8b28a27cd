"""tenuto in Mojo, written from the specification: the codec, the trainer, the
checkpoint callback and exact resume.
"""
from .callbacks.checkpoint import CheckpointCallback
from .callbacks.early_stopping import EarlyStopping
from .callbacks.ranking import Monitor
from .callbacks.retention import Retention
from .callbacks.settings import CheckpointSettings
from .ckpt import (
    Checkpoint,
    read_blob,
    read_file,
    read_head,
    write_bytes,
    write_file,
)
from .document import Document, Tensor
from .errors import Phase, TenutoError
from .events.contexts import CaptureRequest, Context
from .events.listener import AnyCallback, Callback
from .events.progress import Progress, RunIdentity
from .fs import Blob
from .hash import Xxh64, xxh64
from .msgpack import Kind
from .trainer.architecture import describe
from .trainer.loop import Trainer
from .trainer.metrics import Metric, MetricBook
from .trainer.reports import RestoreReport, TrainResult
from .trainer.settings import TrainerSettings
from .trainer.workload import Workload
from .tree import Value
from .workload.data import epoch_order
from .workload.form import Comparison
from .workload.generator import Generator, Purpose, stream
from .workload.reference import ReferenceWorkload
from .workload.settings import WorkloadSettings
from .workload.tensors import float_tensor, tensor_floats, tensor_words
