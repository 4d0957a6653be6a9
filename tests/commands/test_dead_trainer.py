"""What a trainer that was killed has left behind: it goes on at the first call, and nobody calls it running."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.making import STEPS_PER_EPOCH, running_run
from helpers.ui import PAGES, visit

from fmnist.commands import progress
from fmnist.recipe import Recipe
from fmnist.store.store import Store
from fmnist.training import launcher

TRAIN = ("train", "--dataset", "sample", "--models", "0", "--device", "cpu", "--epochs")


def test_a_run_that_had_finished_no_epoch_goes_on_from_the_beginning(store, small_sample, fmnist):
    running_run(store, Recipe("0", 0, "sample", 1, device="cpu"), small_sample, epochs=0)
    with store._write() as db:
        db.execute("UPDATE runs SET step = 3")
    answer = fmnist(*TRAIN, "1")
    assert answer.code == 0 and "it goes on from the beginning.\n" in answer.err


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
    page = visit(PAGES[1])
    said = " ".join(one.value for one in page.markdown)
    assert f"**Model 0, seed 0** · interrupted at step {STEPS_PER_EPOCH} of" in said
    assert [one.value for one in page.subheader] == ["Last training"]
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
