"""What trained models make of images. Imports torch: pages import this module only when somebody predicts."""

from __future__ import annotations

import numpy as np
import torch
from safetensors.torch import load
from torch import nn

from fmnist import evaluation, training
from fmnist.library import Group, Library
from fmnist.store import Run


def probabilities(library: Library, group: Group, images: np.ndarray) -> np.ndarray:
    """Every seed's probabilities.

    Args:
        images: uint8 (N, 28, 28), light on black.

    Returns:
        float64 (seeds, N, 10), in order of `group.runs`.
    """
    inputs = training.as_input(images)
    return np.stack([evaluation.softmax(training.evaluate(load_model(library, run), inputs)) for run in group.runs])


def load_model(library: Library, run: Run) -> nn.Module:
    """A finished run's model, on the CPU."""
    model = training.build(run.recipe.model, run.recipe.seed, torch.device("cpu"))
    model.load_state_dict(load(library.weights(run)))
    return model.eval()
