"""The weights of Model 0: one for each class and pixel, so that they are ten pictures. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fmnist.data.framing import SIDE
from fmnist.store.library import Library
from fmnist.store.run import Run, Status

LINEAR = "0"
"""The model of which every weight belongs to a class and a pixel."""
NAME = "1.weight"  # As `networks.linear` has it.


@dataclass(frozen=True)
class PixelWeights:
    epoch: int  # after which they were so
    weights: np.ndarray  # float32 (10, 28, 28): what a pixel adds to the class's logit, times its lightness


def last_epoch(library: Library, run: Run) -> int:
    """The last epoch of an own run of which weights are stored; 0 for none."""
    if run.status == Status.DONE:
        return run.recipe.epochs
    tested = library.growing.curve(
        run.id, run.recipe.evaluated_on
    ).points  # Comes into the store together with the checkpoint.
    return round(tested[-1, 0] * run.recipe.epochs / run.steps) if len(tested) and run.steps else 0


def pixel_weights(library: Library, run: Run) -> PixelWeights | None:
    """The last weights that are stored of an own run of Model 0; None before its first epoch has ended.

    Raises:
        DamagedRun: they can't be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    assert run.recipe.model == LINEAR
    epoch, done = last_epoch(library, run), run.status == Status.DONE
    saved = library.weights(run) if done else library.own.artifact(run.id, "checkpoint")
    if not epoch or saved is None:
        return None
    try:
        weights = load(saved)[NAME if done else f"model.{NAME}"].reshape(-1, SIDE, SIDE)
    except (SafetensorError, KeyError, ValueError, TypeError):
        raise library.own.mark_damaged(run.id, "its weights can't be read") from None
    return PixelWeights(epoch, weights)
