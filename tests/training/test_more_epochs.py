"""More epochs for a finished run: a new one goes on from its weights, and is what it would have been from the start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.making import finished_run
from safetensors.torch import load

from fmnist.data.files import Dataset
from fmnist.grid import spanning
from fmnist.recipe import Recipe
from fmnist.store import checksums
from fmnist.store.artifacts import AT_ONCE
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.store.store import Store
from fmnist.training import loop
from fmnist.training.dry_run import Plan
from fmnist.training.progress import goes_on
from fmnist.training.scheduler import Scheduler

SHORT = Recipe("2", 3, "sample", 2, device="cpu", validation=100, shift=1, mirror=True)


def plan(store: Store, data: Dataset, recipe: Recipe, **options: object) -> Plan:
    grid = replace(spanning([recipe], 1), seeds=(recipe.seed,), device=recipe.device)
    return Plan(Library(store, reference=None), grid, data, 1, **options)


def train(store: Store, data: Dataset, recipe: Recipe, **options: object) -> Run:
    """As the pages and the command line do it."""
    asked = plan(store, data, recipe, **options)
    [(id, _)] = store.enqueue(asked.keyed, Path("/"), again=asked.again, earlier=asked.earlier)
    Scheduler(store).work(idle_seconds=0)
    run = store.run(id)
    assert run and run.result, run
    return run


@pytest.fixture
def trained(store, small_data, small_sample) -> Run:
    return train(store, small_data, SHORT)


def test_a_run_of_more_epochs_goes_on_and_ends_with_the_weights_of_one_from_the_start(store, small_data, trained):
    longer = replace(SHORT, epochs=4)
    asked = plan(store, small_data, longer)
    assert "It goes on after the 2 epochs that were trained before." in asked.say()
    [(id, needed)] = store.enqueue(asked.keyed, Path("/"), earlier=asked.earlier)
    assert needed and store.run(id).step == trained.steps
    assert goes_on(store, store.run(id)) == "goes on after epoch 2 of 4"
    Scheduler(store).work(idle_seconds=0)
    run = store.run(id)
    *_, whole = loop.train(longer, small_data, threads=run.threads)
    assert all(torch.equal(tensor, whole.weights[name]) for name, tensor in load(store.weights(id)).items())
    assert np.array_equal(store.logits(id), whole.logits)
    assert run.finished_result.validation_accuracy == whole.result.validation_accuracy
    # All of its curve is there, and what it took in all.
    assert store.history([id], "validation")["epoch"].tolist() == [1, 2, 3, 4]
    assert store.history([id], "test")["step"].tolist() == [run.steps]
    assert store.history([id], "train")["step"].min() == 1
    assert run.finished_result.train_seconds > trained.finished_result.train_seconds
    assert store.run(trained.id) == trained
    # It is trained now, and found as such.
    again = plan(store, small_data, longer)
    assert not again.todo and not again.earlier


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam"},
        {"optimizer": "sgd-momentum"},
        {"schedule": "cosine"},
        {"keep": "best"},
        {"seed": 4},
        {"mirror": False},
        {"epochs": 1},
    ],
    ids=lambda changes: "+".join(changes),
)
def test_what_needs_more_than_the_weights_or_differs_otherwise_starts_from_the_beginning(
    changes, store, small_data, monkeypatch
):
    from helpers.making import finished_run

    from fmnist.training import dry_run

    monkeypatch.setattr(dry_run, "_is_alike", lambda run: True)
    recipe = replace(SHORT, **changes if changes.keys() <= {"optimizer", "schedule", "keep"} else {})
    finished_run(store, recipe, small_data)
    longer = replace(replace(SHORT, epochs=4), **changes)
    assert not plan(store, small_data, longer).earlier
    same = replace(SHORT, epochs=4)
    if recipe == SHORT:
        assert plan(store, small_data, same).earlier
        assert not plan(store, small_data, same, again=True).earlier
        assert not plan(store, small_data, same, cluster="auto").earlier


def test_its_time_is_of_the_load_under_which_its_first_epochs_were_trained(store, small_data, small_sample):
    finished_run(store, Recipe("0", dataset="sample", epochs=1, device="cpu"), small_data, weights=True)
    [first] = store.finished()
    with store._write() as db:
        db.execute("UPDATE runs SET result = ?", (replace(first.finished_result, at_once=2).to_json(),))
        checksums.attach(db, first.id)
    longer = Recipe("0", dataset="sample", epochs=2, device="cpu")
    earlier = {longer.key(small_data.fingerprint): store.run(first.id)}
    [(id, _)] = store.enqueue([(longer, longer.key(small_data.fingerprint))], Path("/"), earlier=earlier)
    assert store.artifact(id, AT_ONCE) == b"2"


def test_what_another_machine_has_trained_is_not_gone_on_from(store, small_data):
    from helpers.making import finished_run

    finished_run(store, SHORT, small_data, machine="Another processor")
    assert not plan(store, small_data, replace(SHORT, epochs=4)).earlier


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE artifacts SET data = x'00' WHERE name = 'weights'",
        "UPDATE artifacts SET data = substr(data, 1, length(data) - 4) WHERE name = 'weights'",  # Cut off.
        "UPDATE artifacts SET data = CAST(substr(data, 1, length(data) - 1) || x'7f' AS BLOB) WHERE name = 'weights'",
        "UPDATE history SET accuracy = 0.99 WHERE step = 1",
        "UPDATE artifacts SET data = x'00' WHERE name = 'validation/predictions/2'",
        "DELETE FROM artifacts WHERE name = 'weights'",
        "DELETE FROM artifacts WHERE name = 'seal'",
        "DELETE FROM runs",
    ],
)
def test_what_was_damaged_since_it_ended_is_not_gone_on_from(damage, store, small_data):
    from helpers.making import finished_run

    run = finished_run(store, SHORT, small_data, weights=True)
    recipe = replace(SHORT, epochs=4)
    key = recipe.key(small_data.fingerprint)
    with store._write() as db:
        db.execute(damage)
    [(id, needed)] = store.enqueue([(recipe, key)], Path("/"), earlier={key: run})
    assert needed and store.run(id).step == 0 and store.artifact(id, "checkpoint") is None
    assert store.history([id]).empty


def test_a_run_that_is_as_it_ended_is_gone_on_from(store, small_data):
    from helpers.making import finished_run

    run = finished_run(store, SHORT, small_data, weights=True)
    recipe = replace(SHORT, epochs=4)
    key = recipe.key(small_data.fingerprint)
    [(id, _)] = store.enqueue([(recipe, key)], Path("/"), earlier={key: run})
    assert store.run(id).step == run.steps and store.artifact(id, "checkpoint")
