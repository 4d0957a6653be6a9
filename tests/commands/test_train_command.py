"""Training by the command line: bars, log files, plans, and what failed."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from helpers.answers import check_refused
from helpers.making import STEPS_PER_EPOCH, finished_run, queued_run, result, running_run
from helpers.processes import only_trainer, wait_for
from tqdm import tqdm

from fmnist import settings
from fmnist.commands import progress
from fmnist.compare.confirmation import FIRST_SEED
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.run import Point, Status
from fmnist.training import launcher, loop
from fmnist.training.messages import ClusterState

TRAIN = ["train", "--dataset", "sample", "--device", "cpu", "--epochs", "1"]


def test_train_and_train_again(fmnist, warm, small_data):
    first = fmnist(*TRAIN, "--models", "0", "--seeds", "0-1")
    assert first.code == 0
    runs = warm.runs()
    expected = [f"Model 0, seed {run.recipe.seed}: {run.result.test_accuracy:.2%}, " for run in runs]
    assert [line[: len(start)] for line, start in zip(first.out.splitlines(), expected, strict=True)] == expected
    *_, alone = loop.train(Recipe("0", 1, "sample", 1, device="cpu"), small_data)
    assert runs[1].result.test_accuracy == alone.result.test_accuracy

    second = fmnist(*TRAIN, "--models", "0", "--seeds", "1,0")
    assert second.code == 0
    assert second.out.count("(trained before)") == 2
    assert warm.runs() == runs  # nothing was done

    third = fmnist(*TRAIN, "--models", "0", "--again")
    assert third.code == 0 and "trained before" not in third.out
    assert len(warm.runs("done")) == 3


def test_lists_are_a_sweep(fmnist, warm):
    lists = ["--models", "0", "--lr", "0.1, 1e-2", "--batch-size", "32,64", "--optimizer", "adam", "--seeds", "0-1"]
    lists += ["--validation", "60"]
    dry = fmnist(*TRAIN, *lists, "--dry-run")
    assert dry.code == 0 and warm.runs() == []
    assert dry.err.startswith("fmnist: 2 learning rates × 2 batch sizes × 2 seeds = 8 runs, roughly ")
    assert len(dry.out.splitlines()) == 1 + 4  # A line for each setting.

    answer = fmnist(*TRAIN, *lists)
    assert answer.code == 0
    assert answer.err.startswith("fmnist: 2 learning rates × 2 batch sizes × 2 seeds = 8 runs, roughly ")
    done = warm.runs("done")
    assert {(run.recipe.learning_rate, run.recipe.batch_size, run.recipe.seed) for run in done} == {
        (rate, size, seed) for rate in (0.1, 0.01) for size in (32, 64) for seed in (0, 1)
    }
    *lines, best = answer.out.splitlines()
    assert len(lines) == 8 and best.startswith("Best of 4: Model 0, Adam, lr ") and "of the held-out images" in best
    assert "Chosen, not yet confirmed." in best and best.endswith("python -m fmnist confirm --dataset sample")
    described = Recipe("0", 1, "sample", 1, 64, 0.01, "adam", validation=60).describe()
    assert f"Model 0, seed 1, {described}: " in answer.out
    # Seeds of a setting were trained one after the other or side by side, never between those of another one.
    began = [run.recipe.group() for run in sorted(done, key=lambda run: (run.started, run.id))]
    assert len([pair for pair in pairwise(began) if pair[0] != pair[1]]) == 3

    known = fmnist(*TRAIN, *lists, "--dry-run")
    assert "8 runs. Everything here is already trained.\n" in known.err

    planned = fmnist("confirm", "--dataset", "sample", "--seeds", "1", "--dry-run", "--json")
    assert planned.code == 0 and "2 settings, 2 runs" in planned.err
    assert [(row["optimizer"], row["seeds"], row["trained"]) for row in json.loads(planned.out)] == [
        ("adam", 1, 0),
        ("sgd", 1, 0),
    ]
    assert len(fmnist("confirm", "--dataset", "sample", "--seeds", "1", "--dry-run").out.splitlines()) == 1 + 2

    confirmed = fmnist("confirm", "--dataset", "sample", "--seeds", "1", "--json")
    assert confirmed.code == 0 and "2 settings, 2 runs" in confirmed.err
    chosen, published = (run for run in warm.runs("done") if run.recipe.seed == FIRST_SEED)
    assert published.recipe.published and chosen.recipe.optimizer == "adam" and not chosen.recipe.validation
    facts = json.loads(confirmed.out)
    assert facts["chosen_on"] == "held-out" and facts["confirmed_accuracy"] == chosen.result.test_accuracy
    again = fmnist("confirm", "--dataset", "sample", "--seeds", "1")
    assert "of the test images with one new seed, trained on all 12,000 images." in again.out and again.err == ""
    assert json.loads(fmnist("confirm", "--dataset", "sample", "--seeds", "1", "--dry-run", "--json").out) == []


def test_without_a_sweep_there_is_nothing_to_confirm(fmnist, store):
    check_refused(fmnist("confirm"), "no sweep on FashionMNIST", "python -m fmnist train --lr")


def test_a_sweep_holds_out_images_where_nobody_says_how_many(fmnist, store, small_sample):
    def held_out(*arguments: str) -> set[str]:
        rows = json.loads(fmnist(*TRAIN, "--dry-run", "-q", "--json", *arguments).out)
        return {row.get("validation", 0) for row in rows}

    sweep = ("--lr", "0.1,0.01")
    assert held_out(*sweep) == {2000} and held_out() == {0}
    assert held_out(*sweep, "--validation", "0") == {0} and held_out("--validation", "50") == {50}


def test_a_grid_that_is_too_large_is_refused(fmnist, store):
    refused = fmnist(*TRAIN, "--seeds", "0-999", "--lr", "0.1,0.01")
    assert (refused.code, refused.out) == (2, "") and "6,000 runs" in refused.err and "1,000" in refused.err
    assert store.runs() == []


def test_bars_are_of_the_whole_and_of_what_is_running(store, small_data, monkeypatch):
    recipes = [Recipe("0", seed, "sample") for seed in range(12)]
    ids = [id for id, _ in store.enqueue([(recipe, recipe.key("x")) for recipe in recipes], Path("/"))]
    drawn = []

    class Bar:
        def __init__(self, desc, line, thing, **options) -> None:
            self.desc, self.line, self.leave = desc, line, options.get("leave", True)
            self.n, self.total = 0, options.get("total")
            drawn.append(self)

        def refresh(self) -> None:
            assert sum(bar.line == self.line for bar in drawn) == 1, "two bars in one line"

        def close(self) -> None:
            drawn.remove(self)
            kept.extend([self] if self.leave else [])

    kept: list[Bar] = []
    seen = []

    def trains(_: object) -> bool:
        """A trainer that has two runs at work, and ends one of them between two looks."""
        seen.append(sorted(bar.line for bar in drawn))
        for run in store.runs("running")[:1]:
            store.finish(run.id, Status.DONE, result=result())
        while len(store.runs("running")) < 2 and store.claim():
            pass
        return True

    monkeypatch.setattr(progress, "Bar", Bar)
    monkeypatch.setattr(progress, "FOLLOW_SECONDS", 0)
    monkeypatch.setattr("fmnist.training.launcher.is_alive", trains)
    progress.follow(store, ids, None, progress.Bars(len(ids)))
    assert max(seen, key=len) == [0, 1, 2] and not drawn
    [whole] = kept
    assert (whole.desc, whole.n, whole.total) == ("All runs", 12, 12)


@pytest.mark.parametrize(
    ("done", "seconds", "said"), [(0, 5.0, "? runs/s"), (2, 18.0, "9.00s/run"), (8, 2.0, "4.00 runs/s")]
)
def test_the_rate_of_a_bar_reads_well_and_leaves_room_for_what_ctrl_c_prints(done, seconds, said):
    with progress.Bar("All runs", 0, "run", total=9, file=io.StringIO()) as bar:
        facts = {**bar.format_dict, "n": done, "elapsed": seconds, "rate": None, "initial": 0, "ncols": 80}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tqdm, "format_dict", property(lambda _: dict(facts)))
            line = str(bar)
    assert line.endswith(f" {said}]") and len(line) <= 78


def test_a_single_run_has_a_single_bar(store, small_data, capsys):
    id = running_run(store, Recipe("0", 0, "sample"), small_data)
    bars = progress.Bars(1)
    bars.update(store.by_ids([id], Status.RUNNING), 1)
    bars.close()
    said = capsys.readouterr().err
    assert "Model 0, seed 0" in said and "All runs" not in said and said.endswith("\n")
    bars = progress.Bars(1)
    bars.update(store.by_ids([id], Status.RUNNING), 1)
    bars.update([], 0)  # It has ended, which is said elsewhere: nobody needs to see how far it had come.
    bars.close()
    assert capsys.readouterr().err.endswith(" \r")


def test_train_says_what_failed(fmnist, warm):
    answer = fmnist(*TRAIN, "--models", "2", "--lr", "100")
    assert answer.code == 1
    assert answer.out.startswith("Model 2, seed 0: failed. The loss is no longer a finite number")


def test_ctrl_c_stops_the_training(store, small_sample):
    command = [sys.executable, "-m", "fmnist", "train", "--dataset", "sample", "--models", "0", "--epochs", "1000"]
    command += ["--batch-size", "1", "--device", "cpu", "--runs", str(store.path)]
    # A process group of its own, to which a terminal would send Ctrl-C.
    process = subprocess.Popen(command, cwd=settings.PROJECT, stdout=-1, stderr=-1, text=True, start_new_session=True)
    try:
        wait_for(lambda: any(run.step for run in store.runs()))
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    said = "fmnist: stopped; what was trained so far is kept. To resume: python -m fmnist runs resume 1"
    assert err.splitlines()[-1] == said and "Traceback" not in err
    wait_for(lambda: store.runs()[0].status == "cancelled")
    assert only_trainer(store.path.parent)  # Ctrl-C has not reached it


def test_a_log_file_tells_how_it_goes(warm):
    """What a terminal shows by bars."""
    command = [sys.executable, "-m", "fmnist", *TRAIN, "--models", "0", "--seeds", "0-1", "--runs", str(warm.path)]
    process = subprocess.run(command, cwd=settings.PROJECT, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0
    plan, *lines = process.stderr.splitlines()
    assert plan.startswith("fmnist: 2 runs, roughly")
    for run in warm.runs("done"):
        begun = lines.index(
            f"fmnist: Run {run.id} (Model 0, seed {run.recipe.seed}) started ({run.recipe.describe()})."
        )
        ended = f"fmnist: Run {run.id} (Model 0, seed {run.recipe.seed}): done with {run.result.test_accuracy:.2%};"
        [end] = [place for place, line in enumerate(lines) if line.startswith(ended)]
        assert begun < end
    assert lines[-1].endswith("2 of 2 runs have ended.")
    assert len(process.stdout.splitlines()) == 2


def test_a_log_file_tells_of_epochs_now_and_then(store, small_data, capsys, monkeypatch):
    id = running_run(store, Recipe("0", 0, "sample", 4), small_data, epochs=2)
    lines = progress.Lines(store, [id])
    for _ in range(2):  # It is looked at more often than it changes.
        lines.update(store.by_ids([id], "running"), 1)
    assert capsys.readouterr().err.splitlines() == [
        f"fmnist: Run {id} (Model 0, seed 0) started (SGD, lr 0.1, batch 32, 4 epochs).",
        f"fmnist: Run {id} (Model 0, seed 0): epoch 2 of 4, 50.00% of the test images right.",
    ]
    for seconds, told in ((1e6, 0), (0, 1)):
        monkeypatch.setattr(progress, "LINE_SECONDS", seconds)
        point = Point("test", 3 * STEPS_PER_EPOCH, 3, 1.0, 1.0, 0.75)
        store.record(id, [point], images_per_second=None, artifacts={})
        lines.update(store.by_ids([id], "running"), 1)
        assert capsys.readouterr().err.count("epoch 3 of 4, 75.00%") == told


def test_a_log_file_does_not_tell_again_what_a_resumed_run_has_behind_it(store, small_data, capsys):
    id = running_run(store, Recipe("0", 0, "sample", 4), small_data, epochs=2)
    store.interrupt_running()
    store.resume(id)
    lines = progress.Lines(store, [id])
    assert store.claim()
    lines.update(store.by_ids([id], "running"), 1)
    [begun] = capsys.readouterr().err.splitlines()
    assert begun.endswith("started (SGD, lr 0.1, batch 32, 4 epochs).")
    store.record(id, [Point("test", 3 * STEPS_PER_EPOCH, 3, 1.0, 1.0, 0.75)], images_per_second=None, artifacts={})
    lines.update(store.by_ids([id], "running"), 1)
    assert "epoch 3 of 4, 75.00%" in capsys.readouterr().err


def test_a_log_file_tells_of_runs_that_ended_before_anybody_looked(store, small_data, capsys):
    ids = [finished_run(store, Recipe("0", seed, "sample"), small_data).id for seed in (0, 1)]
    ids.append(queued_run(store, Recipe("0", 2, "sample"), small_data))
    lines = progress.Lines(store, ids)
    lines.update([], 1)
    store.request_stop(ids)
    lines.update([], 0)
    assert [re.split(r"\):? ", line, maxsplit=1)[1] for line in capsys.readouterr().err.splitlines()] == [
        "started (SGD, lr 0.1, batch 32, 3 epochs).",
        f"done with {store.run(ids[0]).result.test_accuracy:.2%}; 1 of 3 runs has ended.",
        "started (SGD, lr 0.1, batch 32, 3 epochs).",
        f"done with {store.run(ids[1]).result.test_accuracy:.2%}; 2 of 3 runs have ended.",
        "stopped; 3 of 3 runs have ended.",
    ]


@pytest.mark.parametrize("asked", [None, "other:6379"])
def test_who_asks_again_for_what_waits_for_a_cluster_is_told(store, small_data, capsys, monkeypatch, asked):
    recipes = [Recipe("0", seed, "sample") for seed in (0, 1, 2)]
    keyed = [(recipe, recipe.key(small_data.fingerprint)) for recipe in recipes]
    store.enqueue(keyed[:2], Path("/"), cluster="head:1")
    launcher.keep_cluster_state(store, ClusterState("head:1", problem="The Ray cluster at head:1 does not answer."))
    ids = [id for id, _ in store.enqueue(keyed, Path("/"), cluster=asked)]
    monkeypatch.setattr(launcher, "start", lambda store: None)
    monkeypatch.setattr(launcher, "is_alive", lambda store: store.request_stop(ids) or True)
    progress.train_queued(store, ids, asked, quiet=False)
    said = capsys.readouterr().err
    command = f"{settings.command('runs resume 1-2')}{f' --ray {asked}' if asked else ''}"
    assert "fmnist: Runs 1-2 wait for the Ray cluster at head:1, for which they were queued before. " in said
    assert f"press Ctrl-C and then run {command}\n" in said
    assert "fmnist: The Ray cluster at head:1 does not answer. Its runs wait" in said


def test_a_run_that_failed_to_learn_is_said_to_have(fmnist, store, small_sample, capsys):
    run = finished_run(store, Recipe("0", 0, "sample", 1, device="cpu"), small_sample, never=tuple(range(1, 10)))
    lines = progress.Lines(store, [run.id, 99])
    lines.update([], 1)
    ended = f"done with {run.result.test_accuracy:.2%}, failed to learn"
    assert f"(Model 0, seed 0): {ended}; 1 of 2 runs has ended." in capsys.readouterr().err
    assert f"{run.result.test_accuracy:.2%}, failed to learn, 2.0 s" in fmnist(*TRAIN, "--models", "0").out
    assert f"{run.result.test_accuracy:.2%}, failed to learn" in fmnist("runs", "list").out


def test_a_single_run_is_counted_as_one(store, small_data, capsys):
    progress.Lines(store, [finished_run(store, Recipe("0"), small_data).id]).update([], 0)
    assert "; 1 of 1 run has ended." in capsys.readouterr().err


def test_quiet_leaves_the_results(fmnist, warm):
    answer = fmnist(*TRAIN, "--models", "0", "--seeds", "0-1", "-q")
    assert (answer.code, answer.err) == (0, "") and len(answer.out.splitlines()) == 2


def test_results_of_train_for_programs(fmnist, trained):
    arguments = [*TRAIN, "--models", "0,1", "--seeds", "0", "--quiet"]
    rows = json.loads(fmnist(*arguments, "--format", "json").out)
    assert fmnist(*arguments, "--json").out == fmnist(*arguments, "--format", "json").out
    assert [(row["id"], row["status"], row["trained_before"]) for row in rows] == [(1, "done", True), (3, "done", True)]
    assert rows[0]["result"] == json.loads(trained.run(1).result.to_json())
    table = list(csv.DictReader(io.StringIO(fmnist(*arguments, "--format", "csv").out)))
    assert [(row["model"], float(row["accuracy"])) for row in table] == [
        (run.recipe.model, run.result.test_accuracy) for run in (trained.run(1), trained.run(3))
    ]


@pytest.mark.parametrize("command", [("runs", "list"), (*TRAIN, "--models", "0", "--validation", "50", "-q")])
def test_rows_of_runs_that_hold_out_images_give_no_accuracy_on_the_test_images(fmnist, store, small_sample, command):
    recipe = Recipe("0", 0, "sample", 1, device="cpu", validation=50)
    run = finished_run(store, recipe, small_sample, accuracy=0.9, held_out=0.6)
    [row] = csv.DictReader(io.StringIO(fmnist(*command, "--format", "csv").out))
    assert (row["accuracy"], float(row["validation_accuracy"])) == ("", run.result.validation_accuracy)
    [facts] = json.loads(fmnist(*command, "--format", "json").out)
    assert facts["result"]["test_accuracy"] == run.result.test_accuracy  # Everything that is known.


def test_a_plan_for_programs(fmnist, store, small_sample):
    arguments = [*TRAIN, "--models", "0,2", "--lr", "0.1,0.01", "--seeds", "0-2", "--dry-run", "-q"]
    rows = json.loads(fmnist(*arguments, "--json").out)
    assert [(row["model"], row["learning_rate"], row["seeds"]) for row in rows] == [
        (model, rate, 3) for rate in (0.1, 0.01) for model in ("0", "2")
    ]
    assert all(row["seconds"] > 0 for row in rows)
    assert fmnist(*arguments).err == ""


def test_a_plan_names_what_the_published_recipe_does_without(fmnist, store, small_sample):
    asked = ["--validation", "100", "--keep", "best", "--schedule", "cosine", "--shift", "0,2", "--mirror", "no,yes"]
    rows = json.loads(fmnist(*TRAIN, "--models", "0", *asked, "--dry-run", "--json").out)
    assert [(row["shift"], row["mirror"]) for row in rows] == [(s, m) for s in (0, 2) for m in (False, True)]
    assert {(row["validation"], row["keep"], row["schedule"]) for row in rows} == {(100, "best", "cosine")}
    for wrong, said in (
        (["--keep", "best"], "hold out some"),
        (["--weight-decay", "0.1"], "needs Adam"),
        (["--validation", "9999"], "0 to 6,000"),
        (["--shift", "3"], "0 to 2"),
    ):
        answer = fmnist(*TRAIN, *wrong, "--dry-run")
        assert answer.code and said in answer.err


def test_a_plan_of_unknown_time_prints_no_empty_line(fmnist, store, small_sample, monkeypatch):
    monkeypatch.setattr("fmnist.commands.options.Library", lambda own: Library(own, reference=None))
    answer = fmnist(*TRAIN, "--models", "0,2", "--dry-run", "--format", "table")
    assert answer.err == ""
    assert [line.split()[-1] for line in answer.out.splitlines()] == ["seconds", "?", "?"]


def test_train_without_data(fmnist, tmp_path):
    check_refused(fmnist("train", "--data", tmp_path / "nothing"), tmp_path / "nothing", "FashionMNIST")
