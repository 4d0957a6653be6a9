"""What the store holds of a finished run, compared with what follows from its weights, its answers and the data."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import nn

from fmnist import metrics
from fmnist.commands.verdict import Disagreement, Verdict
from fmnist.data.files import Dataset
from fmnist.data.held_out import held_out
from fmnist.models import arithmetic, inference
from fmnist.models.registry import ARCHITECTURES, ModelError
from fmnist.predict import prediction, recount
from fmnist.store import checksums
from fmnist.store.arrays import rounded, unpack
from fmnist.store.artifacts import HELD_OUT_LABELS, HELD_OUT_LOGITS, predictions_name
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.store.store import StoreError
from fmnist.store.values import FINITE, is_number, is_share

CLASS_ROUNDING = 1e-5
"""Two classes of which the float32 logits are nearer, as a share of the larger one or of 1 if that is smaller, may
change places on another processor. Logits of the reference runs differ by at most 6e-6 between PyTorch and onnxruntime,
and of none of the 150,000 images does it change the class."""

CLOSE = 1e-9
"""Relative difference of losses that other versions of NumPy may make in their last digits."""

UNREADABLE = (StoreError, SafetensorError, zlib.error, RuntimeError, ValueError, TypeError, KeyError, EOFError, OSError)
"""What reading an artifact raises in which somebody has written."""


class Check:
    """Compares what is stored of a run with what it should be, and keeps a verdict."""

    def __init__(self, contents: dict[str, Any], verdict: Verdict) -> None:
        self.contents = contents
        self.verdict = verdict

    def remark(self, sentence: str) -> None:
        self.verdict.remarks.append(sentence)

    def fail(
        self, figure: str, words: str, stored: Any = None, recomputed: Any = None, changed: bool | None = None
    ) -> None:
        stored = None if isinstance(stored, bytes) else stored
        found = Disagreement(figure, stored, recomputed, f"{figure}: {words}", changed)
        self.verdict.disagreements.append(found)

    def equal(self, figure: str, recomputed: Any, origin: str) -> None:
        """A stored figure shall be what was computed again.

        Args:
            origin: from what, such as "from the logits".
        """
        self.same(figure, self.contents.get(figure), recomputed, origin)

    def same(self, figure: str, stored: Any, recomputed: Any, origin: str) -> None:
        """The same, for a part of what is stored under a name."""
        self.verdict.recomputed += 1
        if not _same(stored, recomputed):
            self.fail(figure, f"stored {as_text(stored)}, {origin} {as_text(recomputed)}.", stored, recomputed)

    def positive(self, *figures: str) -> None:
        """Times and numbers, of those that are stored."""
        for figure in figures:
            stored = self.contents.get(figure)
            if stored is not None and not (is_number(stored) and stored > 0):
                self.fail(figure, f"stored {stored}, which is no positive number.", stored)

    def read(self, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray | None:
        """An array among the artifacts, if it is one."""
        try:
            array = unpack(self.contents[name])
        except UNREADABLE:
            self.fail(name, "damaged." if name in self.contents else "missing.")
            return None
        if array.shape != shape or array.dtype != dtype:
            self.fail(name, f"stored as {array.dtype} {array.shape}, where {np.dtype(dtype)} {shape} belongs.")
            return None
        return array


def as_text(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _same(stored: Any, recomputed: Any) -> bool:
    if isinstance(recomputed, float):
        return is_number(stored) and math.isclose(stored, recomputed, rel_tol=CLOSE)
    return type(stored) is type(recomputed) and stored == recomputed


@dataclass(frozen=True)
class _Measured:
    """Images on which a run was measured, and where the store has what came out."""

    split: str
    images: np.ndarray  # uint8 (N, 28, 28)
    labels: np.ndarray  # int64 (N,)
    epochs: Sequence[int]  # after which it was measured on them
    kept: int  # the one of them of which the run's logits, loss and accuracy are
    logits: str  # the artifact
    is_evaluated: bool  # Whether they are those of `Recipe.evaluated_on`.


def _measured(run: Run, dataset: Dataset) -> list[_Measured]:
    """The images on which a finished run was measured: test images, and held-out ones where there are any."""
    last, count = run.recipe.epochs, run.recipe.validation
    every = range(1, last + 1)
    if not count:
        return [_Measured("test", dataset.test_images, dataset.test_labels, every, last, "logits", True)]
    places = held_out(dataset.train_labels, count)
    images, labels = dataset.train_images[places], dataset.train_labels[places]
    return [
        _Measured("validation", images, labels, every, min(run.kept_epoch, last), HELD_OUT_LOGITS, True),
        _Measured("test", dataset.test_images, dataset.test_labels, [last], last, "logits", False),
    ]


def check_run(check: Check, library: Library, run: Run, dataset: Dataset) -> None:
    per_epoch = run.recipe.steps_per_epoch(len(dataset.train_images))
    steps = run.recipe.epochs * per_epoch
    check.equal("steps", steps, "from recipe and data")
    check.equal("step", steps, "from recipe and data")
    check.positive("threads", "at_once", "images_per_second", "eval_seconds", "image_seconds", "single_seconds")
    model = _model(check, library, run)
    for measured in _measured(run, dataset):
        _check_measured(check, run, model, measured, per_epoch, dataset.info.classes)
    if run.recipe.validation:
        _check_held_out(check, run, dataset, per_epoch)
    _check_curves(check, steps, per_epoch, ("train", *sorted({run.recipe.evaluated_on, "test"})))


def _check_held_out(check: Check, run: Run, dataset: Dataset, per_epoch: int) -> None:
    """Which images are held out, and which epoch is the best by them."""
    labels = dataset.train_labels[held_out(dataset.train_labels, run.recipe.validation)]
    stored = check.read(HELD_OUT_LABELS, labels.shape, np.uint8)
    if stored is not None:
        check.verdict.recomputed += 1
        if not np.array_equal(stored, labels):
            check.fail(HELD_OUT_LABELS, "not the labels of the held-out images.")
    if run.recipe.keep == "best":
        names = [checksums.point_name("validation", epoch * per_epoch) for epoch in range(1, run.recipe.epochs + 1)]
        accuracies = [check.contents[name][-1] for name in names if name in check.contents]
        if len(accuracies) == len(names):
            check.equal("kept_epoch", int(np.argmax(accuracies)) + 1, "from the accuracies on held-out images")


def _check_measured(
    check: Check, run: Run, model: nn.Module | None, measured: _Measured, per_epoch: int, classes: Sequence[str]
) -> None:
    """What a run answers to some images, and what follows from it.

    Args:
        model: with its weights; None where these can't be read.
    """
    split, labels = measured.split, measured.labels
    logits = check.read(measured.logits, (len(labels), metrics.CLASSES), np.float16)
    exact = None
    if model is not None:
        exact = _check_weights(check, run, model, inference.as_input(measured.images), measured.is_evaluated)
        if logits is not None:
            _check_logits(check, measured.logits, logits, rounded(exact), classes)
    if logits is not None:
        loss, point = metrics.cross_entropy(logits, labels), checksums.point_name(split, measured.kept * per_epoch)
        *_, stored, _ = check.contents.get(point, (None, None))
        check.same(point, stored, loss, "as its loss, from the logits")
        check.equal(f"{split}_loss", loss, "from the logits")
    for epoch in measured.epochs:
        name = predictions_name(split, epoch)
        predictions = check.read(name, (len(labels),), np.uint8)
        if predictions is None:
            continue
        point = checksums.point_name(split, epoch * per_epoch)
        *_, stored = check.contents.get(point, (None,))
        check.same(point, stored, metrics.accuracy(predictions, labels), f"as its accuracy, from {name}")
        if epoch == measured.kept:
            _check_result(check, predictions, measured)
            if logits is not None:
                _check_predictions(check, name, predictions, logits, exact, run.rounded)
    if run.rounded and exact is not None:
        accuracy = metrics.accuracy(metrics.predict(exact), labels)
        check.remark(
            "It was counted by an earlier version, from rounded logits, and could not be counted again: "
            f"the accuracy of its weights is {accuracy:.2%}."
        )


def _model(check: Check, library: Library, run: Run) -> nn.Module | None:
    """A run's model with its weights; None, which is noted, if there is none."""
    try:
        return prediction.load_model(library, run)
    except ModelError as error:
        check.fail("weights", str(error))
    except UNREADABLE:
        there = "weights" in check.contents
        check.fail("weights", "damaged, or of another model." if there else "missing.")
    return None


