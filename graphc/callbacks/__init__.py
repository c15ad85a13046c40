"""Callbacks, which are called at the beginnings and ends of training, epochs and batches."""

from typing import TYPE_CHECKING

from graphc import lazy

if TYPE_CHECKING:
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

# Where each class is: imported when it is first used, since training needs few of them.
_MEMBERS = {
    "SwapEMAWeights": "graphc.callbacks.averages",
    "BackupAndRestore": "graphc.callbacks.backup",
    **dict.fromkeys(("Callback", "History"), "graphc.callbacks.callback"),
    "CallbackList": "graphc.callbacks.callback_list",
    "ModelCheckpoint": "graphc.callbacks.checkpoint",
    **dict.fromkeys(("CSVLogger", "LambdaCallback"), "graphc.callbacks.logging"),
    **dict.fromkeys(
        ("EarlyStopping", "LearningRateScheduler", "ReduceLROnPlateau", "TerminateOnNaN"), "graphc.callbacks.monitoring"
    ),
    "ProgbarLogger": "graphc.callbacks.progress",
    "RemoteMonitor": "graphc.callbacks.remote",
    "TensorBoard": "graphc.callbacks.tensorboard",
}
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(__name__, (), _MEMBERS)

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
