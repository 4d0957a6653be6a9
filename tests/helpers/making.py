"""Runs for tests, made by a real store as the trainer makes them, but with invented answers instead of training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fmnist import metrics
from fmnist.data import held_out as held_out_module
from fmnist.data.files import Dataset
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.arrays import pack
from fmnist.store.artifacts import HELD_OUT_LABELS, HELD_OUT_LOGITS
from fmnist.store.run import Point, Result, Run, Start, Status
from fmnist.store.store import Store

if TYPE_CHECKING:
    import torch

STEPS_PER_EPOCH = 8


def queued_run(store: Store, recipe: Recipe, data: Dataset, *, alone: bool = False) -> int:
    """A run that waits for a trainer; its id.

    Args:
        alone: it was asked for by itself, not at once with the one before.
    """
    [(id, _)] = store.enqueue([(recipe, recipe.key(data.fingerprint))], store.path.parent, again=True)
    if not alone:
        with store._write() as db:
            db.execute(
                "UPDATE runs SET created = before.created FROM runs AS before "
                "WHERE runs.id = ? AND before.id = runs.id - 1 AND before.created > runs.created - 60",
                (id,),
            )
    return id


def running_run(
    store: Store,
    recipe: Recipe,
    data: Dataset,
    *,
    epochs: int = 1,
    seconds: float = 2.0,
    device: str = "cpu",
    machine: str = "A processor",
    multiply_adds: int | None = 7840,
    alone: bool = False,
) -> int:
    """A run in the middle of its training, with the curves of some epochs; its id. Only where no other is queued."""
    id = queued_run(store, recipe, data, alone=alone)
    claimed = store.claim()
    assert claimed and claimed.id == id, "make running runs before queued ones"
    versions, steps = {"python": "3.11", "torch": "2.15"}, recipe.epochs * STEPS_PER_EPOCH
    if ARCHITECTURES[recipe.model].compiled and device == "cpu":
        versions["numba"] = "0.68"
    start = Start(device, 1, machine, versions, parameters=7850, multiply_adds=multiply_adds, steps=steps, step=0)
    store.record_start(id, start)
    curve = [
        Point(split, step, -(-step // STEPS_PER_EPOCH), seconds * step / STEPS_PER_EPOCH / recipe.epochs, 2 / step, 0.5)
        for step in range(1, epochs * STEPS_PER_EPOCH + 1)
        for split in (("train", recipe.evaluated_on) if step % STEPS_PER_EPOCH == 0 else ("train",))
    ]
    store.record(id, curve, images_per_second=1000.0, artifacts={})
    return id


def ended_run(store: Store, recipe: Recipe, data: Dataset, status: Status, error: str | None = None) -> int:
    """A run that was cancelled or interrupted, or that failed, after its first epoch; its id."""
    id = running_run(store, recipe, data)
    store.finish(id, status, error=error)
    return id


def finished_run(
    store: Store,
    recipe: Recipe,
    data: Dataset,
    *,
    accuracy: float = 0.8,
    held_out: float | None = None,
    never: tuple[int, ...] = (),
    seconds: float = 2.0,
    weights: bool = False,
    **where: Any,
) -> Run:
    """A finished run.

    Args:
        accuracy: the share of test images that it recognises, before `never`.
        held_out: the share of held-out images, where there are any. Default: the same.
        never: classes that it never predicts; nine of them make a dead run.
        weights: give it the initial weights of its model, for predictions (imports torch).
        where: device, machine and multiply_adds, as of `running_run`.
    """
    logits = invented_logits(data.test_labels, accuracy, never, seed=recipe.seed)
    predictions = metrics.predict(logits)
    id = running_run(store, recipe, data, epochs=recipe.epochs, seconds=seconds, **where)
    kept = (
        held_out_answers(recipe, data, accuracy if held_out is None else held_out, never) if recipe.validation else {}
    )
    store.finish(
        id,
        Status.DONE,
        points=[Point("test", recipe.epochs * STEPS_PER_EPOCH, recipe.epochs, seconds, 0.6, 0.8)] if kept else [],
        result=result(
            validation_accuracy=metrics.accuracy(kept["predictions"], kept["labels"]) if kept else None,
            validation_loss=metrics.cross_entropy(kept["logits"], kept["labels"]) if kept else None,
            test_loss=metrics.cross_entropy(logits, data.test_labels),
            test_accuracy=metrics.accuracy(predictions, data.test_labels),
            train_seconds=seconds,
            dead=metrics.is_dead(predictions),
            never_predicted=tuple(metrics.never_predicted(predictions)),
        ),
        artifacts={
            "logits": pack(logits),
            f"predictions/{recipe.epochs}": pack(predictions),
            "weights": initial_weights(recipe) if weights else b"",
            **({HELD_OUT_LOGITS: pack(kept["logits"]), HELD_OUT_LABELS: pack(kept["labels"])} if kept else {}),
            **({f"validation/predictions/{recipe.epochs}": pack(kept["predictions"])} if kept else {}),
        },
    )
    run = store.run(id)
    assert run
    return run


def held_out_answers(recipe: Recipe, data: Dataset, accuracy: float, never: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Invented answers to the held-out images: labels, logits, predictions."""
    labels = data.train_labels[held_out_module.held_out(data.train_labels, recipe.validation)].astype(np.uint8)
    logits = invented_logits(labels, accuracy, never, seed=recipe.seed)
    return {"labels": labels, "logits": logits, "predictions": metrics.predict(logits)}


