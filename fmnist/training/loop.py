"""The only training loop: `train(recipe, data)` is a generator of events.

Page, command line, tests and benchmark all consume these events. Nobody is called back, nothing is
written: closing the generator stops the training.
"""

from __future__ import annotations

import copy
import math
import os
import statistics
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from fmnist import metrics
from fmnist.data.files import Dataset
from fmnist.models.registry import ARCHITECTURES, ModelError
from fmnist.recipe import Recipe
from fmnist.store.run import Result

REPORTS_PER_EPOCH = 75
EVALUATION_BATCH = 500  # Measured: faster than one batch of 10,000, which does not fit the cache.
WARM_UP_STEPS = 5
INFERENCE_SECONDS = 0.1
INFERENCE_REPEATS = 4


class TrainingError(Exception):
    """A run that can't start or can't go on. The message is a sentence for the user."""


@dataclass(frozen=True)
class Started:
    """What is known once the model stands on its device."""

    device: str  # "cpu", or the GPU's name
    threads: int  # CPU threads of one step
    parameters: int
    multiply_adds: int  # of one image's forward pass
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


@dataclass(frozen=True)
class EpochEnd:
    """The test set after an epoch, and all that is needed to go on from here."""

    step: int
    epoch: int
    test_loss: float
    test_accuracy: float
    predictions: np.ndarray  # uint8 (N,), of the test images
    train_seconds: float
    eval_seconds: float  # of all evaluations since the run began
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Finished:
    """The end of a run."""

    weights: dict[str, torch.Tensor]
    logits: np.ndarray  # float16 (N, 10), of the test images
    result: Result


@dataclass(frozen=True)
class Checkpoint:
    """A run at the end of an epoch."""

    epoch: int
    train_seconds: float
    eval_seconds: float
    tensors: dict[str, torch.Tensor]  # "model.<name>" and "optimizer.<parameter>.<name>"


Event = Started | Progress | EpochEnd | Finished


def train(
    recipe: Recipe, data: Dataset, checkpoint: Checkpoint | None = None, threads: int | None = None
) -> Generator[Event]:
    """Train by a recipe, yielding events: `Started`, then `Progress` and `EpochEnd` as they come, at last `Finished`.

    The weights depend on the recipe, the data and the machine alone, bit for bit; a run that goes on from a
    checkpoint ends with the same weights as one that was never interrupted, and the number of threads
    changes nothing but the time.

    Args:
        threads: how many CPU threads a step may use; none of them more than the model has parts. None: as many.

    Training time is the optimisation alone: no loading, no warm-up, no evaluation, nothing that the consumer
    does between two events. There is no synchronisation with the device but at each report.

    Raises:
        TrainingError: the device is not there, the loss is not finite any more, the memory does not suffice, or a model
            of the user's own has raised something.
    """
    try:
        with ARCHITECTURES[recipe.model].blamed():
            yield from _train(recipe, data, checkpoint, threads)
    except ModelError as error:
        raise TrainingError(str(error)) from error


