"""The command line's work on runs that are there: list, show, resume, delete."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.answers import check_refused
from helpers.making import ended_run, finished_run, queued_run, running_run
from helpers.processes import wait_for

from fmnist import settings
from fmnist.recipe import Recipe


def test_runs_are_listed_shown_and_deleted(fmnist, trained):
    lines = fmnist("runs", "list").out.splitlines()
    assert [line.split()[:2] for line in lines] == [["1", "done"], ["2", "done"], ["3", "done"]]
    shown = json.loads(fmnist("runs", "show", 3).out)
    assert (shown["id"], shown["status"], shown["recipe"]["model"]) == (3, "done", "1")
    assert shown["result"] == json.loads(trained.run(3).result.to_json())
    assert fmnist("runs", "delete", 3).code == 0
    assert trained.run(3) is None and len(trained.runs()) == 2
    assert len(fmnist("runs", "list").out.splitlines()) == 2


def test_an_unfinished_run_is_listed_and_shown_but_not_deleted(fmnist, store):
    store.enqueue([(Recipe("0"), "key")], Path("/"))
    assert "queued" in fmnist("runs", "list").out
    assert json.loads(fmnist("runs", "show", 1).out)["finished"] is None
    check_refused(fmnist("runs", "delete", 1), "queued")
    assert len(store.runs()) == 1


@pytest.mark.parametrize("action", ["show", "delete"])
@pytest.mark.parametrize("id", [7, 0, 10**30])
def test_a_run_that_is_not_there(fmnist, action, id):
    check_refused(fmnist("runs", action, id), id)


def test_reference_runs_are_shown_by_their_address(fmnist, store):
    shown = json.loads(fmnist("runs", "show", "reference-1").out)
    assert (shown["id"], shown["source"], shown["recipe"]["dataset"]) == (1, "reference", "fashion-mnist")
    check_refused(fmnist("runs", "show", "reference-99"), "reference-99")
    check_refused(fmnist("runs", "show", "nowhere-1"), "nowhere-1")


def test_a_run_as_a_table(fmnist, trained):
    lines = dict(line.split(maxsplit=1) for line in fmnist("runs", "show", 3, "--format", "table").out.splitlines())
    assert lines["id"] == "3" and lines["status"] == "done" and "error" not in lines


def test_a_run_that_was_stopped_is_called_so_and_found_by_it(fmnist, store, small_data):
    ended_run(store, Recipe("0", 0, "sample"), small_data, "failed", "It is over.")
    ended_run(store, Recipe("0", 1, "sample"), small_data, "cancelled")
    for word in ("stopped", "cancelled"):
        [run] = json.loads(fmnist("runs", "list", "--status", word, "--json").out)
        assert (run["id"], run["status"]) == (2, "cancelled")
    assert "stopped" in fmnist("runs", "list").out


@pytest.mark.parametrize(
    "filters, ids",
    [
        (["--status", "failed"], [2]),
        (["--status", "failed,interrupted"], [2, 3]),
        (["--model", "2"], [3, 4]),
        (["--model", "0,1", "--seed", "0"], [1]),
        (["--dataset", "mnist"], [4]),
        (["--dataset", "mnist,sample", "--status", "done", "--model", "0"], [1]),
        (["--model", "1"], []),
        (["--reference", "--model", "1", "--seeds", "3-4"], ["reference-11", "reference-14"]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_lists_are_filtered(fmnist, store, small_data, filters, ids):
    finished_run(store, Recipe("0", 0, "sample"), small_data)
    ended_run(store, Recipe("0", 1, "sample"), small_data, "failed", "It is over.")
    ended_run(store, Recipe("2", 0, "sample"), small_data, "interrupted")
    finished_run(store, Recipe("2", 0, "mnist"), small_data)
    answer = fmnist("runs", "list", *filters)
    assert answer.code == 0 and [line.split()[0] for line in answer.out.splitlines()] == list(map(str, ids))
    none = fmnist("runs", "list", "--status", "queued")
    assert (none.code, none.out, none.err) == (0, "", f"fmnist: no such run is in {store.path}.\n")


def test_an_empty_store_has_no_runs_of_any_kind(fmnist, store):
    assert fmnist("runs", "list").err == f"fmnist: no run is in {store.path}.\n"
    assert fmnist("runs", "list", "--search", "best").err == f"fmnist: no such run is in {store.path}.\n"


def test_lists_for_programs(fmnist, store, small_data):
    finished_run(store, Recipe("0", 0, "sample"), small_data)
    ended_run(store, Recipe("2", 1, "mnist"), small_data, "failed", "It is over.")
    listed = json.loads(fmnist("runs", "list", "--format", "json").out)
    assert listed == [json.loads(fmnist("runs", "show", id).out) for id in (1, 2)]
    done, failed = csv.DictReader(io.StringIO(fmnist("runs", "list", "--format", "csv").out))
    assert (done["id"], done["model"], float(done["accuracy"])) == ("1", "0", store.run(1).result.test_accuracy)
    assert (failed["status"], failed["seed"], failed["accuracy"], failed["error"]) == ("failed", "1", "", "It is over.")
    assert json.loads(fmnist("runs", "list", "--status", "queued", "--json").out) == []


def test_several_runs_are_deleted_at_once(fmnist, store, small_data):
    for seed in range(6):
        finished_run(store, Recipe("0", seed, "sample"), small_data)
    answer = fmnist("runs", "delete", 1, "3-4", 1)
    assert answer.code == 0 and len(answer.out.splitlines()) == 3
    assert [run.id for run in store.runs()] == [2, 5, 6]


def test_what_cannot_be_deleted_is_named_and_the_others_are_deleted(fmnist, store, small_data):
    finished_run(store, Recipe("0", 0, "sample"), small_data)
    queued_run(store, Recipe("0", 1, "sample"), small_data)
    answer = fmnist("runs", "delete", 9, 2, 1)
    missing, queued = answer.err.splitlines()
    assert answer.code == 1 and "no run 9" in missing and "Run 2 is queued" in queued
    assert answer.out == "Deleted run 1 (Model 0, seed 0).\n" and [run.id for run in store.runs()] == [2]


def test_a_reference_run_is_not_deleted(fmnist, store, small_data):
    finished_run(store, Recipe("0", 0, "sample"), small_data)
    check_refused(fmnist("runs", "delete", 1, "reference-1"), "reference-1", "comes with the project")
    assert len(store.runs()) == 1 and fmnist("runs", "show", "reference-1").code == 0


# resume


def test_a_training_that_was_stopped_goes_on_by_the_command_that_it_names(store, small_sample, monkeypatch):
    monkeypatch.delenv("FMNIST_RUNS")  # So that the store has to be named.
    command = [sys.executable, "-m", "fmnist", "train", "--dataset", "sample", "--models", "0", "--seeds", "0-1"]
    command += ["--epochs", "60", "--batch-size", "1", "--device", "cpu", "--runs", str(store.path)]
    process = subprocess.Popen(command, cwd=settings.PROJECT, stdout=-1, stderr=-1, text=True, start_new_session=True)
    try:
        wait_for(lambda: any(run.steps and run.step > run.steps / 20 for run in store.runs()))
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    wait_for(lambda: all(run.status == "cancelled" for run in store.runs()))
    begun = [run.id for run in store.runs() if store.artifact(run.id, "checkpoint")]
    before = store.history(begun, "test").groupby("run").first()
    assert len(before) >= 1

    named = err.splitlines()[-1].partition("To resume: python -m fmnist ")[2].split()
    assert named == ["runs", "resume", "1-2", "--runs", str(store.path)]
    again = subprocess.run(
        [sys.executable, "-m", "fmnist", *named], cwd=settings.PROJECT, capture_output=True, text=True, timeout=250
    )
    assert again.returncode == 0 and [run.status for run in store.runs()] == ["done", "done"]
    assert again.stdout.splitlines() == [
        f"{run.name}: {run.result.test_accuracy:.2%}, {run.result.train_seconds:.1f} s" for run in store.runs()
    ]
    # What was saved is not trained again: the first epoch has taken as long as it took the first time.
    assert store.history(begun, "test").groupby("run").first().equals(before)


def test_without_an_id_what_was_interrupted_or_left_behind_by_a_killed_trainer_is_resumed(fmnist, store, small_sample):
    for seed, status in enumerate(("interrupted", "cancelled", "failed")):
        ended_run(store, Recipe("0", seed, "sample", 2, device="cpu"), small_sample, status)
    running_run(store, Recipe("0", 3, "sample", 2, device="cpu"), small_sample)
    assert store.run(4).status == "running"
    answer = fmnist("runs", "resume", "--quiet", "--format", "json")
    assert (answer.code, answer.err) == (0, "")
    assert [(row["id"], row["status"]) for row in json.loads(answer.out)] == [(1, "done"), (4, "done")]
    assert [run.status for run in store.runs()] == ["done", "cancelled", "failed", "done"]
    nothing = fmnist("runs", "resume")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "fmnist: no run is interrupted.\n")
    for_programs = fmnist("runs", "resume", "--json")
    assert (for_programs.code, json.loads(for_programs.out)) == (0, [])


def test_what_cannot_be_resumed(fmnist, store, small_sample):
    ended_run(store, Recipe("0", 0, "sample"), small_sample, "failed", "The loss is not a finite number.")
    ended_run(store, Recipe("0", 1, "sample"), small_sample, "cancelled")
    check_refused(fmnist("runs", "resume", 1, 2), "Run 1 failed", "The loss is not a finite number.")
    check_refused(fmnist("runs", "resume", 2, 7), "no run 7")
    check_refused(fmnist("runs", "resume", "reference-1"), "reference-1")
    assert [run.status for run in store.runs()] == ["failed", "cancelled"]


def test_a_run_that_is_being_stopped_is_not_resumed_yet(fmnist, store, small_sample, at_work):
    running_run(store, Recipe("0", 0, "sample"), small_sample)
    store.request_stop([1])
    check_refused(fmnist("runs", "resume", 1), "Run 1 is being stopped")


def test_a_finished_run_among_those_to_be_resumed_is_told(fmnist, trained):
    answer = fmnist("runs", "resume", "1-2")
    assert answer.code == 0 and answer.out.count("(trained before)") == 2


# name, find, delete and restore


def test_a_run_is_named_and_found_by_its_name(fmnist, store, small_data):
    finished_run(store, Recipe("0", 0, "sample"), small_data)
    finished_run(store, Recipe("2", 1, "sample"), small_data)
    assert len(fmnist("runs", "list").out.splitlines()[0].split()) == len(fmnist("runs", "list").out.split()) / 2
    answer = fmnist("runs", "rename", 2, "--name", "The best", "--note", "for the talk")
    assert answer.code == 0 and answer.out == "Run 2 (Model 2, seed 1): The best · for the talk\n"
    first, second = fmnist("runs", "list").out.splitlines()
    assert second.endswith("The best") and not first.endswith("The best")
    for words, ids in (("the best", ["2"]), ("TALK", ["2"]), ("linear", ["1"]), ("seed 1", ["2"]), ("nothing", [])):
        lines = fmnist("runs", "list", "--search", words).out.splitlines()
        assert [line.split()[0] for line in lines] == ids, words
    assert json.loads(fmnist("runs", "show", 2).out)["note"] == "for the talk"
    rows = list(csv.DictReader(io.StringIO(fmnist("runs", "list", "--format", "csv").out)))
    assert [(row["name"], row["note"]) for row in rows] == [("", ""), ("The best", "for the talk")]
    assert fmnist("runs", "rename", 2, "--name", "").out == "Run 2 (Model 2, seed 1): for the talk\n"


def test_a_name_that_cannot_be_is_refused(fmnist, store, small_data):
    finished_run(store, Recipe("0", 0, "sample"), small_data)
    check_refused(fmnist("runs", "rename", 1, "--name", "n" * 61), "at most 60 characters")
    check_refused(fmnist("runs", "rename", 7, "--name", "x"), "no run 7")
    check_refused(fmnist("runs", "rename", "reference-1", "--name", "x"), "comes with the project")
    assert fmnist("runs", "rename", 1).code == fmnist("runs", "rename", "1-2", "--name", "x").code == 2
    assert store.labels() == {}
    fmnist("runs", "rename", 1, "--name", "\x1b[31mred\x1b[0m\n=1+1")
    assert fmnist("runs", "list").out.endswith("red =1+1\n")


def test_what_was_deleted_last_is_restored(fmnist, store, small_data):
    for seed in range(4):
        finished_run(store, Recipe("0", seed, "sample"), small_data)
    before = fmnist("runs", "list").out
    check_refused(fmnist("runs", "restore"), "no deletion to undo")
    fmnist("runs", "delete", 1, "3-4")
    assert [run.id for run in store.runs()] == [2]
    answer = fmnist("runs", "restore")
    assert answer.code == 0 and answer.out == "Runs 1,3-4: restored.\n"
    assert fmnist("runs", "list").out == before
    fmnist("runs", "delete", 1, "--for-good")
    check_refused(fmnist("runs", "restore"), "no deletion to undo")
