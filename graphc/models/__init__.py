"""Models."""

from graphc.models.cloning import clone_model
from graphc.models.model import Functional, Model, Sequential
from graphc.saving.model_files import load_model, model_from_json, save_model

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]
