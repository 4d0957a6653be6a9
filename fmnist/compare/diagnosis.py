"""What went wrong with a finished run? From what the store holds: result, logits and curves. No torch, no Streamlit.

What is wrong is counted over the held-out logits, or the test logits where no images are held out, so nothing here is a
matter of taste but four thresholds, given below with their reasons. A healthy run gets no finding.

Throughout: logits are float (N, C), as they are stored; predicted classes and labels integer (N,).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fmnist.compare.statistics import wilson
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe, measured_on
from fmnist.store.library import Group, Library
from fmnist.store.run import Run
from fmnist.words import as_number, digits, exact

RARE = 0.05
"""A class is rare when it is predicted for less than this share of the number of its images: one in twenty."""

GUESSING = 0.05
"""How near to ln C, in nats, the loss of a model that only guesses stays. With constant logits, SGD's last biases still
wander: that costs .001 at rate 0.1 and batch 32, .02 at batch 1. A model that learns is soon further below ln C."""

STEEP_LOSS, STEEP_POINTS = 0.12, 0.01
"""Still falling steeply: in the last epoch the test loss fell by 12% or more, and accuracy rose by a point or more.
Measured on 18 runs of Models 0 and 1 at rates .001 to .1: then another epoch mostly brings a point or more; with less
it is as likely the noise of SGD at rate 0.1 (Model 2 falls by 11% now and then, without being unfinished)."""

OVERFIT_POINTS = 0.05
"""Overfitting: training accuracy of the last epoch this far above test accuracy, and above its 95% interval, while the
test loss is above its lowest. The published recipe stays below .03."""

HOLD_OUT = " Hold out images to choose by: what is chosen on the test images looks better on them than it is."

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
LAYERS = {"Conv2d": "convolution", "Linear": "linear layer"}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a run; sentences without Markdown."""

    kind: str  # "dead", "zero-layer", "never", "rare", "undecided", "unfinished" or "overfitting"
    sentence: str
    evidence: str  # the numbers behind it
    remedy: str
    label: int | None = None  # the class it is about


@dataclass(frozen=True)
class UnhealthyRun:
    """A run that did not go well."""

    group: Group
    run: Run
    findings: list[Finding]

    @property
    def title(self) -> str:
        """For people: "Model 2, seed 1", and what tells its group from others."""
        return self.group.title_of(f"seed {self.run.recipe.seed}")


def diagnose_run(library: Library, run: Run, labels: np.ndarray | None) -> list[Finding]:
    """What is wrong with a finished run of a library, by the held-out images, and where there are none by the test
    images.

    Args:
        labels: the test labels, integer (N,); not needed of a run that holds out images.
    """
    store = library.stores[run.source]
    if run.recipe.validation:
        logits, predictions, labels = store.held_out(run)
    else:
        assert labels is not None, "the caller looks whether the data are there"
        logits, predictions = library.logits(run), library.predictions(run)
    curves = store.history([run.id])
    return diagnose(run.recipe, run.finished_result.zero_layers, logits, predictions, labels, curves)


def diagnose(
    recipe: Recipe,
    zero_layers: Sequence[str],
    logits: np.ndarray,
    predictions: np.ndarray,
    labels: np.ndarray,
    curves: pd.DataFrame,
) -> list[Finding]:
    """What is wrong with a finished run, the gravest first; empty for a healthy one.

    Args:
        recipe: of the run.
        zero_layers: of its `Result`.
        logits, predictions, labels: of the held-out images; of the test images where there are none.
        curves: `Store.history` of this run alone: columns split, step, epoch, loss, accuracy.
    """
    curves = curves.sort_values("step", kind="stable")
    train, measured = curves[curves["split"] == "train"], curves[curves["split"] == recipe.evaluated_on]
    findings = [_zero_layer(recipe, name, logits, train) for name in zero_layers]
    dead = _dead(recipe, logits, predictions, labels, train, zero_layers)
    if dead:
        return [dead, *findings]
    findings += _classes(recipe, logits, predictions, labels)
    findings += _undecided(recipe, logits, predictions)
    findings += _unfinished(measured, recipe)
    # Where the best epoch was kept, those after it did no harm.
    return findings + (_overfitting(train, measured, len(labels), recipe) if recipe.keep == "last" else [])


# --- The whole model ---


def _dead(
    recipe: Recipe,
    logits: np.ndarray,
    predictions: np.ndarray,
    labels: np.ndarray,
    train: pd.DataFrame,
    zero_layers: Sequence[str],
) -> Finding | None:
    """A model that gives all images one class, though they have several."""
    if np.ptp(predictions) or not np.ptp(labels):
        return None
    label, right = int(predictions[0]), int(np.count_nonzero(predictions == labels))
    constant = not np.ptp(logits, axis=0).any()
    sentence = f"The run failed to learn (dead): it answers class {_class(label, recipe)} for {_all(len(labels))}."
    if constant:
        why = "Its logits are the same for every image."
    else:
        why = "Its logits differ from image to image, but the same one is always the largest."
    if constant or zero_layers:
        remedy = f"Try another seed, or a lower learning rate than {exact(recipe.learning_rate)}."
    elif len(train) and _since_guessing(train, logits.shape[1]) == train["step"].iloc[0]:
        sentence = f"The model has not learned yet: it answers class {_class(label, recipe)} for {_all(len(labels))}."
        remedy = f"Train for more epochs, or with a higher learning rate than {exact(recipe.learning_rate)}."
    else:
        remedy = f"Try a lower learning rate than {exact(recipe.learning_rate)}, or another seed."
    return Finding("dead", sentence, f"{why} {right:,} of {len(labels):,} are right.", remedy, label)


