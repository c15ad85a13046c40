"""Data sets of WAV files."""

from __future__ import annotations

import io
import wave
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc.data.dataset import Dataset
from graphc.data.directory import Request, datasets, read
from graphc.errors import ArgumentError, DataError
from graphc.tracing import Array, describe, user_line
from graphc.utils.arguments import argument_error, whole_number

# The dtype of a sample, by the number of its bytes.
_DTYPES = MappingProxyType({1: "u1", 2: "<i2", 4: "<i4"})


def audio_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """A data set of the WAV files in a folder, with a class for each folder in it.

    Args:
        directory: The folder. Sounds end with `.wav`, and hold PCM samples.
        labels: `"inferred"`: from the folders in it, None: no labels, or a list of integers in the order of the paths.
        label_mode: `"int"`: int32 of shape (batch,); `"binary"`: float32 of shape (batch, 1); `"categorical"`: float32
            of shape (batch, classes); None: no labels.
        class_names: The names of the folders to use, in the order of their classes. None: all, sorted.
        batch_size: The number of sounds in a batch. None: no batches.
        sampling_rate: The rate that the files have: another one is an error, as nothing is resampled. None: any.
        output_sequence_length: To how many samples sounds are cut or filled up. None: to the longest of a batch.
        ragged: False only: batches are filled up with zeros.
        shuffle: Whether sounds are shuffled, anew in each iteration.
        seed: Of the order. None: a random one.
        validation_split: The part of the files for validation, from 0 to 1. None: no split.
        subset: `"training"`, `"validation"` or `"both"`, with `validation_split`.
        follow_links: Whether links to folders are followed.
        verbose: Whether the numbers of files and classes are printed.

    Returns:
        A `graphc.data.Dataset` of `(sounds, labels)`, or of sounds, float32 from -1 to 1 of shape (batch, samples,
        channels), with `class_names`; for `"both"` a list of two.

    Raises:
        ArgumentError: if an argument is invalid.
        DataError: if there are no files, or a file is none that can be used.
        FileError: if the folder is absent, or a file cannot be read.
    """
    if ragged:
        raise argument_error(
            "ragged", ragged, "False: batches are arrays; pass `output_sequence_length` for one length"
        )
    whole_number("sampling_rate", sampling_rate, 1, optional=True)
    whole_number("output_sequence_length", output_sequence_length, 1, optional=True)
    request = Request(
        "audio",
        (".wav",),
        directory,
        labels,
        label_mode,
        class_names,
        batch_size,
        shuffle,
        seed,
        validation_split,
        subset,
        follow_links,
        verbose,
    )

    def load(path: str) -> Array:
        sound, rate = decoded_wav(read(path), path)
        if sampling_rate is not None and rate != sampling_rate:
            raise ArgumentError(
                "a sound has another sampling rate, and nothing is resampled",
                got=f"{path}: {rate} Hz",
                expected=f"{sampling_rate} Hz",
                hint="convert the files first, such as with `sox`",
            )
        if output_sequence_length is None:
            return sound
        kept = sound[:output_sequence_length]
        return np.pad(kept, ((0, output_sequence_length - len(kept)), (0, 0)))

    combine = Dataset.padded_batch if output_sequence_length is None else Dataset.batch
    return datasets(request.checked(), load, combine)


def decoded_wav(content: bytes, name: str) -> tuple[Array, int]:
    """The samples of a WAV file, float32 from -1 to 1 of shape (samples, channels), and their rate.

    Args:
        content: The content of the file.
        name: Its name, for errors.

    Raises:
        DataError: if it is no WAV file, or one of other than PCM samples.
    """
    try:
        with wave.open(io.BytesIO(content)) as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            raw = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise DataError(
            "this file is no sound that can be read",
            where=describe(user_line()),
            got=f"{name}: {error}",
            expected="a WAV file of PCM samples",
        ) from error
    if width not in _DTYPES:
        raise DataError("the samples of a sound have 8, 16 or 32 bits", got=f"{name}: {8 * width} bits")
    values = np.frombuffer(raw[: len(raw) // (width * channels) * width * channels], _DTYPES[width])
    middle, peak = (128, 128) if width == 1 else (0, 2 ** (8 * width - 1))
    sound = ((values.astype(np.float64) - middle) / peak).astype(np.float32)
    return sound.reshape(-1, channels), rate
