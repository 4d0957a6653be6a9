"""Where images are held out, they are what is measured; the test images are used once, at the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fmnist import metrics
from fmnist.compare import next_steps
from fmnist.compare.comparison import Comparison
from fmnist.compare.diagnosis import diagnose
from fmnist.compare.outcome import outcomes
from fmnist.data.files import Dataset
from fmnist.data.held_out import held_out
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.run import Result, Run, Status
from fmnist.store.store import Store
from fmnist.training import loop, messages, worker
from fmnist.training.messages import EndReport, Order, ProgressReport

TIMES = {"train_seconds", "eval_seconds", "image_seconds", "single_seconds"}


def train(store: Store, recipe: Recipe, data: Dataset) -> Run:
    """Train as a worker does, and write down what it says."""
    from fmnist.models.registry import ARCHITECTURES

    [(id, _)] = store.enqueue([(recipe, recipe.key(data.fingerprint))], store.path.parent, again=True)
    assert store.claim()
    architecture, folder = ARCHITECTURES[recipe.model], store.path.parent
    order = Order(id, recipe, architecture, folder, folder, None, 1, None, folder / "log")
    for report in worker.follow(order, lambda: data, stopped=lambda: False):
        match report:
            case messages.Start():
                store.record_start(id, report)
            case ProgressReport():
                store.record(id, report.points, images_per_second=None, artifacts=report.artifacts)
            case EndReport():
                store.finish(id, report.status, points=report.points, result=report.result, artifacts=report.artifacts)
                assert report.status == Status.DONE, report.error
    run = store.run(id)
    assert run
    return run


def known(store: Store, run: Run) -> dict[str, object]:
    """All that is stored of a run but times and its key, in which the data are."""
    contents, _ = store.contents(run.id)
    never = {"key", "created", "started", "updated", "finished", "images_per_second", *TIMES}
    found = {name: value for name, value in contents.items() if name not in never}
    return {name: value[2:] if " point at step " in name else value for name, value in found.items()}


OF_THE_TEST = {"test_loss", "test_accuracy", "logits"}
RECIPES = [
    Recipe("1", 1, "sample", 3, device="cpu", validation=100, learning_rate=0.3),
    Recipe("2", 0, "sample", 4, device="cpu", validation=60, learning_rate=0.2, keep="best"),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=["last", "best"])
def test_with_noise_for_test_images_nothing_but_the_test_figures_changes(recipe, small_data, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, small_data.test_images.shape, np.uint8)
    # With a fingerprint of their own, by which a worker tells what it has on its device.
    noisy = replace(small_data, test_images=noise, test_labels=small_data.test_labels[::-1].copy(), fingerprint="noise")
    found, said = [], []
    for name, data in (("clean", small_data), ("noisy", noisy)):
        store = Store(tmp_path / name / "fmnist.db")
        run = train(store, recipe, data)
        found.append(known(store, run))
        library = Library(store, reference=None)
        [group] = library.trials("sample")
        compared = Comparison(library, [group], data.test_labels)
        learning = compared.learning("accuracy", "test", "epoch")
        look_into = next_steps.to_look_into(library, [group], data.test_labels)
        said.append(
            [
                outcomes(library, [run], lambda run: run.name, lambda _: "no time"),
                [ill.findings for ill in compared.unhealthy_runs()],
                run.trouble,
                look_into and look_into.sentence,
                learning.alt,
                [trace.y.tolist() for trace in learning.figure.data],
            ]
        )
    clean, noisy_ = found
    last = {f"test point at step {clean['steps']}", f"predictions/{recipe.epochs}"}
    assert clean.keys() == noisy_.keys()
    assert {name for name in clean if clean[name] != noisy_[name]} == OF_THE_TEST | last
    assert said[0] == said[1]
    assert "held-out" in said[0][0][0] and said[0][4].startswith("Held-out images")
    # Of the test images there is nothing from before the end.
    assert {name for name in clean if name.startswith(("test point", "predictions/"))} == last


def test_what_is_held_out_is_measured_after_each_epoch_and_kept_under_its_name(small_data, tmp_path):
    store = Store(tmp_path / "fmnist.db")
    recipe = RECIPES[0]
    run = train(store, recipe, small_data)
    labels = small_data.train_labels[held_out(small_data.train_labels, 100)]
    curve = store.history([run.id], "validation")
    assert list(curve["epoch"]) == [1, 2, 3] and curve["step"].iloc[-1] == run.steps == 3 * 8
    for epoch, accuracy in zip(curve["epoch"], curve["accuracy"], strict=True):
        assert metrics.accuracy(store.predictions(run.id, epoch, "validation"), labels) == accuracy
    logits, predictions, kept = store.held_out(run)
    assert np.array_equal(kept, labels)
    result = run.finished_result
    assert result.validation_loss == metrics.cross_entropy(logits, labels) == curve["loss"].iloc[-1]
    assert result.validation_accuracy == result.accuracy_to_choose_by == metrics.accuracy(predictions, labels)
    assert list(store.history([run.id], "test")["step"]) == [run.steps]
    assert Result.from_json(result.to_json()) == result


def test_the_epoch_that_was_best_is_named_by_the_held_out_images(small_data):
    """A model that learns its training images by heart; the curve of the test images would say something else."""
    recipe = Recipe("0", dataset="sample", epochs=3, validation=100)
    logits, labels = np.zeros((100, 10), np.float16), np.arange(100) % 10
    logits[np.arange(100), np.where(np.arange(100) < 60, labels, (labels + 1) % 10)] = 9
    import pandas as pd

    rows = [("train", 10 * epoch, epoch, 0.1, 1.0) for epoch in (1, 2, 3)]
    rows += [("validation", 10 * epoch, epoch, loss, 0.6) for epoch, loss in ((1, 0.9), (2, 0.5), (3, 1.2))]
    rows += [("test", 10 * epoch, epoch, loss, 0.6) for epoch, loss in ((1, 0.1), (2, 0.5), (3, 1.2))]
    curves = pd.DataFrame(rows, columns=["split", "step", "epoch", "loss", "accuracy"])
    findings = diagnose(recipe, (), logits, logits.argmax(axis=1).astype(np.uint8), labels, curves)
    [finding] = [one for one in findings if one.kind == "overfitting"]
    assert finding.remedy == "Train for fewer epochs: 2 were best on the held-out images."
    assert "held-out images" in finding.sentence and "held-out loss" in finding.evidence
    kept = diagnose(replace(recipe, keep="best"), (), logits, logits.argmax(axis=1).astype(np.uint8), labels, curves)
    assert not [one for one in kept if one.kind == "overfitting"]


def test_no_more_can_be_held_out_than_leaves_some_to_train_on(small_data):
    with pytest.raises(loop.TrainingError, match="none would be left"):
        list(loop.train(Recipe("0", dataset="sample", validation=331, device="cpu"), small_data))


def test_the_place_of_a_data_set_does_not_matter(small_data: Dataset, tmp_path: Path):
    """Weights depend on what is held out: other images are learnt from."""
    one, other = (
        list(loop.train(Recipe("0", dataset="sample", epochs=1, device="cpu", validation=count), small_data))[-1]
        for count in (0, 10)
    )
    assert one.held_out is None and len(other.held_out.labels) == 10
    assert not np.array_equal(one.logits, other.logits)
