"""The only training loop: `train(recipe, data)` is a generator of events.

Page, command line, tests and benchmark all consume these events. Nobody is called back, nothing is
written: closing the generator stops the training.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from fmnist import metrics
from fmnist.data.files import Dataset
from fmnist.models.arithmetic import multiply_adds
from fmnist.models.inference import (
    as_plain,
    build,
    evaluate,
    inference_seconds,
    laid_out,
    now,
    parameter_count,
    zero_layers,
)
from fmnist.models.registry import ARCHITECTURES, ModelError
from fmnist.recipe import Recipe
from fmnist.store.arrays import rounded
from fmnist.store.run import Result
from fmnist.training.augmentation import Augmentation
from fmnist.training.checkpoint import BestEpoch, Checkpoint, restore, state
from fmnist.training.events import EpochEnd, Event, Finished, HeldOut, Progress, Started
from fmnist.training.gradients import can_compile, gradients
from fmnist.training.images import Images, Measured, images_of, on_device
from fmnist.training.optimizers import learning_rate, optimizer_of
from fmnist.training.randomness import Draws, order
from fmnist.training.watch import Watch
from fmnist.words import exact

REPORTS_PER_EPOCH = 75
WARM_UP_STEPS = 5


class TrainingError(Exception):
    """A run that can't start or can't go on. The message is a sentence for the user."""


def train(
    recipe: Recipe,
    data: Dataset,
    checkpoint: Checkpoint | None = None,
    threads: int | None = None,
    compiled: bool | None = None,
    watched: Sequence[int] = (),
) -> Generator[Event]:
    """Train by a recipe, yielding events: `Started`, then `Progress` and `EpochEnd` as they come, at last `Finished`.

    The weights depend on the recipe, the data and the machine alone, bit for bit; a run that goes on from a
    checkpoint ends with the same weights as one that was never interrupted, and the number of threads
    changes nothing but the time.

    Args:
        threads: how many CPU threads a step may use; none of them more than the model has parts. None: as many.
        compiled: whether gradients may be computed by compiled kernels, which know some models and the CPU alone; their
            last bits differ from autograd's, so a run goes on as it began. None: where they can be.
        watched: test images whose answers `Progress` tells once a second. The weights do not depend on it.

    Training time is the optimisation alone: no loading, no warm-up, no evaluation, nothing that the consumer
    does between two events. There is no synchronisation with the device but at each report.

    Raises:
        TrainingError: the device is not there, the loss is not finite any more, the memory does not suffice, or a model
            of the user's has raised something.
    """
    try:
        with ARCHITECTURES[recipe.model].blamed():
            yield from _train(recipe, data, checkpoint, threads, compiled is not False, watched)
    except ModelError as error:
        raise TrainingError(str(error)) from error


def _train(
    recipe: Recipe,
    data: Dataset,
    checkpoint: Checkpoint | None,
    threads: int | None,
    may_compile: bool,
    watched: Sequence[int],
) -> Iterator[Event]:
    run = _Run(recipe, data, checkpoint, threads, may_compile)
    yield run.started()
    run.load_libraries()
    watch = Watch(run.model, run.gradients, run.images.test.images[list(watched)])
    for epoch in range(run.epochs_done + 1, recipe.epochs + 1):
        yield from run.learn(epoch, watch)
        yield run.measure(epoch)
    yield run.finish()


class _Run:
    """A model while it is trained, with all that its steps and evaluations need."""

    def __init__(
        self, recipe: Recipe, data: Dataset, checkpoint: Checkpoint | None, threads: int | None, may_compile: bool
    ) -> None:
        self.recipe, self.checkpoint = recipe, checkpoint
        self.device = _device(recipe.device)
        cpu = self.device.type == "cpu"
        self.parts = ARCHITECTURES[recipe.model].parts if cpu else 1
        self.threads = min(self.parts, threads or self.parts)
        self.compiled = may_compile and cpu and ARCHITECTURES[recipe.model].compiled and can_compile()
        torch.set_num_threads(1)  # Of each operation: steps are split as a whole, by Gradients.

        self.model = build(recipe.model, recipe.seed, self.device)
        self.optimizer = optimizer_of(recipe, self.model)
        self.images = images_of(data, _held_out_count(recipe, data), self.device)
        self.augment = Augmentation(recipe, len(self.images.training), self.device)
        self.draws = Draws(self.device)

        done = checkpoint or Checkpoint(0, 0.0, 0.0, {})
        steps_per_epoch = recipe.steps_per_epoch(len(self.images.training))
        self.report_every = max(1, steps_per_epoch // REPORTS_PER_EPOCH)
        self.epochs_done, self.step = done.epoch, done.epoch * steps_per_epoch
        self.steps = recipe.epochs * steps_per_epoch
        self.train_seconds, self.eval_seconds = done.train_seconds, done.eval_seconds
        self.best = BestEpoch(done)
        self.measured: _Answers | None = None

    def started(self) -> Started:
        return Started(
            device=torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu",
            threads=self.threads,
            compiled=self.compiled,
            parameters=parameter_count(self.model),
            multiply_adds=multiply_adds(self.model, self.images.test.images[:1]),
            steps=self.steps,
            step=self.step,
        )

    def load_libraries(self) -> None:
        """What takes time but once, and belongs to no step."""
        if self.compiled:
            _load_kernels()
        with self.draws:
            _warm_up(self.model, self.recipe, self.parts, self.threads, self.compiled, self.images)
        self.gradients = gradients(self.model, self.parts, self.threads, self.compiled)
        if self.checkpoint:  # After that: it may have laid the weights out anew.
            restore(self.checkpoint, self.model, self.optimizer)

    def learn(self, epoch: int, watch: Watch) -> Iterator[Progress]:
        """The steps of an epoch."""
        count = len(self.images.trained_on)
        places = self.images.trained_on[order(self.recipe.seed, epoch, count).to(self.device)]
        batches = places.split(self.recipe.batch_size)
        self.draws.begin(self.recipe.seed, epoch)
        self.augment.begin(epoch)
        bounds = [*range(0, len(batches), self.report_every), len(batches)]
        if len(bounds) > 2 and 2 * (bounds[-1] - bounds[-2]) < self.report_every:
            del bounds[-2]  # The mean of a step or two would look like a leap of the curve.
        for some in (batches[first:until] for first, until in pairwise(bounds)):
            began = now(self.device)
            with self.draws, _enough_memory(self.recipe):
                loss, accuracy = self._take_steps(some)
            seconds = now(self.device) - began
            self.train_seconds += seconds
            _check(loss, self.step, epoch, self.recipe)
            speed = sum(map(len, some)) / seconds
            yield Progress(self.step, epoch, loss, accuracy, self.train_seconds, speed, watch.look())

    def _take_steps(self, batches: Sequence[torch.Tensor]) -> tuple[float, float]:
        """Train on batches, each the int64 places of its images; their mean loss and accuracy before each step."""
        images, answers = self.images, []
        for batch in batches:
            learnt = self.augment(images.training.index_select(0, batch), batch)
            answers.append(self.gradients(learnt, images.labels.index_select(0, batch)))
            self.optimizer.param_groups[0]["lr"] = learning_rate(self.recipe, self.step, self.steps)
            self.optimizer.step()
            self.step += 1
        logits, labels = torch.cat(answers), images.labels[torch.cat(list(batches))]
        correct = (logits.argmax(dim=1) == labels).float().mean()
        return cross_entropy(logits, labels).item(), correct.item()  # Here alone training waits for the device.

    def measure(self, epoch: int) -> EpochEnd:
        """How good the model is after an epoch, and what is needed to go on from here."""
        began = now(self.device)
        measured = self.measured = self._answers_after(epoch)
        _check(measured.loss, self.step, epoch, self.recipe)
        self.eval_seconds += now(self.device) - began
        if self.recipe.keep == "best":
            self.best.see(epoch, measured.accuracy, self.model)
        times, best = (self.train_seconds, self.eval_seconds), self.best
        tensors = state(self.model, self.optimizer, best)
        return EpochEnd(
            self.step,
            epoch,
            measured.loss,
            measured.accuracy,
            measured.predictions,
            *times,
            Checkpoint(epoch, *times, tensors, best.epoch, best.accuracy),
        )

    def _answers_after(self, epoch: int) -> _Answers:
        if epoch == self.recipe.epochs:  # What stays is PyTorch's answer, which anybody can compute again.
            return self._answers(self.model, self.images.evaluated_on)
        if self.recipe.keep == "best" and self.compiled:  # It may stay. A copy is laid out anew: the kernels have ours.
            return self._answers(copy.deepcopy(self.model), self.images.evaluated_on)
        return _Answers(self.gradients.logits(self.images.evaluated_on.images), self.images.evaluated_on.labels)

    def _answers(self, model: nn.Module, measured: Measured) -> _Answers:
        """What PyTorch makes of the weights."""
        return _Answers(evaluate(laid_out(model, self.recipe.model), measured.images, self.threads), measured.labels)

    def finish(self) -> Finished:
        """The weights that stay, and what they answer."""
        if self.best.weights:
            self.model.load_state_dict(self.best.weights)
        measured = self.measured
        if measured is None or self.best.weights:  # Interrupted between the last epoch and the result, or not the best.
            measured = self._answers(self.model, self.images.evaluated_on)
        test = measured
        if self.images.held_out:  # Only now does anything look at the test images.
            began = now(self.device)
            test = self._answers(self.model, self.images.test)
            self.eval_seconds += now(self.device) - began
        model = laid_out(self.model, self.recipe.model)
        finished = _finished(model, measured, test, self.images, self.train_seconds, self.eval_seconds)
        return replace(finished, result=replace(finished.result, kept_epoch=self.best.epoch or None))


def _held_out_count(recipe: Recipe, data: Dataset) -> int:
    if recipe.validation >= len(data.train_labels):
        raise TrainingError(
            f"{recipe.validation:,} images can't be held out of {len(data.train_labels):,}: none would be left to "
            "train on."
        )
    return recipe.validation


class _Answers:
    """What a model makes of some images: classes, from its float32 logits (N, 10), and what is counted over them;
    and the logits as they are kept, from which the loss is computed, so that it can be computed again from the store.
    """

    def __init__(self, logits: np.ndarray, labels: np.ndarray) -> None:
        self.predictions = metrics.predict(logits)
        self.logits = rounded(logits)
        self.loss = metrics.cross_entropy(self.logits, labels)
        self.accuracy = metrics.accuracy(self.predictions, labels)


def _finished(
    model: nn.Module, measured: _Answers, test: _Answers, images: Images, train_seconds: float, eval_seconds: float
) -> Finished:
    """The end of a run.

    Args:
        measured: the answers to `Images.evaluated_on`; `test` itself where no images are held out.
    """
    some, kept = images.evaluated_on.images, images.held_out
    result = Result(
        test_loss=test.loss,
        test_accuracy=test.accuracy,
        train_seconds=train_seconds,
        eval_seconds=eval_seconds,
        image_seconds=inference_seconds(model, some[:1000]) / len(some[:1000]),
        single_seconds=inference_seconds(model, some[:1]),
        dead=metrics.is_dead(measured.predictions),
        never_predicted=tuple(metrics.never_predicted(measured.predictions)),
        zero_layers=tuple(zero_layers(model, some)),
        validation_loss=measured.loss if kept else None,
        validation_accuracy=measured.accuracy if kept else None,
    )
    answers = HeldOut(measured.logits, measured.predictions, kept.labels.astype(np.uint8)) if kept else None
    return Finished(as_plain(model.state_dict()), test.logits, test.predictions, result, answers)


def prepare(data: Dataset) -> None:
    """Bring a data set to where the next run will most probably want it."""
    on_device(data, _device("auto"))


def load_kernels() -> None:
    """Compile the kernels, which takes some seconds, or load what was compiled before, which takes one; nothing where
    there is no Numba, or a GPU instead."""
    if _device("auto").type == "cpu" and can_compile():
        _load_kernels()


def _load_kernels() -> None:
    from fmnist.training import compiled  # Imports Numba.

    compiled.load()


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        if not torch.cuda.is_available():
            raise TrainingError("There is no CUDA device that PyTorch can use: choose cpu or auto as the device.")
        # Repeatable, and float32 where float32 is said.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False
    return torch.device(name)


def _check(loss: float, step: int, epoch: int, recipe: Recipe) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"The loss is no longer a finite number at step {step:,} (epoch {epoch}): the weights have diverged. "
            f"Train with a lower learning rate, such as {exact(float(f'{recipe.learning_rate / 10:.2g}'))}."
        )


def _warm_up(
    model: nn.Module,
    recipe: Recipe,
    parts: int,
    threads: int,
    compiled: bool,
    images: Images,
) -> None:
    """Run a few steps on a copy, so that no model pays for libraries that load at their first use.

    Raises:
        TrainingError: a model can't be trained with the images that are left over for the last batch of an epoch.
    """
    model = copy.deepcopy(model)
    computed, optimizer = gradients(model, parts, threads, compiled), optimizer_of(recipe, model)
    size, left = recipe.batch_size, len(images.trained_on) % recipe.batch_size
    with _enough_memory(recipe):
        for _ in range(WARM_UP_STEPS):
            computed(images.training[:size], images.labels[:size])
            optimizer.step()
    if left:
        try:
            with ARCHITECTURES[recipe.model].blamed():
                computed(images.training[:left], images.labels[:left])
        except ModelError as error:  # Batch norm raises for a single image.
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
            f"There is not enough memory for a step with {recipe.batch_size:,} images: choose a smaller batch size."
        ) from error