def _train(recipe: Recipe, data: Dataset, checkpoint: Checkpoint | None, threads: int | None) -> Iterator[Event]:
    device = _device(recipe.device)
    parts = ARCHITECTURES[recipe.model].parts if device.type == "cpu" else 1
    threads = min(parts, threads or parts)
    torch.set_num_threads(1)  # Of each operation: steps are split as a whole, by Gradients.

    model = build(recipe.model, recipe.seed, device)
    optimizer = _optimizer(recipe, model)
    images, labels, test_images = on_device(data, device)
    steps_per_epoch = math.ceil(len(images) / recipe.batch_size)
    report_every = max(1, steps_per_epoch // REPORTS_PER_EPOCH)

    done = checkpoint or Checkpoint(0, 0.0, 0.0, {})
    if checkpoint:
        _restore(checkpoint, model, optimizer)
    step, train_seconds, eval_seconds = done.epoch * steps_per_epoch, done.train_seconds, done.eval_seconds
    yield Started(
        device=torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        threads=threads,
        parameters=parameter_count(model),
        multiply_adds=multiply_adds(model, test_images[:1]),
        steps=recipe.epochs * steps_per_epoch,
        step=step,
    )
    draws = _Draws(device)
    with draws:
        _warm_up(model, recipe, parts, threads, images, labels)
    gradients = Gradients(model, parts, threads)

    logits = None
    for epoch in range(done.epoch + 1, recipe.epochs + 1):
        batches = _order(recipe.seed, epoch, len(images)).to(device).split(recipe.batch_size)
        draws.begin(recipe.seed, epoch)
        for first in range(0, len(batches), report_every):
            some = batches[first : first + report_every]
            answers = []  # The logits of these steps; counted at the report, at once.
            clock = _now(device)
            with draws, _enough_memory(recipe):
                for batch in some:
                    answers.append(gradients(images.index_select(0, batch), labels.index_select(0, batch)))
                    optimizer.step()
                seen = torch.cat(some)
                loss, accuracy = _score(torch.cat(answers), labels[seen])
            seconds = _now(device) - clock
            step += len(some)
            train_seconds += seconds
            _check(loss, step, epoch, recipe)
            yield Progress(step, epoch, loss, accuracy, train_seconds, len(seen) / seconds)

        started = _now(device)
        logits = evaluate(model, test_images, threads)
        predictions = metrics.predict(logits)
        test_loss = metrics.cross_entropy(logits, data.test_labels)
        _check(test_loss, step, epoch, recipe)
        test_accuracy = metrics.accuracy(predictions, data.test_labels)
        eval_seconds += _now(device) - started
        state = Checkpoint(epoch, train_seconds, eval_seconds, _state(model, optimizer))
        yield EpochEnd(step, epoch, test_loss, test_accuracy, predictions, train_seconds, eval_seconds, state)

    if logits is None:  # Interrupted between the last epoch and the result.
        logits = evaluate(model, test_images, threads)
    predictions = metrics.predict(logits)
    result = Result(
        test_loss=metrics.cross_entropy(logits, data.test_labels),
        test_accuracy=metrics.accuracy(predictions, data.test_labels),
        train_seconds=train_seconds,
        eval_seconds=eval_seconds,
        image_seconds=_inference_seconds(model, test_images[:1000]) / len(test_images[:1000]),
        single_seconds=_inference_seconds(model, test_images[:1]),
        dead=metrics.is_dead(predictions),
        never_predicted=tuple(metrics.never_predicted(predictions)),
        zero_layers=tuple(zero_layers(model, test_images)),
    )
    yield Finished(as_plain(model.state_dict()), logits, result)


def build(model: str, seed: int, device: torch.device) -> nn.Module:
    """A model with its initial weights, which depend on the seed alone: they are drawn on the CPU."""
    architecture = ARCHITECTURES[model]
    with torch.random.fork_rng(devices=[]), architecture.blamed():
        torch.manual_seed(seed)
        module = architecture.build()
    if architecture.channels_last and device.type == "cpu":
        module = module.to(memory_format=torch.channels_last)
    return module.to(device)


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


def evaluate(model: nn.Module, images: torch.Tensor, threads: int = 1) -> np.ndarray:
    """Logits of float32 images (N, 1, 28, 28) in [0, 1], as float16 (N, 10): the form in which they are kept."""

    @torch.inference_mode()  # It holds for the thread that enters it.
    def answer(batch: torch.Tensor) -> torch.Tensor:
        return model(batch)

    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    with evaluating(model), pool:
        logits = torch.cat(list(pool.map(answer, images.split(EVALUATION_BATCH))))
    largest = torch.finfo(torch.float16).max  # Beyond it would stand infinities, of which no loss can be computed.
    return logits.clamp(-largest, largest).half().cpu().numpy()


@lru_cache(maxsize=1)
def on_device(data: Dataset, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Training images, training labels and test images as tensors on a device; kept for the next run."""
    labels = torch.tensor(data.train_labels).to(device)
    return as_input(data.train_images).to(device), labels, as_input(data.test_images).to(device)


def prepare(data: Dataset) -> None:
    """Bring a data set to where the next run will most probably want it."""
    on_device(data, _device("auto"))


def as_input(images: np.ndarray) -> torch.Tensor:
    """uint8 (N, 28, 28) -> float32 (N, 1, 28, 28) in [0, 1], what the models take."""
    return torch.tensor(images).unsqueeze(1).float().div_(255)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        if not torch.cuda.is_available():
            raise TrainingError("There is no CUDA device that PyTorch can use: choose the CPU, or device auto.")
        # Repeatable, and float32 where float32 is said.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False
    return torch.device(name)


def _optimizer(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    if recipe.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
    momentum = 0.9 if recipe.optimizer == "sgd-momentum" else 0.0
    return torch.optim.SGD(model.parameters(), lr=recipe.learning_rate, momentum=momentum, foreach=False)


def _order(seed: int, epoch: int, count: int) -> torch.Tensor:
    """The order of an epoch's images, int64 (count,): it depends on (seed, epoch) alone, so epochs can be resumed."""
    # Seeds stay under 2**31 and epochs under 2**10, so each pair has a generator seed of its own.
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed * 2**10 + epoch))


