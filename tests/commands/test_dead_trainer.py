"""What a trainer that was killed has left behind: it goes on at the first call, and nobody calls it running."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from helpers.answers import Answer, is_one_sentence
from helpers.data_files import keep_as_sample
from helpers.making import STEPS_PER_EPOCH, running_run
from helpers.processes import standing_still, trainer_processes, wait_for
from helpers.ui import PAGES, visit

from fmnist import settings
from fmnist.commands import progress
from fmnist.recipe import Recipe
from fmnist.store import database
from fmnist.store.store import Store
from fmnist.training import launcher

TRAIN = ("train", "--dataset", "sample", "--models", "0", "--device", "cpu", "--epochs")


def test_a_run_that_had_finished_no_epoch_goes_on_from_the_beginning(store, small_sample, fmnist):
    running_run(store, Recipe("0", 0, "sample", 1, device="cpu"), small_sample, epochs=0)
    with store._write() as db:
        db.execute("UPDATE runs SET step = 3")
    answer = fmnist(*TRAIN, "1")
    assert answer.code == 0 and "it starts again.\n" in answer.err


def test_a_dead_run_is_not_called_running(store, small_sample, fmnist):
    id = running_run(store, Recipe("0", 0, "sample"), small_sample)
    for command in (("runs", "list"), ("runs", "list", "--status", "interrupted")):
        [run] = json.loads(fmnist(*command, "--json").out)
        assert (run["id"], run["status"]) == (id, "interrupted")
    assert json.loads(fmnist("runs", "show", id).out)["status"] == "interrupted"
    assert json.loads(fmnist("runs", "list", "--status", "running", "--json").out) == []
    assert store.run(id).status == "running", "who only reads has written"
    assert not Path(launcher.lock(store.path).lock_file).exists(), "who only reads has made a file"
    with launcher.held(launcher.lock(store.path)):
        assert json.loads(fmnist("runs", "show", id).out)["status"] == "running"


def test_a_dead_run_that_was_told_to_stop_is_called_stopped(store, small_sample, fmnist):
    id = running_run(store, Recipe("0", 0, "sample"), small_sample)
    store.request_stop([id])
    assert json.loads(fmnist("runs", "show", id).out)["status"] == "cancelled"


def test_a_dead_run_can_be_deleted(store, small_sample, fmnist):
    id = running_run(store, Recipe("0", 0, "sample"), small_sample)
    assert fmnist("runs", "delete", id).code == 0
    assert store.runs() == []


def test_a_read_only_page_calls_no_dead_run_running(store, small_sample, bare_pages, monkeypatch):
    running_run(store, Recipe("0", 0, "sample"), small_sample)
    monkeypatch.setenv("FMNIST_READ_ONLY", "1")
    page = visit(PAGES[1], runs="true")
    said = " ".join(one.value for one in page.markdown)
    assert f"**Model 0, seed 0** · interrupted at step {STEPS_PER_EPOCH} of" in said
    assert [one.value for one in page.header] == ["Last training"]
    assert page.dataframe[-1].value["status"].tolist() == ["interrupted"]
    assert store.run(1).status == "running"


# A store that is no longer there


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_store_that_is_gone_is_said_to_be_gone(store, small_sample, how, monkeypatch, fmnist):
    """While a command and its trainer work on it."""

    def vanish(self: progress.Lines, running, left: int) -> None:
        if running and running[0].step:
            for path in store.path.parent.glob("fmnist.db*"):
                path.rename(path.with_name(f"former-{path.name}")) if how == "replaced" else path.unlink()
            if how == "replaced":
                Store(store.path).close()

    monkeypatch.setattr(progress.Lines, "update", vanish)
    answer = fmnist(*TRAIN, "1000", "--batch-size", "1")
    assert answer.code == 1 and answer.out == ""
    assert answer.err.splitlines()[-1].startswith(f"fmnist: The store is gone: {store.path} was deleted, moved or")


# A store that could not be written for a while


BUSY = 0.2
"""Seconds that SQLite waits for another process here: else ten."""
DISTURBED = ("train", "--dataset", "sample", "--models", "2", "--device", "cpu", "--epochs", "40", "--batch-size", "16")
"""A second or more of work, of which is reported five times a second: Model 0 may be done before anybody has looked."""


def disturb(monkeypatch: pytest.MonkeyPatch, store: Store, how: Callable[[], None]) -> list[int]:
    """Have something happen in the middle of a training, while trainer and worker stand still; how many epochs the
    run has finished by then, once it has happened."""
    epochs: list[int] = []

    def update(self: progress.Lines, running, left: int) -> None:
        shown(self, running, left)
        if not epochs and running and store.artifact(running[0].id, "checkpoint"):
            with standing_still(store):
                epochs.append(int(store.history([running[0].id], "test")["epoch"].max()))
                how()

    shown = progress.Lines.update
    monkeypatch.setattr(progress.Lines, "update", update)
    monkeypatch.setattr(progress, "FOLLOW_SECONDS", 0.02)
    return epochs


def check_goes_on(fmnist, store: Store, epochs: list[int]) -> None:
    """The same command goes on at its first call, after the last finished epoch, and ends as if nothing had happened:
    as the run does that is then trained from the beginning."""
    assert 0 < epochs[0] < 40
    before = store.history([1], "test")
    assert set(before["epoch"]) >= set(range(1, epochs[0] + 1)), "epochs are lost"
    answer = fmnist(*DISTURBED)
    assert answer.code == 0, answer.err
    after = re.search(r"was not finished: it resumes after epoch (\d+)\b", answer.err)
    assert after and int(after[1]) >= epochs[0]
    assert fmnist(*DISTURBED, "--again").code == 0
    assert [run.status for run in store.runs()] == ["done", "done"]
    for what in ("weights", "logits"):
        assert store.artifact(1, what) == store.artifact(2, what)
    columns = ["split", "step", "epoch", "loss", "accuracy"]
    assert store.history([1])[columns].equals(store.history([2])[columns])


def test_a_training_goes_on_once_the_disk_has_room_again(small_disk, small_data, monkeypatch, fmnist):
    monkeypatch.setenv("FMNIST_RUNS", str(small_disk))
    keep_as_sample(small_data, small_disk)
    filler = small_disk / "other files"

    def fill() -> None:
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(1000)):
                pass

    with closing(Store(small_disk / "fmnist.db")) as store:
        epochs = disturb(monkeypatch, store, fill)
        check_refused_in_the_end(fmnist(*DISTURBED), "The disk is full", small_disk)
        wait_for(lambda: not trainer_processes(small_disk))
        filler.unlink()
        check_goes_on(fmnist, store, epochs)


def test_a_training_goes_on_once_the_store_is_no_longer_locked(store, small_sample, tmp_path, monkeypatch, fmnist):
    (tmp_path / "python").mkdir()
    monkeypatch.setattr(database, "BUSY_SECONDS", BUSY)
    (tmp_path / "python" / "sitecustomize.py").write_text(
        f"from fmnist.store import database\ndatabase.BUSY_SECONDS = {BUSY}\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "python"), str(settings.PROJECT)]))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        epochs = disturb(monkeypatch, store, lambda: other.execute("BEGIN EXCLUSIVE"))
        check_refused_in_the_end(fmnist(*DISTURBED), "has been in use by another program for too long", store.path)
        wait_for(lambda: not trainer_processes(store.path.parent))
        assert "has been in use by another program for too long" in launcher.last_words(store.path)
        assert "Traceback" not in launcher.log_path(store.path).read_text()
        other.execute("ROLLBACK")
    check_goes_on(fmnist, store, epochs)


def check_refused_in_the_end(answer: Answer, *named: object) -> None:
    """The last line of standard error is one sentence that names what is wrong; no other line is a traceback."""
    assert answer.code == 1 and answer.out == "" and "Traceback" not in answer.err
    last = answer.err.splitlines()[-1]
    assert last.startswith("fmnist: ") and is_one_sentence(last)
    for name in named:
        assert str(name) in last
