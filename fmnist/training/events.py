"""What a training tells while it goes on: the events of `loop.train`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from fmnist.store.run import Result
from fmnist.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class Started:
    """What is known once the model stands on its device."""

    device: str  # "cpu", or the GPU's name
    threads: int  # CPU threads of one step
    compiled: bool  # whether gradients are computed by compiled kernels, not by autograd
    parameters: int
    multiply_adds: int | None  # of one image's forward pass; None: not counted
    steps: int  # of the whole run
    step: int  # already done: more than 0 when resuming


@dataclass(frozen=True)
class Progress:
    """The steps since the last `Progress`: means over their images, not over their batches."""

    step: int
    epoch: int  # 1 for the first
    loss: float
    accuracy: float
    train_seconds: float  # of optimisation since the run began
    images_per_second: float
    answers: np.ndarray | None = None  # uint8 (K,), of the watched test images after this step; None: not asked


@dataclass(frozen=True)
class EpochEnd:
    """The images of `Recipe.evaluated_on` after an epoch, and all that is needed to go on from here."""

    step: int
    epoch: int
    loss: float
    accuracy: float
    predictions: np.ndarray  # uint8 (N,)
    train_seconds: float
    eval_seconds: float  # of all evaluations since the run began
    checkpoint: Checkpoint


@dataclass(frozen=True)
class HeldOut:
    """What a model answers to the held-out images in the end."""

    logits: np.ndarray  # float16 (N, 10): rounded, as they are kept
    predictions: np.ndarray  # uint8 (N,), of the same, as the float32 logits give them
    labels: np.ndarray  # uint8 (N,)


@dataclass(frozen=True)
class Finished:
    """The end of a run."""

    weights: dict[str, torch.Tensor]
    logits: np.ndarray  # float16 (N, 10), of the test images: rounded, as they are kept
    predictions: np.ndarray  # uint8 (N,), of the same, as the float32 logits give them
    result: Result
    held_out: HeldOut | None  # None where no images are


Event = Started | Progress | EpochEnd | Finished
