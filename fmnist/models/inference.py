"""Models as everybody needs them who does not train: built, evaluated, timed, looked into. Imports torch."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from fmnist.models.registry import ARCHITECTURES

EVALUATION_BATCH = 500  # Measured: faster than one batch of 10,000, which does not fit the cache.
TIMING_SECONDS = 0.1
MIN_REPEATS = 4


def build(model: str, seed: int, device: torch.device) -> nn.Module:
    """A model with its initial weights, which depend on the seed alone: they are drawn on the CPU."""
    architecture = ARCHITECTURES[model]
    with torch.random.fork_rng(devices=[]), architecture.blamed():
        torch.manual_seed(seed)
        module = architecture.build()
    return laid_out(module.to(device), model)


def laid_out(module: nn.Module, model: str) -> nn.Module:
    """The same module, with its weights in memory as PyTorch computes this model fastest; answers depend on it in their
    last bits."""
    if ARCHITECTURES[model].channels_last and next(module.parameters()).device.type == "cpu":
        module = module.to(memory_format=torch.channels_last)
    return module


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Have a model's modules behave as they shall after training: no dropout, batch norm by what it has learnt."""
    before = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in before.items():
            module.training = training


def as_input(images: np.ndarray) -> torch.Tensor:
    """uint8 (N, 28, 28) -> float32 (N, 1, 28, 28) in [0, 1], what the models take."""
    return torch.tensor(images).unsqueeze(1).float().div_(255)


def evaluate(model: nn.Module, images: torch.Tensor, threads: int = 1) -> np.ndarray:
    """Logits of float32 images (N, 1, 28, 28) in [0, 1], float32 (N, 10)."""

    @torch.inference_mode()  # It holds for the thread that enters it.
    def answer(batch: torch.Tensor) -> torch.Tensor:
        return model(batch)

    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    with evaluating(model), pool:
        return torch.cat(list(pool.map(answer, images.split(EVALUATION_BATCH)))).float().cpu().numpy()


def as_plain(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copies in the plain layout, which any reader of the file understands."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }


def parameter_count(model: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


@torch.inference_mode()
def zero_layers(model: nn.Module, images: torch.Tensor) -> list[str]:
    """Names of the ReLUs that give 0 for every image in every unit: nothing can pass them any more.

    In a healthy model the first images show that there are none, and the rest need not be looked at.
    """
    zero: dict[nn.Module, str] = {layer: name for name, layer in model.named_modules() if isinstance(layer, nn.ReLU)}
    used = set()

    def watch(layer: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        used.add(layer)
        if output.any():
            zero.pop(layer, None)

    hooks = [layer.register_forward_hook(watch) for layer in zero]
    with evaluating(model):
        for batch in images.split(EVALUATION_BATCH):
            if zero:
                model(batch)
    for hook in hooks:
        hook.remove()
    return [name for layer, name in zero.items() if layer in used]


@torch.inference_mode()
def inference_seconds(model: nn.Module, batch: torch.Tensor) -> float:
    """Time of one pass of a batch, on one thread of a CPU: the median of repeats, the first quarter being warm-up.

    Repeats go on for `TIMING_SECONDS`, so that short passes do not depend on a moment; there are always some.
    """
    times: list[float] = []
    began = ended = now(batch.device)
    with evaluating(model):
        while len(times) < MIN_REPEATS or ended - began < TIMING_SECONDS:
            started = now(batch.device)
            model(batch)
            ended = now(batch.device)
            times.append(ended - started)
    return statistics.median(times[len(times) // 4 :])


def now(device: torch.device) -> float:
    """Seconds on a clock that waits for the device to finish what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