@contextmanager
def beside_rounding() -> Iterator[None]:
    """Models that are trained in this process begin with a large constant in all logits. It changes no probability, but
    rounded to float16 several logits of an image become the largest."""
    from fmnist.models import inference
    from fmnist.training import loop

    def build(*arguments: Any) -> torch.nn.Module:
        module = inference.build(*arguments)
        list(module.parameters())[-1].data += 20_000
        return module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "build", build)
        yield


def result(**changes: object) -> Result:
    """What came out of a healthy run, where it does not matter what."""
    usual = {"test_loss": 0.6, "test_accuracy": 0.8, "train_seconds": 2.0, "eval_seconds": 0.1, "image_seconds": 1e-5}
    return Result(**usual | {"single_seconds": 1e-4, "dead": False} | changes)


def three_models(store: Store, data: Dataset, *, weights: bool = False, **recipe: object) -> list[Run]:
    """One finished run of each model."""
    return [
        finished_run(
            store, Recipe(model, **recipe), data, accuracy=0.7 + index / 10, seconds=1 + index, weights=weights
        )
        for index, model in enumerate(ARCHITECTURES)
    ]


def invented_logits(labels: np.ndarray, accuracy: float, never: tuple[int, ...], seed: int) -> np.ndarray:
    """Answers of a model that is right that often, float16 (N, 10)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(labels), 10))
    wrong = (labels + rng.integers(1, 10, len(labels))) % 10
    said = np.where(np.arange(len(labels)) < accuracy * len(labels), labels, wrong)
    logits[np.arange(len(labels)), said] += 8
    logits[:, list(never)] -= 100
    return logits.astype(np.float16)


def initial_weights(recipe: Recipe) -> bytes:
    import torch
    from safetensors.torch import save

    from fmnist.models import inference

    model = inference.build(recipe.model, recipe.seed, torch.device("cpu"))
    return save({name: tensor.contiguous() for name, tensor in model.state_dict().items()})


def summary_row(model: str, seed: int, accuracy: float, **changes) -> dict:
    """A finished run as a row of `Library.finished`; without a store."""
    row = {
        "source": "own",
        "dataset": "fashion-mnist",
        "model": model,
        "recipe": "{}",
        "device": "CPU",
        "seed": seed,
        "run": f"{model}/{seed}",
        "finished": float(seed),
        "accuracy": accuracy,
        "dead": accuracy == 0.1,
        "train_seconds": 2.0,
        "eval_seconds": 0.5,
        "image_seconds": 1e-6,
        "single_seconds": 1e-4,
        "conditions": "CPU, 1 thread",
        "parameters": 7_850,
        "multiply_adds": 7_840,
    }
    return row | changes
