"""What trained models make of images. Imports torch: pages import this module only when somebody predicts."""

from __future__ import annotations

import time

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from fmnist import metrics
from fmnist.models import inference
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.library import Group, Library
from fmnist.store.run import Run


def probabilities(library: Library, group: Group, images: np.ndarray) -> np.ndarray:
    """Every seed's probabilities.

    Args:
        images: uint8 (N, 28, 28), light on black.

    Returns:
        float64 (seeds, N, 10), in order of `group.runs`.

    Raises:
        ModelError: it is a model of the user's own, and raises something.
        DamagedRun: the weights of a run can't be read.
    """
    return timed_probabilities(library, group, images)[0]


def timed_probabilities(library: Library, group: Group, images: np.ndarray) -> tuple[np.ndarray, float]:
    """`probabilities`, and the seconds that the models took for them, without being loaded."""
    inputs = inference.as_input(images)
    models = [load_model(library, run) for run in group.runs]
    started = time.perf_counter()
    with ARCHITECTURES[group.recipe.model].blamed():
        logits = [inference.evaluate(model, inputs) for model in models]
    seconds = time.perf_counter() - started
    return np.stack([metrics.softmax(each) for each in logits]), seconds


def load_model(library: Library, run: Run) -> nn.Module:
    """A finished run's model, on the CPU.

    Raises:
        ModelError: it is a model of the user's own, and can't be made.
        DamagedRun: its weights can't be read, or are those of another model; it is left out from now on.
    """
    model = inference.build(run.recipe.model, run.recipe.seed, torch.device("cpu"))
    weights = library.weights(run)
    try:
        model.load_state_dict(load(weights))
    except (SafetensorError, RuntimeError, TypeError, ValueError):
        raise library.stores[run.source].mark_damaged(run.id, "its weights can't be read") from None
    return model.eval()