def _zero_layer(recipe: Recipe, name: str, logits: np.ndarray, train: pd.DataFrame) -> Finding:
    words = layer_words(ARCHITECTURES[recipe.model].modules).get(name)
    layer = f"the {words}" if words else f"layer {name}"
    guessing = f"ln {logits.shape[1]} ({math.log(logits.shape[1]):.3f}), which is what guessing costs"
    since = _since_guessing(train, logits.shape[1])
    sentence = (
        f"Every unit of {layer} is zero after its ReLU for {_all(len(logits), measured_on([recipe]) + ' images')}"
    )
    if since is None:
        evidence = f"The last training loss is {train['loss'].iloc[-1]:.3f}." if len(train) else "There is no curve."
    elif since == train["step"].iloc[0]:
        sentence += f"; the loss was never below {guessing}"
        evidence = f"Within {GUESSING:g} of it from the first point of the curve to the last."
    else:
        sentence += f", since about step {since:,}; the loss stays at {guessing}"
        evidence = f"Within {GUESSING:g} of it from step {since:,} to step {train['step'].iloc[-1]:,}."
    return Finding(
        "zero-layer",
        f"{sentence}.",
        evidence,
        "Try another seed or a lower learning rate: no gradient gets through any more.",
    )


def _since_guessing(train: pd.DataFrame, classes: int) -> int | None:
    """The first step from which on the training loss stays within `GUESSING` of ln C to the end; None if it doesn't."""
    far = np.abs(train["loss"].to_numpy(np.float64) - math.log(classes)) > GUESSING
    far |= ~np.isfinite(train["loss"].to_numpy(np.float64))
    if not len(far) or far[-1]:
        return None
    return int(train["step"].iloc[int(np.flatnonzero(far)[-1]) + 1 if far.any() else 0])


# --- Classes ---


def _classes(recipe: Recipe, logits: np.ndarray, predictions: np.ndarray, labels: np.ndarray) -> list[Finding]:
    """Classes with images that are never predicted, or hardly ever; and why."""
    classes = logits.shape[1]
    images = np.bincount(labels, minlength=classes)
    chosen = np.bincount(predictions[~_undecided_images(logits, predictions)], minlength=classes)
    rectified = ARCHITECTURES[recipe.model].rectified and bool((logits >= 0).all())
    findings = []
    for label in np.flatnonzero((images > 0) & (chosen < RARE * images)).tolist():
        kind = "rare" if chosen[label] else "never"
        said = np.bincount(predictions[labels == label], minlength=classes)
        said[label] = 0
        most = int(said.argmax())
        zeros = int(np.count_nonzero(logits[:, label] == 0))
        if chosen[label]:
            how = f"predicted for only {chosen[label]:,} of {_count(len(labels), 'image')}"
        elif label in predictions:
            how = "predicted only where all logits are equal"
        else:
            how = "never predicted"
        sentence = f"Class {_class(label, recipe)} is {how}: "
        if rectified and zeros == len(labels):
            sentence += f"the ReLU after the last layer holds its logit at 0 for {_all(len(labels))}"
            remedy = _without_relu(recipe.model)
        elif rectified and 2 * zeros > len(labels):
            sentence += f"the ReLU after the last layer holds its logit at 0 for {zeros:,} of {len(labels):,} images"
            sentence += "" if chosen[label] else "; a larger logit wins everywhere else"
            remedy = _without_relu(recipe.model)
        else:
            sentence += f"its logit is {'hardly ever' if chosen[label] else 'never'} the largest"
            remedy = "Train for more epochs, or try another seed."
        mistaken = f"{int(said[most]):,} {'is' if said[most] == 1 else 'are'} mistaken for class {_class(most, recipe)}"
        if not said[most]:
            mistaken = "none is mistaken for another"
        evidence = (
            f"Of {_count(int(images[label]), 'image')} of this class {mistaken}; "
            f"the largest value of its logit is {float(logits[:, label].max()):.3g}."
        )
        findings.append(Finding(kind, f"{sentence}.", evidence, remedy, label))
    return findings


def _without_relu(model: str) -> str:
    """What helps a model that ends with a ReLU, which makes every negative logit 0."""
    if model in ARCHITECTURES.project:
        name = ARCHITECTURES[model].name
        return f"{name} ends with a ReLU by design: that is its flaw. Try another seed, or compare Model 0."
    return "Leave out the last ReLU, or try another seed."


