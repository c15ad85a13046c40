"""Callbacks, which are called at the beginnings and ends of training, epochs and batches."""

from graphc.callbacks.averages import SwapEMAWeights
from graphc.callbacks.backup import BackupAndRestore
from graphc.callbacks.callback import Callback, History
from graphc.callbacks.callback_list import CallbackList
from graphc.callbacks.checkpoint import ModelCheckpoint
from graphc.callbacks.logging import CSVLogger, LambdaCallback
from graphc.callbacks.monitoring import (
    EarlyStopping,
    LearningRateScheduler,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from graphc.callbacks.progress import ProgbarLogger
from graphc.callbacks.remote import RemoteMonitor
from graphc.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
