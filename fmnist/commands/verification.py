"""Is what the store holds of a finished run still true? Everything that can be computed again is; the rest has a seal.

From the data and the weights follow the logits, from the logits the figures of the result, from the predictions after
each epoch the curve of test accuracy, from recipe and data the steps. What follows from nothing that is stored - times,
points of the training curve, weights on which no answer depends - is compared with the seal that the run was given
when it ended (`fmnist.store.checksums`). Imports torch.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from safetensors import SafetensorError

from fmnist import metrics
from fmnist.data.files import Dataset
from fmnist.models import arithmetic, inference
from fmnist.models.registry import ARCHITECTURES, ModelError
from fmnist.predict import prediction
from fmnist.store import checksums
from fmnist.store.arrays import unpack
from fmnist.store.library import Library
from fmnist.store.run import Result, Run
from fmnist.store.store import Store, StoreError

LOGIT_STEPS = 2
"""By how many float16 steps, those at an image's largest logit, a logit may differ from what the weights give here.

On processors of the same kind none differs. Others add up in another order: of the 1,500,000 logits of the reference
runs, made with AVX-512, at most 97 of a run's 100,000 came out otherwise with AVX2 or SSE instructions, none of them by
more than one such step, all of them Model 2's. GPUs were not measured. A smaller change by hand breaks the seal."""

CLOSE = 1e-9
"""Relative difference of losses that other versions of NumPy may make in their last digits."""

UNREADABLE = (StoreError, SafetensorError, zlib.error, RuntimeError, ValueError, TypeError, KeyError, EOFError, OSError)
"""What reading an artifact raises in which somebody has written."""


@dataclass(frozen=True)
class Disagreement:
    """A stored figure that is not what it should be."""

    figure: str  # as `checksums.contents` names it
    stored: Any  # None for what is not there, or is no single figure
    recomputed: Any  # None where nothing but the seal tells
    sentence: str
    changed: bool | None = None  # whether it is not what it was when the run ended; None without a seal


@dataclass
class Verdict:
    """What came out for one run."""

    address: str
    name: str
    recomputed: int = 0  # how many figures were computed again; all logits, and all predictions of an epoch, are one
    sealed: int | None = None  # how many things the seal covers; None without one
    disagreements: list[Disagreement] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not self.disagreements

    @property
    def text(self) -> str:
        """For people: a line, and one more for each thing to be said."""
        compared = "" if self.sealed is None else f", {self.sealed} compared with its seal"
        count = len(self.disagreements)
        answer = "agrees" if self.agrees else f"{count} thing{'s do' if count > 1 else ' does'} not agree"
        lines = [f"{self.address} {self.name}: {answer} ({self.recomputed} figures computed again{compared})"]
        lines += [f"    {disagreement.sentence}" for disagreement in self.disagreements]
        return "\n".join([*lines, *(f"    {remark}" for remark in self.remarks)])

    @property
    def facts(self) -> dict[str, Any]:
        """For programs, as JSON takes it."""
        return {"run": self.address, "name": self.name, "agrees": self.agrees} | {
            name: value for name, value in asdict(self).items() if name not in ("address", "name")
        }


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
    _check_weights(check, library, run, logits, dataset)
    if logits is not None:
        _check_result(check, logits, dataset.test_labels, checksums.point_name("test", run.recipe.epochs * per_epoch))
    for epoch in range(1, run.recipe.epochs + 1):
        predictions = check.read(f"predictions/{epoch}", (count,), np.uint8)
        if predictions is not None:
            point = checksums.point_name("test", epoch * per_epoch)
            *_, stored = check.contents.get(point, (None,))
            accuracy = metrics.accuracy(predictions, dataset.test_labels)
            check.same(point, stored, accuracy, f"as its accuracy, from predictions/{epoch}")
            if logits is not None and epoch == run.recipe.epochs:
                _check_predictions(check, f"predictions/{epoch}", predictions, metrics.predict(logits))
    _check_curves(check, run.recipe.epochs * per_epoch, per_epoch)


def _check_weights(check: _Check, library: Library, run: Run, logits: np.ndarray | None, dataset: Dataset) -> None:
    """What follows from the weights: numbers of the model, its layers, the logits."""
    try:
        model = prediction.load_model(library, run)
    except ModelError as error:
        check.fail("weights", str(error))
        return
    except UNREADABLE:
        there = "weights" in check.contents
        check.fail("weights", "damaged, or of another model." if there else "missing.")
        return
    images = inference.as_input(dataset.test_images)
    check.equal("parameters", inference.parameter_count(model), "from the model")
    check.equal("multiply_adds", arithmetic.multiply_adds(model, images[:1]), "from the model")
    check.equal("zero_layers", inference.zero_layers(model, images), "from the weights")
    if logits is not None:
        threads = ARCHITECTURES[run.recipe.model].parts
        _check_logits(check, logits, inference.evaluate(model, images, threads), dataset.info.classes)


def _check_logits(check: _Check, stored: np.ndarray, recomputed: np.ndarray, classes: Sequence[str]) -> None:
    """Both float16 (N, 10): the same but for the rounding of another processor."""
    check.verdict.recomputed += 1
    difference = np.abs(stored.astype(np.float64) - recomputed)
    step = np.spacing(np.abs(recomputed).max(axis=1, keepdims=True)).astype(np.float64)
    wrong = ~(difference <= LOGIT_STEPS * step)  # Also where one is not a number.
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
    elif rounded := np.count_nonzero(difference):
        check.remark(
            f"{rounded:,} of {wrong.size:,} logits differ from what the weights give here by the rounding of another "
            f"processor, by {difference.max():.2g} at most."
        )


def _check_result(check: _Check, logits: np.ndarray, labels: np.ndarray, last: str) -> None:
    """The figures of the result, and the loss of the last test point (its name is `last`), from the logits."""
    predictions, loss = metrics.predict(logits), metrics.cross_entropy(logits, labels)
    *_, stored, _ = check.contents.get(last, (None, None))
    check.same(last, stored, loss, "as its loss, from the logits")
    for figure, recomputed in (
        ("test_loss", loss),
        ("test_accuracy", metrics.accuracy(predictions, labels)),
        ("dead", metrics.is_dead(predictions)),
        ("never_predicted", metrics.never_predicted(predictions)),
    ):
        check.equal(figure, recomputed, "from the logits")


def _check_predictions(check: _Check, name: str, stored: np.ndarray, recomputed: np.ndarray) -> None:
    check.verdict.recomputed += 1
    wrong = np.flatnonzero(stored != recomputed)
    if len(wrong):
        image = wrong[0]
        check.fail(
            name,
            f"{len(wrong):,} of {len(stored):,} {'is' if len(wrong) == 1 else 'are'} not the class with the largest "
            f"logit, first that of test image {image}: stored {stored[image]}, from the logits {recomputed[image]}.",
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
            "It has no seal: whether its times, the points of its training curve, and weights on which no answer "
            "depends are still what they were can't be checked."
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
