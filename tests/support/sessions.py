"""Automatic names that count from the start in graphc and in Keras, whatever ran before."""

from __future__ import annotations

import keras

import graphc


def fresh_names() -> None:
    """Resets the counters of names in both libraries. Keras would collect garbage, too, which takes long in tests."""
    graphc.utils.clear_session()
    keras.utils.clear_session(free_memory=False)