def _score(logits: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Mean loss and accuracy over images. The only place where a training step waits for the device."""
    correct = (logits.argmax(dim=1) == labels).float().mean()
    return cross_entropy(logits, labels).item(), correct.item()


class Gradients:
    """Computes the gradient of a batch's mean loss, in equal parts on several threads.

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

    def _part(self, index: int, images: torch.Tensor, labels: torch.Tensor, count: int) -> torch.Tensor:
        for parameter in self._parameters[index]:
            parameter.grad = None
        logits = self._models[index](images)
        # Of the mean over `count` images: their sum, each with a share of 1 / count.
        cross_entropy(logits, labels, reduction="sum").backward(_share(count, images.device))
        return logits.detach()


@lru_cache(maxsize=8)
def _share(count: int, device: torch.device) -> torch.Tensor:
    return torch.tensor(1 / count, device=device)


def _sharing(model: nn.Module) -> nn.Module:
    """A copy of a model with the same weights in memory, but gradients of its own."""
    twin = copy.deepcopy(model)
    for parameter, other in zip(model.parameters(), twin.parameters(), strict=True):
        other.data = parameter.data
    return twin


def _check(loss: float, step: int, epoch: int, recipe: Recipe) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"The loss is not a finite number any more at step {step:,} (epoch {epoch}): the weights have run away. "
            f"Train with a lower learning rate, such as {recipe.learning_rate / 10:g}."
        )


def _warm_up(
    model: nn.Module, recipe: Recipe, parts: int, threads: int, images: torch.Tensor, labels: torch.Tensor
) -> None:
    """Run a few steps on a copy, so that no model pays for libraries that load at their first use.

    Raises:
        TrainingError: a model can't be trained with the images that are left over for the last batch of an epoch.
    """
    model = copy.deepcopy(model)
    gradients, optimizer = Gradients(model, parts, threads), _optimizer(recipe, model)
    with _enough_memory(recipe):
        for _ in range(WARM_UP_STEPS):
            gradients(images[: recipe.batch_size], labels[: recipe.batch_size])
            optimizer.step()
    if left := len(images) % recipe.batch_size:
        try:
            with ARCHITECTURES[recipe.model].blamed():
                gradients(images[:left], labels[:left])
        except ModelError as error:  # TrainingProgress norm raises for a single image.
            raise TrainingError(
                f"The last batch of an epoch has {left} image{'s' if left > 1 else ''}, with which the model can't be "
                f"trained: choose another batch size than {recipe.batch_size:,}. {error}"
            ) from error


@contextmanager
def _enough_memory(recipe: Recipe) -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and "t allocate memory" not in str(error):
            raise
        raise TrainingError(
            f"The memory does not suffice for a step with {recipe.batch_size:,} images: choose a smaller batch size."
        ) from error


class _Draws:
    """The random numbers of a training, which dropout draws: within, torch's own are exchanged for them.

    They depend on (seed, epoch) alone, so epochs can be resumed; and whoever takes our events has his own.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._ours = self._theirs = self._state()

    def begin(self, seed: int, epoch: int) -> None:
        """Start an epoch."""
        with self:
            # Not the numbers that make the order of the images.
            torch.manual_seed(2**42 + seed * 2**10 + epoch)

    def _state(self) -> list[torch.Tensor]:
        return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if self._cuda else [])]

    @staticmethod
    def _set(state: list[torch.Tensor]) -> None:
        torch.set_rng_state(state[0])
        for cuda in state[1:]:
            torch.cuda.set_rng_state(cuda)

    def __enter__(self) -> None:
        self._theirs = self._state()
        self._set(self._ours)

    def __exit__(self, *_: object) -> None:
        self._ours = self._state()
        self._set(self._theirs)


def _now(device: torch.device) -> float:
    """Seconds on a clock that waits for the device to finish what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def as_plain(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copies in the plain layout, which any reader of the file understands."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }


def _state(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items() if value is not None}
    return as_plain(tensors)


def _restore(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    weights: dict[str, torch.Tensor] = {}
    moments: dict[int, dict[str, torch.Tensor]] = {}
    parameters = list(model.parameters())
    for name, tensor in checkpoint.tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "model":
            weights[rest] = tensor
        else:
            index, _, field = rest.partition(".")
            # A fused step walks through memory: what belongs to a parameter must lie there in its layout.
            like = parameters[int(index)].detach()
            layout = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
            moments.setdefault(int(index), {})[field] = layout
    model.load_state_dict(weights)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})


def parameter_count(model: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def multiply_adds(model: nn.Module, image: torch.Tensor) -> int:
    """Multiplications with an addition in one image's forward pass: half of PyTorch's count of operations."""
    with evaluating(model), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(image)
    return counter.get_total_flops() // 2


@torch.inference_mode()
def _inference_seconds(model: nn.Module, batch: torch.Tensor) -> float:
    """Time of one pass of a batch, on one thread of a CPU: the median of repeats, the first quarter being warm-up.

    Repeats go on for `INFERENCE_SECONDS`, so that short passes do not depend on a moment; there are always some.
    """
    times: list[float] = []
    began = ended = _now(batch.device)
    with evaluating(model):
        while len(times) < INFERENCE_REPEATS or ended - began < INFERENCE_SECONDS:
            started = _now(batch.device)
            model(batch)
            ended = _now(batch.device)
            times.append(ended - started)
    return statistics.median(times[len(times) // 4 :])


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
