"""Is what the store holds of a finished run still true? Everything that can be computed again is; the rest has a seal.

From the data and the weights follow the logits and the predicted classes, from the logits the loss, from the predicted
classes the other figures of the result, from the predictions after each epoch the curve of test accuracy, from recipe
and data the steps. What follows from nothing that is stored - times,
points of the training curve, weights on which no answer depends - is compared with the seal that the run was given
when it ended (`fmnist.store.checksums`). Imports torch.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from safetensors import SafetensorError

from fmnist import metrics
from fmnist.commands.verdict import Disagreement, Verdict
from fmnist.data.files import Dataset
from fmnist.models import arithmetic, inference
from fmnist.models.registry import ARCHITECTURES, ModelError
from fmnist.predict import prediction, recount
from fmnist.store import checksums
from fmnist.store.arrays import rounded, unpack
from fmnist.store.library import Library
from fmnist.store.run import Result, Run
from fmnist.store.store import Store, StoreError

CLASS_ROUNDING = 1e-5
"""Two classes of which the float32 logits are nearer, as a share of the larger one or of 1 if that is smaller, may
change places on another processor. Logits of the reference runs differ by at most 6e-6 between PyTorch and onnxruntime,
and of none of the 150,000 images does it change the class."""

CLOSE = 1e-9
"""Relative difference of losses that other versions of NumPy may make in their last digits."""

UNREADABLE = (StoreError, SafetensorError, zlib.error, RuntimeError, ValueError, TypeError, KeyError, EOFError, OSError)
"""What reading an artifact raises in which somebody has written."""


def verify(library: Library, source: str, id: int, load: Callable[[str], Dataset]) -> Verdict:
    """Check all that is stored of a run that has ended.

    Args:
        source: of the run's store in the library, "own" or "reference".
        load: gives the data set with a name.

    Raises:
        DataError: from `load`.
        StoreError: the store can't be read.
    """
    store = library.stores[source]
    contents, kept = store.contents(id)
    run = _run(store, id)
    address = str(id) if source == "own" else f"{source}-{id}"
    check = _Check(contents, Verdict(address, run.name if run else "a run of an unknown model"))
    if run:
        _check_run(check, library, run, load(run.recipe.dataset))
        _check_key(check, run, load(run.recipe.dataset), kept)
    elif what := store.damage(id):
        for name in Result.faults(contents):
            check.fail(name, f"stored {_text(contents.get(name))}, which no result has.", contents.get(name))
        if check.verdict.agrees:
            check.fail("row", f"{what}.")
    elif faults := Result.faults(contents):
        for name in faults:
            check.fail(name, f"stored {_text(contents.get(name))}, which no result has.", contents.get(name))
    elif kept and kept.get("recipe") == checksums.sums(contents)["recipe"]:
        check.remark("This program does not have its model: nothing could be computed again.")
    else:
        check.fail("recipe", "no recipe of this program.")
    _check_seal(check, kept)
    return check.verdict


def _run(store: Store, id: int) -> Run | None:
    return store.run(id)


class _Check:
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
            self.fail(figure, f"stored {_text(stored)}, {origin} {_text(recomputed)}.", stored, recomputed)

    def positive(self, *figures: str) -> None:
        """Times and numbers, of those that are stored."""
        for figure in figures:
            stored = self.contents.get(figure)
            if stored is not None and not (_is_number(stored) and stored > 0):
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


def _text(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _same(stored: Any, recomputed: Any) -> bool:
    if isinstance(recomputed, float):
        return _is_number(stored) and math.isclose(stored, recomputed, rel_tol=CLOSE)
    return type(stored) is type(recomputed) and stored == recomputed


# --- What follows from what ---


def _check_run(check: _Check, library: Library, run: Run, dataset: Dataset) -> None:
    per_epoch = math.ceil(len(dataset.train_images) / run.recipe.batch_size)
    check.equal("steps", run.recipe.epochs * per_epoch, "from recipe and data")
    check.equal("step", run.recipe.epochs * per_epoch, "from recipe and data")
    check.positive("threads", "at_once", "images_per_second", "eval_seconds", "image_seconds", "single_seconds")
    count = len(dataset.test_labels)
    logits = check.read("logits", (count, metrics.CLASSES), np.float16)
    exact = _check_weights(check, library, run, logits, dataset)
    if logits is not None:
        loss, last = metrics.cross_entropy(logits, dataset.test_labels), run.recipe.epochs * per_epoch
        *_, stored, _ = check.contents.get(checksums.point_name("test", last), (None, None))
        check.same(checksums.point_name("test", last), stored, loss, "as its loss, from the logits")
        check.equal("test_loss", loss, "from the logits")
    for epoch in range(1, run.recipe.epochs + 1):
        predictions = check.read(f"predictions/{epoch}", (count,), np.uint8)
        if predictions is not None:
            point = checksums.point_name("test", epoch * per_epoch)
            *_, stored = check.contents.get(point, (None,))
            accuracy = metrics.accuracy(predictions, dataset.test_labels)
            check.same(point, stored, accuracy, f"as its accuracy, from predictions/{epoch}")
            if epoch == run.recipe.epochs:
                _check_result(check, predictions, dataset.test_labels)
                if logits is not None:
                    _check_predictions(check, f"predictions/{epoch}", predictions, logits, exact, run.rounded)
    if run.rounded and exact is not None:
        accuracy = metrics.accuracy(metrics.predict(exact), dataset.test_labels)
        check.remark(
            "It was counted by an earlier version, from rounded logits, and could not be counted again: "
            f"the accuracy of its weights is {accuracy:.2%}."
        )
    _check_curves(check, run.recipe.epochs * per_epoch, per_epoch)


def _check_weights(
    check: _Check, library: Library, run: Run, logits: np.ndarray | None, dataset: Dataset
) -> np.ndarray | None:
    """What follows from the weights: numbers of the model, its layers, the logits.

    Returns:
        The logits that they give here, float32 (N, 10); None if there is no model.
    """
    try:
        model = prediction.load_model(library, run)
    except ModelError as error:
        check.fail("weights", str(error))
        return None
    except UNREADABLE:
        there = "weights" in check.contents
        check.fail("weights", "damaged, or of another model." if there else "missing.")
        return None
    images = inference.as_input(dataset.test_images)
    check.equal("parameters", inference.parameter_count(model), "from the model")
    check.equal("multiply_adds", arithmetic.multiply_adds(model, images[:1]), "from the model")
    check.equal("zero_layers", inference.zero_layers(model, images), "from the weights")
    exact = inference.evaluate(model, images, ARCHITECTURES[run.recipe.model].parts)
    if logits is not None:
        _check_logits(check, logits, rounded(exact), dataset.info.classes)
    return exact


def _check_logits(check: _Check, stored: np.ndarray, recomputed: np.ndarray, classes: Sequence[str]) -> None:
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
            "logits",
            f"{count:,} of {wrong.size:,} {'is' if count == 1 else 'are'} not what the weights give; the largest "
            f"difference is at test image {image}, class {classes[label]}: stored {before}, "
            f"from the weights {after}.",
            before,
            after,
        )
    elif differing := np.count_nonzero(difference):
        check.remark(
            f"{differing:,} of {wrong.size:,} logits differ from what the weights give here by the rounding of another "
            f"processor, by {difference.max():.2g} at most."
        )


def _check_result(check: _Check, predictions: np.ndarray, labels: np.ndarray) -> None:
    """What is counted over the predicted classes."""
    for figure, recomputed in (
        ("test_accuracy", metrics.accuracy(predictions, labels)),
        ("dead", metrics.is_dead(predictions)),
        ("never_predicted", metrics.never_predicted(predictions)),
    ):
        check.equal(figure, recomputed, "from the predicted classes")


def _check_predictions(
    check: _Check, name: str, stored: np.ndarray, logits: np.ndarray, exact: np.ndarray | None, from_rounded: bool
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
            f"logit, first that of test image {image}: stored {stored[image]}, recomputed {recomputed[image]}.",
            int(stored[image]),
            int(recomputed[image]),
        )


def _check_curves(check: _Check, steps: int, per_epoch: int) -> None:
    """The points in their order, up to the last, and the time of training."""
    for split in ("train", "test"):
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
            before = seconds if _is_number(seconds) else before
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
    if not (_is_number(seconds) and seconds > 0 and seconds >= before):
        return f"stored at {seconds} seconds, after a point at {before}."
    if not (_is_number(loss) and loss >= 0):
        return f"stored loss {loss}."
    if not (_is_number(accuracy) and 0 <= accuracy <= 1):
        return f"stored accuracy {accuracy}."
    return None


# --- Key and seal ---


def _check_key(check: _Check, run: Run, dataset: Dataset, kept: dict[str, str] | None) -> None:
    """The key follows from recipe, data and code. Code may change in the life of a store: the seal tells."""
    key = run.recipe.key(dataset.fingerprint)
    now = checksums.sums({name: check.contents[name] for name in ("key", "recipe")})
    if kept and key != run.key and all(kept.get(name) == sum_ for name, sum_ in now.items()):
        check.remark("The data, the model's code or the training loop are not those it was made with: see its key.")
    else:
        check.equal("key", key, "from recipe, data and code")


def _check_seal(check: _Check, kept: dict[str, str] | None) -> None:
    """Each thing shall have the sum that it had when the run ended."""
    if kept is None:
        check.remark(
            "It has no checksums, so its times, the points of its training curve, and weights on which no answer "
            "depends can't be checked for changes."
        )
        return
    if not kept:
        check.fail(checksums.NAME, "damaged: nothing can be compared with it.")
        return
    check.verdict.sealed = len(kept)
    now = checksums.sums(check.contents)
    changed = {name for name in kept | now if kept.get(name) != now.get(name)}
    # A changed logit makes the loss disagree: here it is said which of them was changed.
    check.verdict.disagreements = [
        replace(
            found,
            sentence=f"{found.sentence} {'Changed' if found.figure in changed else 'Unchanged'} since the run ended.",
            changed=found.figure in changed,
        )
        for found in check.verdict.disagreements
    ]
    for name in sorted(changed - {found.figure for found in check.verdict.disagreements}):
        stored = check.contents.get(name)
        if name not in now:
            words = "missing; it was there when the run ended."
        elif name not in kept:
            words = "it was not there when the run ended."
        elif isinstance(stored, bytes):
            words = "changed since the run ended."
        else:
            words = f"stored {_text(stored)}, changed since the run ended."
        check.fail(name, words, stored, changed=True)
