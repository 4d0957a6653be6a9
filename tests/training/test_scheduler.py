"""The scheduler as a real process: it trains the queue, obeys, and ends when there is nothing to do."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from helpers.answers import is_one_sentence
from helpers.processes import (
    only_trainer,
    wait_for,
)
from safetensors.torch import load

from fmnist import settings
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.artifacts import AT_ONCE
from fmnist.store.run import ACTIVE, Run
from fmnist.store.store import Store
from fmnist.training import launcher, loop, scheduler, worker_handle
from fmnist.training.events import Progress

SMALL = {"dataset": "sample", "device": "cpu"}
ENDLESS = Recipe("0", epochs=1000, batch_size=1, **SMALL)
"""Minutes of training, so that a test can step in; with a loss and an epoch's end every few moments."""


def queue(store: Store, *recipes: Recipe, root: Path = Path("/nowhere")) -> list[int]:
    """As pages do it, but with a key of our own for each."""
    return [id for id, _ in store.enqueue([(recipe, recipe.key("data")) for recipe in recipes], root)]


def ended(store: Store, *ids: int) -> list[Run]:
    """The runs, once none is queued or running."""
    wait_for(lambda: not any(store.run(id).status in ACTIVE for id in ids), timeout=120)
    return [store.run(id) for id in ids]


def finish(store: Store, *ids: int) -> list[Run]:
    """Start a trainer and wait for the end of runs."""
    launcher.start(store)
    return ended(store, *ids)


def run_to_its_end(store: Store) -> subprocess.CompletedProcess:
    """A trainer in the foreground, that ends as soon as there is nothing to do."""
    command = [sys.executable, "-m", "fmnist.training.scheduler", "--runs", str(store.path), "--idle-seconds", "0"]
    return subprocess.run(command, cwd=settings.PROJECT, capture_output=True, text=True, timeout=120)


def same_weights(saved: bytes, weights: dict[str, torch.Tensor]) -> bool:
    stored = load(saved)
    return stored.keys() == weights.keys() and all(torch.equal(stored[name], weights[name]) for name in weights)


# The usual way


def test_the_queue_is_trained_as_training_alone_would(warm, small_data):
    recipes = [Recipe(model, 1, epochs=2, **SMALL) for model in ARCHITECTURES]
    ids = queue(warm, *recipes)
    for recipe, run in zip(recipes, finish(warm, *ids), strict=True):
        events = list(loop.train(recipe, small_data))
        last, reports = events[-1], [event for event in events if isinstance(event, Progress)]
        assert (run.status, run.error, run.step, run.steps) == ("done", None, 22, 22)
        assert run.result.test_accuracy == last.result.test_accuracy
        assert run.result.test_loss == last.result.test_loss
        assert run.result.never_predicted == last.result.never_predicted
        assert (run.parameters, run.multiply_adds) == (events[0].parameters, events[0].multiply_adds)
        assert run.versions["torch"].partition("+")[0] == torch.__version__.partition("+")[0] and run.machine
        assert same_weights(warm.weights(run.id), last.weights)
        assert np.array_equal(warm.logits(run.id), last.logits)
        curves = warm.history([run.id])
        assert curves[curves["split"] == "train"]["loss"].tolist() == [event.loss for event in reports]
        assert curves[curves["split"] == "test"]["step"].tolist() == [11, 22]
        assert np.array_equal(warm.predicted_classes(run), last.predictions) and not run.rounded
        assert warm.artifact(run.id, "checkpoint") is None
    assert launcher.is_alive(warm)  # it waits for more


def test_a_trainer_takes_what_is_queued_while_it_lives(warm, small_data):
    finish(warm, *queue(warm, Recipe("0", epochs=1, **SMALL)))
    process = only_trainer(warm.path.parent)
    (later,) = ended(warm, *queue(warm, Recipe("0", 1, epochs=1, **SMALL)))
    assert later.status == "done"
    assert only_trainer(warm.path.parent) == process


def test_seeds_are_trained_side_by_side_and_other_models_wait(store, small_sample, monkeypatch):
    monkeypatch.setattr(scheduler, "slots", lambda: 3)
    recipes = [Recipe(model, seed, epochs=1, **SMALL) for seed in range(4) for model in ("0", "2")]
    ids = queue(store, *recipes)
    together: set[tuple[str, int]] = set()

    def watched(store: Store, *arguments, **keywords) -> bool:
        running = store.runs("running")
        together.add(("".join(sorted({run.recipe.model for run in running})), len(running)))
        return record(store, *arguments, **keywords)

    record = Store.record
    monkeypatch.setattr(Store, "record", watched)
    scheduler.Scheduler(store).work(idle_seconds=0)
    assert {models for models, _ in together} == {"0", "2"}  # never both
    assert max(count for _, count in together) == 3
    for recipe, id in zip(recipes, ids, strict=True):
        run = store.run(id)
        assert run.status == "done" and run.result.at_once in (1, 2, 3)
        # One that begins when two others have ended at once has room for two threads.
        assert run.threads == 1 or run.result.at_once < 3
        *_, alone = loop.train(recipe, small_sample)
        assert same_weights(store.weights(id), alone.weights)
        assert np.array_equal(store.logits(id), alone.logits)


