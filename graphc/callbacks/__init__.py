"""Callbacks, which are called at the beginnings and ends of training, epochs and batches."""

from graphc.callbacks.callback import Callback, History
from graphc.callbacks.callback_list import CallbackList
from graphc.callbacks.logging import CSVLogger, LambdaCallback
from graphc.callbacks.monitoring import (
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from graphc.callbacks.progress import ProgbarLogger

__all__ = [
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
    "TerminateOnNaN",
]
