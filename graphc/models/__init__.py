"""Models."""

from graphc.models.model import Functional, Model, Sequential

__all__ = ["Functional", "Model", "Sequential"]
