"""Gradients by the compiled kernels, for the models that are chains of what these know (`models.chain`)."""

from __future__ import annotations

import logging
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import nn

from fmnist.models.chain import Layer, chain
from fmnist.training import kernel_cache, kernels
from fmnist.training.kernels import LANES
from fmnist.words import reason

log = logging.getLogger("fmnist.training.compiled")

KINDS: dict[type[nn.Module], int] = {
    nn.Conv2d: kernels.CONVOLUTION,
    nn.ReLU: kernels.RECTIFIER,
    nn.MaxPool2d: kernels.POOLING,
    nn.Flatten: kernels.FLATTENING,
    nn.Linear: kernels.LINEAR,
}
MAX_TRIES = 12
"""To load them: each of the compiled functions is kept by itself, and what can't be kept is still compiled then."""
ALIGNMENT = 64  # Bytes. A vector that lies across two lines of the cache takes twice as long to load.


class CompiledGradients:
    """Computes the gradient of a batch's mean loss in parts on several threads, as `Gradients` does.

    The parts are whole vectors of LANES images. Their gradients are added in a fixed order, so the result does not
    depend on the number of threads.

    Args:
        layers: of the model. Its parameters move to memory of ours, in the plain layout; their `grad` is set by each
            call.
        parts: at least 1.
        threads: at least 1; with 1 the parts are computed one after the other, where we are.
    """

    def __init__(self, layers: list[Layer], parts: int, threads: int) -> None:
        self._parameters = [parameter for layer in layers for parameter in layer.module.parameters()]
        self._table, numbers, weights = _table(layers)
        self._classes = layers[-1].gives[0]
        self._weights = _zeros(weights)
        self._found = [_zeros(weights) for _ in range(parts)]
        # For each thread, not for each part: what fits the cache is quicker.
        self._numbers = [_zeros(numbers) for _ in range(threads)]
        self._deltas = [_zeros(numbers) for _ in range(threads)]
        # Nothing is copied in a step: the optimizer changes these numbers, and reads those.
        ours = zip(_views(self._weights, self._parameters), _views(self._found[0], self._parameters), strict=True)
        for parameter, (weight, gradient) in zip(self._parameters, ours, strict=True):
            parameter.data, parameter.grad = weight.copy_(parameter.data), gradient
        self._others = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Set the gradients for a batch; its logits (N, 10)."""
        logits, parts = self._in_parts(images.numpy(), labels.numpy(), learns=True)
        for other in self._found[1:parts]:
            self._found[0] += other
        return torch.from_numpy(logits)

    def logits(self, images: torch.Tensor) -> np.ndarray:
        """Of float32 images (N, 1, 28, 28) in [0, 1], float32 (N, 10)."""
        return self._in_parts(images.numpy(), np.zeros(len(images), np.int64), learns=False)[0]

    def _in_parts(self, images: np.ndarray, labels: np.ndarray, learns: bool) -> tuple[np.ndarray, int]:
        """The logits of images, with the present weights; and in how many parts that was done. In these `learns` leaves
        the gradients, too: to be added."""
        logits, share = np.empty((len(images), self._classes), np.float32), np.float32(1 / len(images))
        size = LANES * math.ceil(len(images) / LANES / len(self._found))
        parts = [slice(first, min(first + size, len(images))) for first in range(0, len(images), size)]
        threads = len(self._numbers)

        def work_off(thread: int) -> None:
            for part in range(thread, len(parts), threads):
                some = parts[part]
                kernels.forwards_and_backwards(
                    self._table,
                    self._numbers[thread],
                    self._deltas[thread],
                    self._weights,
                    self._found[part],
                    images[some],
                    labels[some],
                    share,
                    logits[some],
                    learns,
                )

        if self._others:
            others = [self._others.submit(work_off, thread) for thread in range(1, threads)]
            work_off(0)
            for other in others:
                other.result()
        else:
            work_off(0)
        return logits, len(parts)


def load() -> None:
    """Compile the kernels, which takes seconds, or load what was compiled before. Damaged files of these are replaced,
    and where nothing can be kept, that is done without."""
    for _ in range(MAX_TRIES):
        try:
            _try_out()
            break
        except Exception as error:  # What Numba and pickle raise for damaged bytes is not settled.
            log.warning("compiled kernels could not be loaded or kept: %s", reason(error))
            kernel_cache.clear()
    else:
        _try_out()
    kernel_cache.mark_filled()


def _try_out() -> None:
    """One step of the smallest model."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 1))
    layers = chain(model, (1, 1, 1))
    assert layers
    gradients = CompiledGradients(layers, 1, 1)
    gradients(torch.zeros(1, 1, 1, 1), torch.zeros(1, dtype=torch.int64))


def _table(layers: list[Layer]) -> tuple[np.ndarray, int, int]:
    """The model as the kernels take it, and how many numbers stand in all its layers and in all its weights."""
    rows, begin, end, weights, absent = [], 0, _count(layers[0].takes), 0, []
    for layer in layers:
        kind, takes, gives = KINDS[type(layer.module)], layer.takes, layer.gives
        if kind == kernels.RECTIFIER:  # In place, whatever the layer's form.
            rows.append([kind, 0, _count(takes), 0, 0, begin, begin, 0, 0])
            continue
        if kind == kernels.FLATTENING and len(takes) == 1:
            continue
        at = weights
        bias = at + (layer.module.weight.numel() if isinstance(layer.module, nn.Conv2d | nn.Linear) else 0)
        weights += sum(parameter.numel() for parameter in layer.module.parameters())
        if bias == weights > at:
            absent.append(len(rows))
        rows.append([kind, takes[0], gives[0], *(takes[1:] or (0, 0)), begin, end, at, bias])
        begin, end = end, end + _count(gives)
    # A layer without bias finds zeros behind the weights, and what is found as their gradient nobody reads.
    for row in absent:
        rows[row][kernels.BIAS] = weights
    spare = max(row[kernels.OUTPUTS] for row in rows if row[kernels.KIND] in (kernels.CONVOLUTION, kernels.LINEAR))
    return np.array(rows, np.int64), end, weights + spare


def _count(size: tuple[int, ...]) -> int:
    """How many numbers a layer of this size takes, for LANES images."""
    if len(size) == 1:
        return size[0] * LANES
    channels, height, width = size
    return channels * (height + 2) * (width + 2) * LANES


def _zeros(count: int) -> np.ndarray:
    """float32 (count,), aligned."""
    raw = np.zeros(count + ALIGNMENT // 4, np.float32)
    skipped = -raw.ctypes.data % ALIGNMENT // 4
    return raw[skipped : skipped + count]


def _views(numbers: np.ndarray, parameters: list[nn.Parameter]) -> list[torch.Tensor]:
    views, begin = [], 0
    for parameter in parameters:
        views.append(torch.from_numpy(numbers[begin : begin + parameter.numel()]).view(parameter.shape))
        begin += parameter.numel()
    return views
