"""Callbacks: the base, the checkpoint callback with its pure policies, and ready-made observers."""

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.checkpoint import CheckpointCallback
from tenuto.callbacks.csv_logger import CSVLogger
from tenuto.callbacks.early_stopping import EarlyStopping
from tenuto.callbacks.progress_bar import ProgressBar

__all__ = ["BaseCallback", "CSVLogger", "CheckpointCallback", "EarlyStopping", "ProgressBar"]