def test_a_single_run_gets_all_the_threads_that_its_model_can_use(store, small_sample, monkeypatch):
    monkeypatch.setattr(scheduler, "slots", lambda: 2)
    ids = queue(store, Recipe("0", epochs=1, **SMALL), Recipe("2", epochs=1, **SMALL))
    scheduler.Scheduler(store).work(idle_seconds=0)
    assert [(store.run(id).threads, store.run(id).result.at_once) for id in ids] == [(1, 1), (2, 1)]


def test_the_odd_seed_is_trained_first_with_all_threads_so_that_no_core_idles_at_the_end(
    store, small_sample, monkeypatch
):
    monkeypatch.setattr(scheduler, "slots", lambda: 2)
    ids = queue(store, *[Recipe("2", seed, epochs=1, **SMALL) for seed in range(3)])
    scheduler.Scheduler(store).work(idle_seconds=0)
    assert [store.run(id).threads for id in ids] == [2, 1, 1]
    assert store.run(ids[0]).result.at_once == 1


def test_a_run_that_goes_on_alone_was_not_alone_from_the_beginning(store, small_sample, monkeypatch):
    """Its time is counted from the beginning, so it is of the load of the beginning, too."""
    monkeypatch.setattr(scheduler, "slots", lambda: 2)
    ids = queue(store, *[Recipe("0", seed, epochs=300, **SMALL) for seed in range(2)])
    record = Store.record

    def stopping(store: Store, id: int, *arguments, artifacts, **keywords) -> bool:
        record(store, id, *arguments, artifacts=artifacts, **keywords)
        return "checkpoint" not in artifacts

    with monkeypatch.context() as patch:
        patch.setattr(Store, "record", stopping)
        scheduler.Scheduler(store).work(idle_seconds=0)
    assert [store.run(id).status for id in ids] == ["cancelled"] * 2
    store.resume(ids[0])
    scheduler.Scheduler(store).work(idle_seconds=0)
    run = store.run(ids[0])
    assert run.status == "done" and run.result.at_once == 2 and "2 runs at once" in run.conditions
    assert store.artifact(run.id, AT_ONCE) is None


def test_stopping_takes_effect_and_keeps_the_curves(warm, small_data):
    (endless,) = queue(warm, ENDLESS)
    launcher.start(warm)
    wait_for(lambda: warm.artifact(endless, "checkpoint"))  # Of its first epoch: stopped before, it would have none.
    (waiting,) = queue(warm, Recipe("0", epochs=1, **SMALL))
    warm.request_stop([endless])
    stopped, trained = ended(warm, endless, waiting)
    assert (stopped.status, stopped.result) == ("cancelled", None)
    assert len(warm.history([endless])) > 0 and warm.artifact(endless, "checkpoint")
    assert trained.status == "done"  # the queue goes on


def test_it_ends_when_there_is_nothing_to_do(store, small_sample):
    ids = queue(store, Recipe("0", epochs=1, **SMALL), Recipe("1", epochs=1, **SMALL))
    assert scheduler.main(["--runs", str(store.path), "--idle-seconds", "0"]) == 0
    assert [store.run(id).status for id in ids] == ["done", "done"]
    assert not launcher.is_alive(store)


def test_a_second_trainer_ends_at_once(warm, small_data):
    (endless,) = queue(warm, ENDLESS)
    launcher.start(warm)
    wait_for(lambda: warm.run(endless).status == "running")
    second = run_to_its_end(warm)
    assert (second.returncode, second.stdout) == (0, "")
    assert only_trainer(warm.path.parent)
    launcher.start(warm)
    launcher.recover(warm)  # nothing is left behind
    assert warm.run(endless).status == "running" and launcher.is_alive(warm)


# Clusters, where Ray is not installed


def test_without_ray_a_cluster_is_told_off_in_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "fmnist.training.ray_cluster", raising=False)
    monkeypatch.delattr("fmnist.training.ray_cluster", raising=False)
    ours, theirs = multiprocessing.Pipe()
    worker_handle.serve_cluster(theirs, "head:6379")
    state = ours.recv()
    assert state.address == "head:6379" and not state.nodes
    assert is_one_sentence(state.problem) and "requirements-ray.txt" in state.problem
