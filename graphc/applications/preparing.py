"""How images are prepared for each family, and how its predictions are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.applications import imagenet_utils
from graphc.applications.imagenet_utils import decode_predictions

__all__ = ["decode_predictions", "preparing", "unchanged"]


def preparing(mode: str) -> Callable[..., Any]:
    """The `preprocess_input` of a family whose images are prepared in a mode of `imagenet_utils.preprocess_input`."""

    def preprocess_input(x: Any, data_format: str | None = None) -> Any:
        return imagenet_utils.preprocess_input(x, data_format, mode)

    preprocess_input.__doc__ = f"""Prepares images for the models of this family: mode {mode!r}.

    See `imagenet_utils.preprocess_input`.
    """
    return preprocess_input


def unchanged(x: Any, data_format: str | None = None) -> Any:
    """Returns images as they are: the models of this family prepare them themselves.

    Args:
        x: Images with numbers from 0 to 255.
        data_format: Not used.
    """
    return x