def _check_weights(check: Check, run: Run, model: nn.Module, images: torch.Tensor, is_evaluated: bool) -> np.ndarray:
    """What follows from the weights: numbers of the model, its layers, the logits.

    Args:
        images: float32 (N, 1, 28, 28).
        is_evaluated: as of `_Measured`.

    Returns:
        The logits that they give here, float32 (N, 10).
    """
    if is_evaluated:
        check.equal("parameters", inference.parameter_count(model), "from the model")
        check.equal("multiply_adds", arithmetic.multiply_adds(model, images[:1]), "from the model")
        check.equal("zero_layers", inference.zero_layers(model, images), "from the weights")
    return inference.evaluate(model, images, ARCHITECTURES[run.recipe.model].parts)


def _check_logits(check: Check, name: str, stored: np.ndarray, recomputed: np.ndarray, classes: Sequence[str]) -> None:
    """Both float16 (N, 10): the same but for the rounding of another processor."""
    check.verdict.recomputed += 1
    difference = np.abs(stored.astype(np.float64) - recomputed)
    wrong = recount.differing(stored, recomputed)
    if wrong.any():
        largest = np.where(wrong, np.nan_to_num(difference, nan=np.inf), -1).argmax()
        image, label = map(int, np.unravel_index(largest, wrong.shape))
        before, after = float(stored[image, label]), float(recomputed[image, label])
        count = np.count_nonzero(wrong)
        check.fail(
            name,
            f"{count:,} of {wrong.size:,} {'is' if count == 1 else 'are'} not what the weights give; the largest "
            f"difference is at {_an_image(name)} {image}, class {classes[label]}: stored {before}, "
            f"from the weights {after}.",
            before,
            after,
        )
    elif differing := np.count_nonzero(difference):
        check.remark(
            f"{differing:,} of {wrong.size:,} logits differ from what the weights give here by the rounding of another "
            f"processor, by {difference.max():.2g} at most."
        )


