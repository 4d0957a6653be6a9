"""The gradient of a step, computed in equal parts on several threads: by autograd, or by compiled kernels."""

from __future__ import annotations

import copy
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from fmnist.models.chain import chain
from fmnist.models.inference import evaluate

if TYPE_CHECKING:
    from fmnist.training.compiled import CompiledGradients

log = logging.getLogger("fmnist.training.gradients")


def gradients(model: nn.Module, parts: int, threads: int, compiled: bool) -> Gradients | CompiledGradients:
    """What computes the gradients of a model.

    Args:
        parts, threads: see there.
        compiled: by compiled kernels, for a model that is a chain of what these know.
    """
    if compiled and (layers := chain(model)):
        from fmnist.training.compiled import CompiledGradients

        return CompiledGradients(layers, parts, threads)
    return Gradients(model, parts, threads)


@lru_cache(maxsize=1)
def can_compile() -> bool:
    """Whether kernels can be compiled here; if not, the log has the reason, once."""
    try:
        from fmnist.training import kernels  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        log.warning("Numba can't be loaded (%s): convolutions are trained by autograd, which takes longer.", error)
        return False
    return True


class Gradients:
    """Computes the gradient of a batch's mean loss by autograd, in equal parts on several threads.

    torch itself would split every operation over the threads, which then wait for each other some twenty times in
    a step of Model 2: 4.3 ms a step on two idle cores, and 60 ms as soon as anything else (the browser) wants one
    of them, since each wait can last until the scheduler's next turn. Here they wait once. The parts' gradients
    are added in a fixed order, so the result does not depend on what runs where.

    Args:
        model: its parameters' `grad` is set by each call.
        parts: at least 1.
        threads: at least 1; with 1 the parts are computed one after the other, where we are.
    """

    def __init__(self, model: nn.Module, parts: int, threads: int) -> None:
        self._threads = threads
        self._models = [model] + [_sharing(model) for _ in range(parts - 1)]
        self._parameters = [list(twin.parameters()) for twin in self._models]
        self._others = (
            ThreadPoolExecutor(threads - 1, initializer=torch.set_num_threads, initargs=(1,)) if threads > 1 else None
        )

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Set the gradients for a batch; its logits (N, 10)."""
        if len(self._models) == 1:
            return self._part(0, images, labels, len(images))
        parts = list(zip(images.chunk(len(self._models)), labels.chunk(len(self._models)), strict=True))
        if self._others:
            others = [self._others.submit(self._part, i, *parts[i], len(images)) for i in range(1, len(parts))]
            logits = [self._part(0, *parts[0], len(images)), *(other.result() for other in others)]
        else:
            logits = [self._part(i, *part, len(images)) for i, part in enumerate(parts)]
        for parameters in self._parameters[1 : len(parts)]:
            for mine, other in zip(self._parameters[0], parameters, strict=True):
                if mine.grad is not None and other.grad is not None:  # It is not frozen.
                    mine.grad.add_(other.grad)
        return torch.cat(logits)

    def logits(self, images: torch.Tensor) -> np.ndarray:
        """Of float32 images (N, 1, 28, 28) in [0, 1], float32 (N, 10)."""
        return evaluate(self._models[0], images, self._threads)

    def _part(self, index: int, images: torch.Tensor, labels: torch.Tensor, count: int) -> torch.Tensor:
        for parameter in self._parameters[index]:
            parameter.grad = None
        logits = self._models[index](images)
        # Of the mean over `count` images: their sum, each with a share of 1 / count. As a weight of each class: given
        # to `backward`, it would have PyTorch load SymPy for half a second.
        cross_entropy(logits, labels, _shares(count, logits), reduction="sum").backward()
        return logits.detach()


def _shares(count: int, logits: torch.Tensor) -> torch.Tensor:
    """1 / count for each class, as float32 has it."""
    return _kept_shares(count, logits.shape[1], logits.device, logits.dtype)


@lru_cache(maxsize=8)
def _kept_shares(count: int, classes: int, device: torch.device, kind: torch.dtype) -> torch.Tensor:
    return torch.full((classes,), 1 / count, device=device).to(kind)


def _sharing(model: nn.Module) -> nn.Module:
    """A copy of a model with the same weights in memory, but gradients of its own."""
    twin = copy.deepcopy(model)
    for parameter, other in zip(model.parameters(), twin.parameters(), strict=True):
        other.data = parameter.data
    return twin