def _undecided(recipe: Recipe, logits: np.ndarray, predictions: np.ndarray) -> list[Finding]:
    """Images for which all logits are equal: the first class is counted, but nothing was chosen."""
    count = int(np.count_nonzero(_undecided_images(logits, predictions)))
    if not count:
        return []
    sentence = (
        f"For {count:,} of {_count(len(logits), 'image')} all logits are equal: "
        f"nothing is chosen, and class {_class(0, recipe)} is counted because it comes first."
    )
    zeros = int(np.count_nonzero((logits == 0).all(axis=1)))
    evidence = f"All {logits.shape[1]} logits are 0 for {_count(zeros, 'image')}."
    if zeros and ARCHITECTURES[recipe.model].rectified:
        return [Finding("undecided", sentence, evidence, _without_relu(recipe.model))]
    return [Finding("undecided", sentence, evidence, "Try another seed or a lower learning rate.")]


def _undecided_images(logits: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Where another class is predicted than the first, logits were equal only after they were rounded."""
    return (logits.max(axis=1) == logits.min(axis=1)) & (predictions == 0)


# --- Curves ---


def _unfinished(measured: pd.DataFrame, recipe: Recipe) -> list[Finding]:
    """Whether training ended while the loss on the images that are measured after each epoch was still falling steeply.
    One epoch alone can't show it."""
    if len(measured) < 2:
        return []
    before, last = measured.iloc[-2], measured.iloc[-1]
    fall, rise = 1 - last["loss"] / before["loss"], last["accuracy"] - before["accuracy"]
    if not (fall >= STEEP_LOSS and rise >= STEEP_POINTS):
        return []
    high, low = digits(before["loss"]), digits(last["loss"])
    fall = 1 - as_number(low) / as_number(high)
    return [
        Finding(
            "unfinished",
            f"Training ended too early: in the last epoch the {measured_on([recipe])} loss still fell by "
            f"{100 * fall:.0f}%.",
            f"From {high} to {low}, while accuracy rose by {100 * rise:.1f} points.",
            "Train for more epochs.",
        )
    ]


def _overfitting(train: pd.DataFrame, measured: pd.DataFrame, images: int, recipe: Recipe) -> list[Finding]:
    """Whether a run knows its training images far better than those that are measured after each epoch, and gets worse
    on these.

    Args:
        images: how many these are.
    """
    if len(measured) < 2 or train.empty:
        return []
    last = measured.iloc[-1]
    lowest = measured.loc[measured["loss"].idxmin()]
    points = train[train["epoch"] == last["epoch"]]
    if points.empty or not last["loss"] > lowest["loss"]:
        return []
    # Each point is a mean over the steps since the one before; the last of an epoch may stand for fewer.
    steps = np.diff(train["step"], prepend=0)[train["epoch"] == last["epoch"]]
    trained, tested = float(np.average(points["accuracy"], weights=steps)), float(last["accuracy"])
    if not (trained - tested > OVERFIT_POINTS and trained > wilson(round(tested * images), images)[1]):
        return []
    more, less = f"{100 * trained:.1f}", f"{100 * tested:.1f}"
    return [
        Finding(
            "overfitting",
            f"The model has memorised its training images: it is {float(more) - float(less):.1f} points "
            f"more accurate on them than on the {measured_on([recipe])} images.",
            f"Accuracy {more}% to {less}% in the last epoch; the {measured_on([recipe])} loss has risen from "
            f"{lowest['loss']:.3f} (epoch {lowest['epoch']:.0f}) to {last['loss']:.3f}.",
            f"Train for fewer epochs: {lowest['epoch']:.0f} {'was' if lowest['epoch'] == 1 else 'were'} best on the "
            f"{measured_on([recipe])} images.{'' if recipe.validation else HOLD_OUT}",
        )
    ]


# --- Words ---


def layer_words(modules: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The ReLUs of a model in words, by their names in it.

    Args:
        modules: `Architecture.modules`.

    Returns:
        For each ReLU the layer before it: {"1": "first convolution", "3": "second convolution"}; without a number
        if there is only one of the kind. Nothing of a ReLU that an image passes more than once.
    """
    kinds = [kind for _, kind in modules]
    names = Counter(name for name, _ in modules)
    words, counts, before = {}, Counter[str](), None
    for name, kind in modules:
        if kind in LAYERS:
            number, total = counts[kind], kinds.count(kind)
            ordinal = ORDINALS[number] if number < len(ORDINALS) else f"{number + 1}th"
            before = LAYERS[kind] if total == 1 else f"{ordinal} {LAYERS[kind]}"
            counts[kind] += 1
        elif kind == "ReLU" and before and names[name] == 1:
            words[name] = before
    return words


def _class(label: int, recipe: Recipe) -> str:
    """A class for people: "6 (Shirt)"; one that is called by its number by that alone."""
    names = recipe.info.classes
    name = names[label] if label < len(names) else ""
    return f"{label} ({name})" if name not in ("", str(label)) else str(label)


def _all(count: int, what: str = "images") -> str:
    return f"all {count:,} {what}"


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
