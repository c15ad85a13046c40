"""Data sets of text files."""

from __future__ import annotations

from typing import Any

from graphc.data.directory import Request, choice, datasets, read
from graphc.data.elements import Text, decoded
from graphc.utils.arguments import whole_number


def text_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """A data set of the text files in a folder, with a class for each folder in it.

    Args:
        directory: The folder. Text files end with `.txt`.
        labels: `"inferred"`: from the folders in it, None: no labels, or a list of integers in the order of the paths.
        label_mode: `"int"`: int32 of shape (batch,); `"binary"`: float32 of shape (batch, 1); `"categorical"`: float32
            of shape (batch, classes); None: no labels.
        class_names: The names of the folders to use, in the order of their classes. None: all, sorted.
        batch_size: The number of texts in a batch. None: no batches.
        max_length: How many bytes of a text are kept. None: all.
        shuffle: Whether texts are shuffled, anew in each iteration.
        seed: Of the order. None: a random one.
        validation_split: The part of the files for validation, from 0 to 1. None: no split.
        subset: `"training"`, `"validation"` or `"both"`, with `validation_split`.
        follow_links: Whether links to folders are followed.
        format: `"tf"` or `"grain"`: either gives a data set of graphc.
        verbose: Whether the numbers of files and classes are printed.

    Returns:
        A `graphc.data.Dataset` of `(texts, labels)`, or of texts, with `class_names`; for `"both"` a list of two.

    Raises:
        ArgumentError: if an argument is invalid.
        DataError: if there are no files.
        FileError: if the folder is absent, or a file cannot be read.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("bad", "good"):
    ...     (folder / name).mkdir()
    ...     _ = (folder / name / "1.txt").write_text(f"a {name} film")
    >>> ds = text_dataset_from_directory(folder, shuffle=False, verbose=False)
    >>> [(texts.tolist(), labels.tolist()) for texts, labels in ds]
    [(['a bad film', 'a good film'], [0, 1])]
    """
    choice("format", format, ("tf", "grain"))
    whole_number("max_length", max_length, 0, optional=True)
    request = Request(
        "text",
        (".txt",),
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

    def load(path: str) -> Text:
        return decoded(read(path)[:max_length])

    return datasets(request.checked(), load)