def _an_image(name: str) -> str:
    """What an artifact's rows are of."""
    return "held-out image" if name.startswith("validation/") else "test image"


def _check_result(check: Check, predictions: np.ndarray, measured: _Measured) -> None:
    """What is counted over the predicted classes."""
    counted: dict[str, Any] = {f"{measured.split}_accuracy": metrics.accuracy(predictions, measured.labels)}
    if measured.is_evaluated:
        counted |= {"dead": metrics.is_dead(predictions), "never_predicted": metrics.never_predicted(predictions)}
    for figure, recomputed in counted.items():
        check.equal(figure, recomputed, "from the predicted classes")


def _check_predictions(
    check: Check, name: str, stored: np.ndarray, logits: np.ndarray, exact: np.ndarray | None, from_rounded: bool
) -> None:
    """The predicted classes: those with the largest logit, of several with the same the one that the weights give.

    Args:
        stored: the predicted classes, uint8 (N,).
        logits: as stored, float16 (N, 10).
        exact: those of the weights, float32 (N, 10); None where these can't be read.
        from_rounded: as of a `Run`: then it is the first of several.
    """
    check.verdict.recomputed += 1
    images, said = np.arange(len(stored)), stored.clip(max=metrics.CLASSES - 1)
    if from_rounded or exact is None:
        recomputed = metrics.predict(logits)
        wrong = stored != recomputed if from_rounded else logits[images, said] < logits.max(axis=1)
    else:
        recomputed = metrics.decide(logits, exact)
        largest = exact[images, recomputed]
        near = largest - exact[images, said] <= CLASS_ROUNDING * np.maximum(np.abs(largest), 1)
        wrong = (stored != recomputed) & ~(near & (logits[images, said] == logits.max(axis=1)))
    wrong = np.flatnonzero(wrong | (stored >= metrics.CLASSES))
    if len(wrong):
        image = wrong[0]
        check.fail(
            name,
            f"{len(wrong):,} of {len(stored):,} {'is' if len(wrong) == 1 else 'are'} not the class with the largest "
            f"logit, first that of {_an_image(name)} {image}: stored {stored[image]}, recomputed {recomputed[image]}.",
            int(stored[image]),
            int(recomputed[image]),
        )


def _check_curves(check: Check, steps: int, per_epoch: int, splits: Sequence[str]) -> None:
    """The points in their order, up to the last, and the time of training."""
    for split in splits:
        prefix = checksums.point_name(split, "")
        points = {
            int(place): values
            for name, values in check.contents.items()
            if name.startswith(prefix) and (place := name.removeprefix(prefix)).isdecimal()
        }
        before = 0.0
        for step, (epoch, seconds, loss, accuracy) in sorted(points.items()):
            fault = _fault(step, epoch, seconds, loss, accuracy, before, steps, per_epoch)
            if fault:
                check.fail(checksums.point_name(split, step), fault)
            before = seconds if is_number(seconds) else before
        if steps not in points:
            check.fail(checksums.point_name(split, steps), "missing.")
        elif split == "test":
            check.equal("train_seconds", points[steps][1], "from the last point of the curve")


def _fault(
    step: int, epoch: Any, seconds: Any, loss: Any, accuracy: Any, before: float, steps: int, per_epoch: int
) -> str | None:
    """Why a point can't stand where it does.

    Args:
        before: seconds of the point before it.
        steps, per_epoch: of the run.
    """
    if not 1 <= step <= steps:
        return f"the run has only {steps} steps."
    if epoch != math.ceil(step / per_epoch):
        return f"stored in epoch {epoch}, which is {math.ceil(step / per_epoch)}."
    if not (is_number(seconds) and seconds > 0 and seconds >= before):
        return f"stored at {seconds} seconds, after a point at {before}."
    if not is_number(loss, 0, FINITE):
        return f"stored loss {loss}."
    if not is_share(accuracy):
        return f"stored accuracy {accuracy}."
    return None
