"""What is said of ill runs, and that nothing is said of healthy ones."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from helpers.answers import is_one_sentence

from fmnist import metrics
from fmnist.compare.diagnosis import Finding, diagnose, layer_words
from fmnist.data.files import Dataset
from fmnist.models import custom_check
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.store import REFERENCE, Store
from fmnist.training import loop
from fmnist.training.events import EpochEnd, Finished, Progress

LABELS = np.repeat(np.arange(10), 100)


def good_logits(never: int | None = None, rectified: bool = False) -> np.ndarray:
    """Right for all images but those of a class that is never the largest."""
    logits = np.random.default_rng(0).normal(0, 1, (1000, 10))
    logits[np.arange(1000), LABELS] += 12
    if never is not None:
        logits[:, never] = -1
    return (np.maximum(logits, 0) if rectified else logits).astype(np.float16)


def curves(train: list[float], test: list[float], accuracy: list[float], trained: list[float] | None = None):
    """A history: training losses at every 25th step, spread over the epochs; after each epoch a test."""
    per_epoch = len(train) // len(test)
    trained = trained or accuracy
    rows = [("train", 25 * (i + 1), i // per_epoch + 1, loss, trained[i // per_epoch]) for i, loss in enumerate(train)]
    rows += [
        ("test", 25 * per_epoch * (e + 1), e + 1, *values) for e, values in enumerate(zip(test, accuracy, strict=True))
    ]
    return pd.DataFrame(rows, columns=["split", "step", "epoch", "loss", "accuracy"])


HEALTHY = curves([1, 0.8, 0.6, 0.5, 0.45, 0.44], [0.6, 0.5, 0.48], [0.78, 0.82, 0.83])


def find(logits=None, history=HEALTHY, *, predictions=None, model="2", labels=LABELS, zero_layers=()) -> list[Finding]:
    logits = good_logits() if logits is None else logits
    predictions = metrics.predict(logits) if predictions is None else predictions
    found = diagnose(Recipe(model), zero_layers, logits, predictions, labels, history)
    for finding in found:
        for text in (finding.sentence, finding.evidence, finding.remedy):
            assert is_one_sentence(text) and text.endswith(".") and text[0].isupper() and "*" not in text
    return found


def kinds(found: list[Finding]) -> list[str]:
    return [finding.kind for finding in found]


def test_a_healthy_run_gets_no_finding():
    assert find() == []
    assert find(good_logits(rectified=True), model="1") == []


# The whole model


def test_a_model_without_gradients_is_dead_and_its_layer_is_named():
    logits = np.tile(np.arange(10, 0, -1), (1000, 1)).astype(np.float16)
    train = [2.3, 2.1, 1.9, 1.2, 2.4, 2.31, 2.30, 2.303, 2.302]
    history = curves(train, [2.303] * 3, [0.1] * 3)
    dead, layer = find(logits, history, zero_layers=["8"])
    assert dead.kind == "dead" and "it answers class 0 (T-shirt/top) for all 1,000 images" in dead.sentence
    assert "100 of 1,000 are right" in dead.evidence and dead.label == 0
    assert layer.kind == "zero-layer"
    assert layer.sentence == (
        "Every unit of the fourth convolution is zero after its ReLU for all 1,000 test images, since about step 150; "
        "the loss stays at ln 10 (2.303), which is what guessing costs."
    )


@pytest.mark.parametrize(
    "train, said",
    [([2.3] * 6, "never below ln 10"), ([2, 1, 2.3, 2.3, 2.3, 2.7], "for all 1,000 test images.")],
)
def test_when_a_layer_died_is_only_said_where_the_curve_shows_it(train, said):
    _, layer = find(np.ones((1000, 10)), curves(train, [2.3] * 2, [0.1] * 2), zero_layers=["3"])
    assert said in layer.sentence and "since" not in layer.sentence and "second convolution" in layer.sentence


def test_a_dead_run_as_training_leaves_it(small_data: Dataset):
    recipe = Recipe("1", seed=1, dataset="sample", learning_rate=2.0, device="cpu")
    rows, end = [], None
    for event in loop.train(recipe, small_data):
        match event:
            case Progress():
                rows.append(("train", event.step, event.epoch, event.loss, event.accuracy))
            case EpochEnd():
                rows.append(("test", event.step, event.epoch, event.loss, event.accuracy))
            case Finished():
                end = event
    history = pd.DataFrame(rows, columns=HEALTHY.columns)
    if not end.result.dead:  # Rounding may decide otherwise on another machine.
        pytest.skip("This recipe lives on this machine.")
    found = diagnose(recipe, end.result.zero_layers, end.logits, end.predictions, small_data.test_labels, history)
    assert kinds(found) == ["dead"] + ["zero-layer"] * len(end.result.zero_layers)
    step = int(re.search(r"since about step (\d+)", found[1].sentence)[1])
    train = history[history["split"] == "train"]
    assert (abs(train[train["step"] >= step]["loss"] - np.log(10)) <= 0.05).all()
    assert abs(train[train["step"] < step]["loss"].iloc[-1] - np.log(10)) > 0.05


def test_a_model_that_has_not_begun_to_learn_is_told_from_a_dead_one():
    logits = np.random.default_rng(0).normal(0, 0.01, (1000, 10))
    logits[:, 4] += 1
    (found,) = find(logits, curves([2.304, 2.303, 2.302], [2.302], [0.1]))
    assert found.kind == "dead" and "not learned yet" in found.sentence and "higher" in found.remedy
    (found,) = find(logits, curves([1.0, 0.9, 2.8], [2.8], [0.1]))
    assert "failed to learn (dead)" in found.sentence and "lower" in found.remedy


# Classes


def test_a_class_held_at_zero_by_the_last_relu():
    (found,) = find(good_logits(never=6, rectified=True), model="1")
    assert (found.kind, found.label) == ("never", 6)
    assert found.sentence == (
        "Class 6 (Shirt) is never predicted: the ReLU after the last layer holds its logit at 0 for all 1,000 images."
    )
    assert found.remedy == (
        "Model 1 ends with a ReLU by design: that is its flaw. Try another seed, or compare Model 0."
    )


def test_a_class_that_is_never_the_largest():
    (found,) = find(good_logits(never=6))
    assert found.sentence == "Class 6 (Shirt) is never predicted: its logit is never the largest."
    assert "ReLU" not in found.remedy


def test_a_class_held_at_zero_for_most_images():
    logits = good_logits(never=6, rectified=True)
    logits[:9, 6] = 0.25
    (found,) = find(logits, model="1")
    assert "at 0 for 991 of 1,000 images; a larger logit wins everywhere else" in found.sentence


@pytest.mark.parametrize("times, kind", [(0, ["never"]), (4, ["rare"]), (5, [])])
def test_a_class_that_is_hardly_ever_predicted(times, kind):
    logits = good_logits(never=6)
    logits[:times, 6] = 50
    found = find(logits)
    assert kinds(found) == kind
    if times == 4:
        assert "only 4 of 1,000 images" in found[0].sentence


def test_images_for_which_nothing_is_chosen():
    logits = good_logits(never=0, rectified=True)
    logits[70:, 3] += 0.5  # Somewhere else something is chosen.
    logits[:70] = 0
    never, undecided = find(logits, model="1")
    assert "Class 0 (T-shirt/top) is predicted only where all logits are equal" in never.sentence
    assert undecided.kind == "undecided" and "For 70 of 1,000 images all logits are equal" in undecided.sentence
    before_rounding = np.where(np.arange(1000) < 30, 5, metrics.predict(logits))  # Some of them were not equal.
    *_, undecided = find(logits, model="1", predictions=before_rounding)
    assert "For 40 of 1,000 images all logits are equal" in undecided.sentence


def test_a_class_that_is_mistaken_for_no_other_is_not_mistaken_for_itself():
    """All logits of its images are equal, so the first class is counted for them: their own."""
    logits = good_logits(never=0, rectified=True)
    logits[LABELS == 0] = 0
    never, _ = find(logits, model="1")
    assert never.evidence.startswith("Of 100 images of this class none is mistaken for another;")


def test_a_class_without_images_need_not_be_predicted():
    kept = LABELS != 6
    assert find(good_logits(never=6)[kept], labels=LABELS[kept]) == []
    assert find(np.tile(np.arange(10), (5, 1)), labels=np.full(5, 9)) == []


# Curves


@pytest.mark.parametrize(
    "losses, accuracies, ill",
    [
        ([1.0, 0.88], [0.6, 0.61], True),
        ([1.0, 0.89], [0.6, 0.7], False),
        ([1.0, 0.5], [0.6, 0.605], False),
        ([1.0, 0.4, 0.39], [0.6, 0.8, 0.82], False),
        ([1.0], [0.6], False),
    ],
)
def test_still_falling_at_the_end(losses, accuracies, ill):
    found = find(history=curves([1.0] * len(losses), losses, accuracies))
    assert kinds(found) == ["unfinished"] * ill
    if ill:
        assert "fell by 12%" in found[0].sentence and "1.0 points" in found[0].evidence


@pytest.mark.parametrize(
    "losses, accuracies, trained, ill",
    [
        ([0.5, 0.4, 0.45], [0.8, 0.85, 0.85], [0.8, 0.9, 0.93], True),
        ([0.5, 0.4, 0.39], [0.8, 0.85, 0.85], [0.8, 0.9, 0.93], False),  # the test loss still falls
        ([0.5, 0.4, 0.45], [0.8, 0.85, 0.85], [0.8, 0.9, 0.895], False),  # under five points
    ],
)
def test_overfitting(losses, accuracies, trained, ill):
    found = find(history=curves([0.5] * 6, losses, accuracies, trained))
    assert kinds(found) == ["overfitting"] * ill
    if ill:
        assert "8.0 points" in found[0].sentence and "93.0% to 85.0%" in found[0].evidence
        assert "0.400 (epoch 2) to 0.450" in found[0].evidence
        few = np.arange(0, 1000, 50)  # 20 images don't show eight points.
        assert find(good_logits()[few], curves([0.5] * 6, losses, accuracies, trained), labels=LABELS[few]) == []


def test_the_figures_that_are_printed_give_the_difference_that_is_printed():
    [falling] = find(history=curves([1.0] * 2, [0.10049, 0.08461], [0.7, 0.75]))
    assert "From 0.100 to 0.0846" in falling.evidence and "fell by 15%" in falling.sentence
    [learnt] = find(history=curves([0.5] * 6, [0.5, 0.4, 0.45], [0.8, 0.85, 0.8546], [0.8, 0.9, 0.93456]))
    assert "93.5% to 85.5%" in learnt.evidence and "it is 8.0 points more" in learnt.sentence


# The reference runs, counted with other code


@pytest.mark.parametrize("id", range(1, 16))
def test_reference_runs_are_ill_exactly_where_their_logits_and_curves_say_so(id):
    store = Store(REFERENCE, read_only=True)
    run, logits, history = store.run(id), store.logits(id).tolist(), store.history([id])
    known = {"model": run.recipe.model, "zero_layers": run.result.zero_layers, "labels": np.repeat(range(10), 1000)}
    found = find(store.logits(id), history, **known)
    said, undecided, zeros = [0] * 10, 0, [0] * 10
    for row in logits:
        zeros = [count + (value == 0) for count, value in zip(zeros, row, strict=True)]
        if len(set(row)) == 1:
            undecided += 1
        else:
            said[row.index(max(row))] += 1
    assert [f.label for f in found if f.kind in ("never", "rare")] == [c for c in range(10) if said[c] < 50]
    assert [f.label for f in found if f.kind == "never"] == list(run.result.never_predicted)
    for finding in found:
        if finding.kind == "never":
            count = zeros[finding.label]
            shown = "all 10,000 images" if count == 10_000 else f"{count:,} of 10,000 images"
            assert f"holds its logit at 0 for {shown}" in finding.sentence
        if finding.kind == "rare":
            assert f"only {said[finding.label]} of 10,000" in finding.sentence
    assert [f"{undecided:,} of" in f.sentence for f in found if f.kind == "undecided"] == [True] * (undecided > 0)
    before, last = (list(history[history["split"] == "test"]["loss"])[i] for i in (-2, -1))
    assert ("unfinished" in kinds(found)) == (last / before < 0.88)
    assert not {"overfitting", "dead", "zero-layer"} & set(kinds(found))
    if run.recipe.model != "1":
        assert {*kinds(found)} <= {"unfinished"}


# Words


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_what_is_known_of_a_models_modules_is_how_it_is_built(model):
    architecture = ARCHITECTURES[model]
    assert (list(architecture.modules), architecture.rectified) == custom_check.passed(architecture.build())


def test_layers_in_words():
    assert layer_words(ARCHITECTURES["2"].modules) == {
        "1": "first convolution", "3": "second convolution", "6": "third convolution", "8": "fourth convolution",
    }  # fmt: skip
    assert layer_words(ARCHITECTURES["1"].modules)["4"] == "second linear layer"
    assert layer_words([("a", "Conv2d"), ("b", "ReLU"), ("c", "Linear")]) == {"b": "convolution"}


def test_a_relu_that_is_used_twice_has_no_place():
    assert layer_words([("a", "Linear"), ("r", "ReLU"), ("b", "Linear"), ("r", "ReLU")]) == {}


def test_a_layer_with_an_unknown_name_keeps_it():
    _, layer = find(np.ones((1000, 10)), zero_layers=["body.act"])
    assert "Every unit of layer body.act is zero" in layer.sentence
