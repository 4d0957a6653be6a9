"""The images of a training, on the device where it runs: those trained on, the held-out ones, the test images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from fmnist.data.files import Dataset
from fmnist.data.held_out import held_out, trained_on
from fmnist.models.inference import as_input


@dataclass(frozen=True)
class Measured:
    """Images on which a model is measured: float32 (N, 1, 28, 28) in [0, 1], and their labels, int64 (N,)."""

    images: torch.Tensor
    labels: np.ndarray


@dataclass(frozen=True)
class Images:
    """What a recipe needs of a data set, on a device.

    Images are float32 (N, 1, 28, 28) in [0, 1], labels and places int64 (N,).
    """

    training: torch.Tensor  # all training images, held-out ones among them, as the data set has them
    labels: torch.Tensor
    trained_on: torch.Tensor  # the places of those that are trained on
    held_out: Measured | None
    test: Measured

    @property
    def evaluated_on(self) -> Measured:
        """What is measured after each epoch: the held-out images, and the test images where there are none."""
        return self.held_out or self.test


def images_of(data: Dataset, validation: int, device: torch.device) -> Images:
    """The images of a data set, of which some training images are held out.

    Args:
        validation: how many, fewer than there are.
    """
    training, labels, test = on_device(data, device)
    kept = None
    if validation:
        places = held_out(data.train_labels, validation)
        kept = Measured(training[torch.from_numpy(places).to(device)], data.train_labels[places])
    learnt = torch.from_numpy(trained_on(data.train_labels, validation)).to(device)
    return Images(training, labels, learnt, kept, Measured(test, data.test_labels))


@lru_cache(maxsize=1)
def on_device(data: Dataset, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Training images, training labels and test images as tensors on a device; kept for the next run."""
    labels = torch.tensor(data.train_labels).to(device)
    return as_input(data.train_images).to(device), labels, as_input(data.test_images).to(device)
