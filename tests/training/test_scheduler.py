"""The scheduler as a real process: it trains the queue, obeys, and loses nothing however it ends."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.answers import is_one_sentence
from helpers.data_files import keep_as_sample
from helpers.processes import (
    commands,
    descendants,
    kill_trainers,
    only_trainer,
    state_of,
    trainer_at_work,
    trainer_processes,
    wait_for,
)
from safetensors.torch import load

from fmnist import settings
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.artifacts import AT_ONCE
from fmnist.store.run import ACTIVE, Run
from fmnist.store.store import Store, StoreError
from fmnist.training import launcher, loop, scheduler, socket_folder, worker_handle
from fmnist.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
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


def worker_processes(folder: Path) -> list[int]:
    """The process ids of the workers of the trainer at work: forked by a server that it has, or spawned."""
    trainer, known = trainer_at_work(folder), commands()
    children = {pid: command for pid, (parent, command) in known.items() if parent == trainer}
    servers = [pid for pid, command in children.items() if "multiprocessing.forkserver" in command]
    spawned = [pid for pid, command in children.items() if "multiprocessing.spawn" in command]
    return spawned + [pid for pid, (parent, _) in known.items() if parent in servers]


def kill_workers(folder: Path) -> set[int]:
    """Kill the workers of the trainer at work, as the kernel does when memory runs out; their process ids."""
    killed = set(worker_processes(folder))
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    return killed


def is_running(pid: int) -> bool:
    return state_of(pid) not in ("", "Z")  # A zombie is only waited for by nobody.


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


# Whatever happens to it


def test_a_killed_trainer_is_noticed_no_worker_outlives_it_and_its_run_is_taken_up_bit_for_bit(store, small_sample):
    recipe = Recipe("0", 4, epochs=40, batch_size=1, optimizer="sgd-momentum", learning_rate=0.001, **SMALL)
    (id,) = queue(store, recipe)
    launcher.start(store)
    wait_for(lambda: store.history([id])["epoch"].max() >= 2)
    workers = worker_processes(store.path.parent)
    assert workers
    kill_trainers(store.path.parent)
    wait_for(lambda: not any(is_running(pid) for pid in workers))
    assert store.run(id).status == "running"  # nobody has looked yet
    wait_for(lambda: not launcher.is_alive(store))
    assert store.run(id).status == "running"  # to ask changes nothing
    launcher.recover(store)
    assert store.run(id).status == "interrupted"
    epoch = load_checkpoint(store.artifact(id, "checkpoint")).epoch
    assert 0 < epoch < recipe.epochs

    assert store.resume(id)
    (run,) = finish(store, id)
    *_, alone = loop.train(recipe, small_sample)
    assert run.status == "done"
    assert same_weights(store.weights(id), alone.weights)
    assert np.array_equal(store.logits(id), alone.logits)
    curves = store.history([id])
    assert curves[curves["split"] == "test"]["epoch"].tolist() == [*range(1, recipe.epochs + 1)]
    assert not curves.duplicated(["split", "step"]).any()
    assert run.result.train_seconds == pytest.approx(curves["seconds"].max())


def test_a_killed_worker_is_replaced_once_and_then_its_run_is_interrupted(warm, small_data):
    """The kernel kills the largest process when memory runs out."""
    endless, waiting = queue(warm, ENDLESS, Recipe("1", epochs=1, **SMALL))
    launcher.start(warm)
    wait_for(lambda: warm.artifact(endless, "checkpoint"))
    first = kill_workers(warm.path.parent)
    step = warm.run(endless).step
    wait_for(lambda: set(worker_processes(warm.path.parent)) - first and warm.run(endless).step > step)
    assert warm.run(endless).status == "running"
    assert warm.history([endless], "test")["epoch"].tolist()[:1] == [1], "it began anew"
    kill_workers(warm.path.parent)
    interrupted, trained = ended(warm, endless, waiting)
    assert interrupted.status == "interrupted" and trained.status == "done"
    assert is_one_sentence(interrupted.error) and "memory" in interrupted.error and "signal 9" in interrupted.error
    assert warm.resume(endless)  # By whoever has freed some.
    step = interrupted.step
    wait_for(lambda: warm.run(endless).step > step)


def test_what_is_killed_while_it_waits_is_replaced_and_takes_no_run_with_it(warm, small_data):
    """The worker, and the process from which the next one would be forked."""
    finish(warm, *queue(warm, Recipe("0", epochs=1, **SMALL)))
    trainer = trainer_at_work(warm.path.parent)
    log = launcher.log_path(warm.path)
    said = len(log.read_text())
    waiting = descendants(trainer)
    assert waiting
    for pid in waiting:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(is_running(pid) for pid in waiting))
    (run,) = ended(warm, *queue(warm, Recipe("0", 1, epochs=1, **SMALL)))
    assert run.status == "done" and only_trainer(warm.path.parent) == trainer
    assert "queued again" not in log.read_text()[said:]


def test_a_trainer_that_is_told_to_end_leaves_nothing_behind(store, small_sample, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(short := Path(tempfile.mkdtemp(dir="/tmp"))))
    try:
        (endless,) = queue(store, ENDLESS)
        launcher.start(store)
        wait_for(lambda: store.artifact(endless, "checkpoint"))
        assert list(short.glob("pymp-*")), "there is nothing to clean up"
        os.kill(trainer_at_work(store.path.parent), signal.SIGTERM)
        wait_for(lambda: not trainer_processes(store.path.parent))
        assert not list(short.glob("pymp-*"))
    finally:
        shutil.rmtree(short)
    run = store.run(endless)
    assert run.status == "interrupted" and is_one_sentence(run.error)


def test_the_next_trainer_removes_the_folder_of_one_that_was_killed(store, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(short := Path(tempfile.mkdtemp(dir="/tmp"))))
    try:
        others = short / "pymp-notours_"  # of another program
        others.mkdir()
        launcher.start(store)
        wait_for(lambda: store.setting(socket_folder.SETTING))
        [left] = set(short.glob("pymp-*")) - {others}
        kill_trainers(store.path.parent)
        assert left.exists(), "there is nothing to clean up"
        assert scheduler.main(["--runs", str(store.path), "--idle-seconds", "0"]) == 0
        assert list(short.glob("pymp-*")) == [others]
    finally:
        shutil.rmtree(short)


@pytest.mark.parametrize("name", ["pymp-abcdefgh", "documents"])
def test_no_store_makes_a_trainer_remove_anything_but_sockets(store, tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.txt").write_text("x")
    store.set_setting(socket_folder.SETTING, str(tmp_path / name))
    socket_folder.remove_former(store)
    assert (tmp_path / name / "thesis.txt").exists()


def test_what_a_dead_trainer_left_is_interrupted_and_the_rest_trained(store, small_sample):
    left, waiting = queue(store, Recipe("0", epochs=1, **SMALL), Recipe("0", 1, epochs=1, **SMALL))
    assert store.claim().id == left  # by a trainer that is no more
    assert scheduler.main(["--runs", str(store.path), "--idle-seconds", "0"]) == 0
    assert [store.run(id).status for id in (left, waiting)] == ["interrupted", "done"]


def test_a_run_that_is_left_in_the_queue_is_taken_by_the_next_trainer(store, small_sample):
    at_once = ["--runs", str(store.path), "--idle-seconds", "0"]
    assert scheduler.main(at_once) == 0
    (id,) = queue(store, Recipe("0", epochs=1, **SMALL))
    assert scheduler.main(at_once) == 0 and store.run(id).status == "done"


def test_a_run_that_is_queued_while_the_trainer_ends_is_not_lost(store, small_sample, monkeypatch):
    ids = []

    def end_and_be_asked(self: scheduler.Scheduler, idle_seconds: float) -> None:
        work(self, idle_seconds)
        if not ids:  # Now it has seen an empty queue, and still holds the lock.
            ids.extend(queue(store, Recipe("0", epochs=1, **SMALL)))
            launcher.start(store)
            assert trainer_processes(store.path.parent) == []  # so nobody started another

    work = scheduler.Scheduler.work
    monkeypatch.setattr(scheduler.Scheduler, "work", end_and_be_asked)
    assert scheduler.main(["--runs", str(store.path), "--idle-seconds", "0"]) == 0
    assert store.run(ids[0]).status == "done"


def test_data_that_are_missing_fail_the_run_and_the_queue_goes_on(warm, small_data, tmp_path):
    failing, good = queue(warm, Recipe("0", device="cpu"), Recipe("1", epochs=1, **SMALL), root=tmp_path)
    failed, trained = finish(warm, failing, good)
    assert failed.status == "failed" and trained.status == "done"
    assert is_one_sentence(failed.error) and str(tmp_path) in failed.error


def test_a_loss_that_runs_away_fails_the_run_and_the_queue_goes_on(warm, small_data):
    runaway, good = queue(warm, Recipe("2", learning_rate=100.0, **SMALL), Recipe("2", epochs=1, **SMALL))
    failed, trained = finish(warm, runaway, good)
    assert failed.status == "failed" and trained.status == "done"
    assert "lower learning rate" in failed.error


def test_a_fault_of_the_program_interrupts_a_run_that_goes_on_and_is_in_the_log(warm, small_data):
    broken, good = queue(warm, Recipe("0", **SMALL), Recipe("1", epochs=1, **SMALL))
    unfit = save_checkpoint(Checkpoint(1, 0.0, 0.0, {"model.of another": torch.zeros(1)}))
    with warm._write() as db:
        db.execute("INSERT INTO artifacts VALUES (?, 'checkpoint', ?)", (broken, unfit))
    ended, trained = finish(warm, broken, good)
    assert ended.status == "interrupted" and trained.status == "done"
    assert is_one_sentence(ended.error) and str(launcher.log_path(warm.path)) in ended.error
    assert "Traceback" in launcher.log_path(warm.path).read_text()


def test_a_full_disk_ends_the_trainer_with_a_sentence(small_disk, small_data):
    store = Store(small_disk / "fmnist.db")
    keep_as_sample(small_data, small_disk)
    (id,) = queue(store, ENDLESS)
    filler = small_disk / "other files"
    launcher.start(store)
    wait_for(lambda: store.run(id).step > 0)
    with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1000))
    wait_for(lambda: not trainer_processes(small_disk), timeout=120)
    filler.unlink()
    wait_for(lambda: not launcher.is_alive(store))
    launcher.recover(store)
    run = store.run(id)
    assert run.status == "interrupted" and len(store.history([id])) > 0


def test_a_store_that_cannot_be_opened_ends_the_trainer_with_a_sentence(runs_path):
    runs_path.parent.mkdir()
    runs_path.write_text("Dear diary, " * 100)
    command = [sys.executable, "-m", "fmnist.training.scheduler", "--runs", str(runs_path)]
    process = subprocess.run(command, cwd=settings.PROJECT, capture_output=True, text=True, timeout=120)
    assert process.returncode == 1
    assert "not a store of this program" in process.stderr and "Traceback" not in process.stderr


def test_a_folder_that_is_gone_is_told_in_a_sentence(store):
    store.path.parent.rename(store.path.parent.with_name("moved"))
    store.path.parent.write_text("x")
    with pytest.raises(StoreError) as refused:
        launcher.start(store)
    assert is_one_sentence(refused.value)


def test_the_last_words_are_the_logs_last_line(store):
    assert launcher.last_words(store.path) == ""
    launcher.log_path(store.path).write_text("one\ntwo\n\n")
    assert launcher.last_words(store.path) == "two"


def test_of_a_log_of_gigabytes_only_its_end_is_read(store):
    with launcher.log_path(store.path).open("wb") as log:
        log.truncate(2**40)  # Sparse: more than there is memory for.
        log.seek(0, os.SEEK_END)
        log.write(b"\nthe end\n")
    assert launcher.last_words(store.path) == "the end"


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
