"""What a model's answer rests on: what each pixel adds to it, and what each convolution finds. Imports torch.

Nothing here knows a particular model: one that is added to `registry.ARCHITECTURES` is explained like the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from fmnist.models import inference

MIN_STEPS, MAX_STEPS = 128, 4096
TOLERANCE = 0.005  # Of the logit's difference.
AT_ONCE = 128  # Images in a batch: more are slower, and need more memory.


@dataclass(frozen=True)
class Explanation:
    """Why a model gives a class the logit that it gives it.

    `start` and the sum of `pixels` make `logit`, up to the error of `contributions`.
    """

    logit: float  # for the image
    start: float  # for a black image
    pixels: np.ndarray  # float64 (28, 28): what each pixel adds to the logit, or takes away from it


@dataclass(frozen=True)
class Layer:
    """What a convolution makes of an image."""

    name: str  # in the module
    window: tuple[int, int]  # How many rows and columns of what came before each number is made of.
    maps: np.ndarray  # float32 (channels, rows, columns), behind its batch norm and its ReLU if it has them.


def contributions(model: nn.Module, image: np.ndarray, label: int) -> Explanation:
    """Integrated gradients from a black image, the background of every training image.

    Each pixel's value times the logit's derivative by it, averaged over the images on the straight way from black to
    the image (Sundararajan, Taly, Yan 2017, "Axiomatic Attribution for Deep Networks", equation 1). All pixels together
    make the difference between the two ends ("completeness"). For a linear model the derivative is the weight, and
    this is weight times pixel.

    The way is cut finer until the sum is within `TOLERANCE` of that difference, or, where contributions cancel and it
    is almost 0, into `MAX_STEPS`: the sum then is right to a ten-thousandth of what was added up.

    Args:
        model: on the CPU, in evaluation mode.
        image: uint8 (28, 28).
        label: the class, an index.
    """
    steps = MIN_STEPS
    while True:
        logits, pixels = _integrate(model, inference.as_input(image[None]), label, steps)
        start, logit = logits[0].item(), logits[-1].item()
        if abs(pixels.sum().item() - (logit - start)) <= TOLERANCE * abs(logit - start) or steps >= MAX_STEPS:
            return Explanation(logit, start, pixels.numpy())
        steps *= 2


def _integrate(model: nn.Module, image: torch.Tensor, label: int, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits on the way from black to an image (1, 1, 28, 28), and the integral of its parts, pixel by pixel.

    With ReLUs and max-pooling, a logit is piecewise linear on the way: its derivative is constant, and jumps where one
    of them switches. In a step with one switch, how much of it lies before is known from the logits at both ends, and
    the step is integrated exactly. The usual sums (trapezoids, midpoints) need some ten times as many steps.

    Returns:
        float64 (steps + 1,) and float64 (28, 28).
    """
    logits, gradients = _walk(model, image, label, torch.linspace(0, 1, steps + 1))
    rises = (gradients * image[:, 0]).sum(dim=(1, 2)) / steps  # What a step would add with the derivative at its end.
    before, after = rises[:-1], rises[1:]
    share = ((logits.diff() - after) / (before - after)).nan_to_num(nan=0.5).clamp(0, 1)
    weights = torch.zeros_like(logits)
    weights[:-1] += share
    weights[1:] += 1 - share
    return logits, torch.einsum("s,sij->ij", weights, gradients) * image[0, 0] / steps


def _walk(model: nn.Module, image: torch.Tensor, label: int, shares: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A logit and its derivatives by the pixels of an image times each share: float64 (N,) and (N, 28, 28)."""
    parts = []
    for some in shares.split(AT_ONCE):
        images = (some.view(-1, 1, 1, 1) * image).requires_grad_()
        logits = model(images.clone())[:, label]  # A copy may be changed in place, as by a first ReLU.
        [gradients] = torch.autograd.grad(logits.sum(), images)
        parts.append((logits.detach().double(), gradients[:, 0].double()))
    logits, gradients = zip(*parts, strict=True)
    return torch.cat(logits), torch.cat(gradients)


def explain(models: Sequence[nn.Module], image: np.ndarray, label: int) -> Explanation:
    """The mean of several seeds' `contributions`: logits and contributions are sums, so their means are still such."""
    # A thread for each model, at most two at a time: operations split by torch would wait for each other much longer.
    with ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        each = list(pool.map(lambda model: contributions(model, image, label), models))
    return Explanation(
        float(np.mean([one.logit for one in each])),
        float(np.mean([one.start for one in each])),
        np.mean([one.pixels for one in each], axis=0),
    )


def has_convolutions(model: nn.Module) -> bool:
    return any(isinstance(module, nn.Conv2d) for module in model.modules())


@torch.inference_mode()
def convolutions(model: nn.Module, image: np.ndarray) -> list[Layer]:
    """What each two-dimensional convolution makes of an image uint8 (28, 28), in the order of the computation."""
    layers: list[Layer] = []
    names = {module: name for name, module in model.named_modules()}
    last: nn.Module | None = None

    def watch(module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal last
        if isinstance(module, nn.Conv2d):
            rows, columns = module.kernel_size
            # A copy: a ReLU that works in place would change it.
            layers.append(Layer(names[module], (rows, columns), output[0].float().numpy().copy()))
        elif (isinstance(module, nn.BatchNorm2d) and isinstance(last, nn.Conv2d)) or (
            isinstance(module, nn.ReLU) and isinstance(last, nn.Conv2d | nn.BatchNorm2d) and layers
        ):
            layers[-1] = Layer(layers[-1].name, layers[-1].window, output[0].float().numpy().copy())
        last = module

    hooks = [module.register_forward_hook(watch) for module in names if not any(module.children())]
    try:
        model(inference.as_input(image[None]))
    finally:
        for hook in hooks:
            hook.remove()
    return layers
