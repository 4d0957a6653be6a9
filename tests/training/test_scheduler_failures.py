"""The scheduler as a real process loses nothing, whatever happens to it, its workers, the data or the disk."""

from __future__ import annotations

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
from training.test_scheduler import ENDLESS, SMALL, ended, finish, queue, same_weights

from fmnist import settings
from fmnist.recipe import Recipe
from fmnist.store.store import Store, StoreError
from fmnist.training import launcher, loop, scheduler, socket_folder
from fmnist.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


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
