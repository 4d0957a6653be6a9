"""The command line: output, exit codes, and one line on standard error when something is wrong."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import is_one_sentence, keep_as_sample, trainer_processes, unpack_all, wait_for
from making import finished_run
from PIL import Image

from fmnist import __main__ as cli
from fmnist import data, evaluation, settings, training
from fmnist.commands import arguments, train
from fmnist.datasets import CLOTHES
from fmnist.images import to_png
from fmnist.library import Library
from fmnist.recipe import Recipe
from fmnist.store import Store
from fmnist.trainer import Trainer

TRAIN = ["train", "--dataset", "sample", "--device", "cpu", "--epochs", "1"]
COMPARED = {
    *("model", "dataset", "source", "recipe", "seeds", "accuracy_mean", "accuracy_std", "accuracy_min", "accuracy_max"),
    *("dead", "train_seconds", "eval_seconds", "image_seconds", "single_seconds"),
    *("parameters", "device", "conditions"),
}


class Answer:
    """What a command wrote, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def fmnist(capsys, runs_path):
    """Call the command line in this process."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        code = cli.main([str(argument) for argument in arguments])
        return Answer(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory, small_data) -> Path:
    """A store's file with Models 0 and 1, finished, Model 0 with two seeds."""
    folder = tmp_path_factory.mktemp("trained")
    keep_as_sample(small_data, folder)
    store = Store(folder / "fmnist.db")
    recipes = [Recipe(model, seed, "sample", 1, device="cpu") for model, seed in (("0", 0), ("0", 1), ("1", 0))]
    store.enqueue([(recipe, recipe.key(small_data.fingerprint)) for recipe in recipes], Path("/"))
    Trainer(store).work(idle_seconds=0)
    assert len(store.runs("done")) == 3
    store.close()
    return store.path


@pytest.fixture
def trained(trained_once: Path, runs_path: Path, small_sample) -> Store:
    """A store of one's own with these runs."""
    shutil.copy(trained_once, runs_path)
    return Store(runs_path)


@pytest.fixture
def shirt(tmp_path: Path, small_data) -> Path:
    """A test image as a file."""
    path = tmp_path / "shirt.png"
    path.write_bytes(to_png(small_data.test_images[0]))
    return path


def check_refused(answer: Answer, *named: object) -> None:
    """Exit code 1 and one sentence on standard error, that names what it is about."""
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("fmnist: ") and answer.err.endswith("\n") and answer.err.count("\n") == 1
    assert is_one_sentence(answer.err.removeprefix("fmnist: ").rstrip())
    for name in named:
        assert str(name) in answer.err


# train


def test_train_and_train_again(fmnist, store, small_sample):
    first = fmnist(*TRAIN, "--models", "0", "--seeds", "0-1")
    assert first.code == 0
    runs = store.runs()
    expected = [f"Model 0, seed {run.recipe.seed}: {run.result['test_accuracy']:.2%}, " for run in runs]
    assert [line[: len(start)] for line, start in zip(first.out.splitlines(), expected, strict=True)] == expected
    *_, alone = training.train(Recipe("0", 1, "sample", 1, device="cpu"), small_sample)
    assert runs[1].result["test_accuracy"] == alone.test_accuracy

    second = fmnist(*TRAIN, "--models", "0", "--seeds", "1,0")
    assert second.code == 0
    assert second.out.count("(trained before)") == 2
    assert store.runs() == runs  # nothing was done

    third = fmnist(*TRAIN, "--models", "0", "--again")
    assert third.code == 0 and "trained before" not in third.out
    assert len(store.runs("done")) == 3


def test_lists_are_a_sweep(fmnist, store, small_sample):
    lists = ["--models", "0", "--lr", "0.1, 1e-2", "--batch-size", "32,64", "--optimizer", "adam", "--seeds", "0-1"]
    dry = fmnist(*TRAIN, *lists, "--dry-run")
    assert dry.code == 0 and store.runs() == []
    assert dry.err.startswith("fmnist: 2 learning rates × 2 batch sizes × 2 seeds = 8 runs, roughly ")
    assert len(dry.out.splitlines()) == 1 + 4  # A line for each setting.

    answer = fmnist(*TRAIN, *lists)
    assert answer.code == 0
    assert answer.err.startswith("fmnist: 2 learning rates × 2 batch sizes × 2 seeds = 8 runs, roughly ")
    done = store.runs("done")
    assert {(run.recipe.learning_rate, run.recipe.batch_size, run.recipe.seed) for run in done} == {
        (rate, size, seed) for rate in (0.1, 0.01) for size in (32, 64) for seed in (0, 1)
    }
    assert len(answer.out.splitlines()) == 8
    assert f"Model 0, seed 1, {Recipe('0', 1, 'sample', 1, 64, 0.01, 'adam').describe()}: " in answer.out
    # Seeds of a setting were trained one after the other or side by side, never between those of another one.
    began = [run.recipe.group() for run in sorted(done, key=lambda run: (run.started, run.id))]
    assert len([pair for pair in pairwise(began) if pair[0] != pair[1]]) == 3

    known = fmnist(*TRAIN, *lists, "--dry-run")
    assert "All of it is trained already" in known.err


def test_a_grid_that_is_too_large_is_refused(fmnist, store):
    refused = fmnist(*TRAIN, "--seeds", "0-999", "--lr", "0.1,0.01")
    check_refused(refused, "6,000 runs", "1,000")
    assert store.runs() == []


def test_bars_are_of_the_whole_and_of_what_is_running(store, small_data, monkeypatch):
    recipes = [Recipe("0", seed, "sample") for seed in range(12)]
    ids = [id for id, _ in store.enqueue([(recipe, recipe.key("x")) for recipe in recipes], Path("/"))]
    drawn = []

    class Bar:
        def __init__(self, desc, position, **options) -> None:
            self.desc, self.line, self.leave = desc, position, options.get("leave", True)
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
            store.finish(run.id, "done", result={})
        while len(store.runs("running")) < 2 and store.claim():
            pass
        return True

    monkeypatch.setattr(train, "tqdm", Bar)
    monkeypatch.setattr(train, "FOLLOW_SECONDS", 0)
    monkeypatch.setattr("fmnist.trainer.is_alive", trains)
    train._follow(store, ids, None)
    assert max(seen, key=len) == [0, 1, 2] and not drawn
    [whole] = kept
    assert (whole.desc, whole.n, whole.total) == ("All runs", 12, 12)


def test_train_says_what_failed(fmnist, store, small_sample):
    answer = fmnist(*TRAIN, "--models", "2", "--lr", "100")
    assert answer.code == 1
    assert answer.out.startswith("Model 2, seed 0: failed. The loss is not a finite number")


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
    assert err.splitlines()[-1] == "fmnist: stopped; what was trained so far is kept." and "Traceback" not in err
    wait_for(lambda: store.runs()[0].status == "cancelled")
    assert len(trainer_processes(store.path.parent)) == 1  # Ctrl-C has not reached it


def test_train_without_data(fmnist, tmp_path):
    check_refused(fmnist("train", "--data", tmp_path / "nothing"), tmp_path / "nothing", "FashionMNIST")


@pytest.mark.parametrize("option, value", [("--epochs", 0), ("--batch-size", -1), ("--lr", 0), ("--lr", "nan")])
def test_train_what_cannot_be_trained(fmnist, option, value):
    check_refused(fmnist(*TRAIN, option, value))


# compare


def test_compare_as_json(fmnist, trained):
    answer = fmnist("compare", "--format", "json")
    assert answer.code == 0
    rows = json.loads(answer.out)
    assert all(set(row) == COMPARED for row in rows)
    two, one = sorted(rows, key=lambda row: row["model"])
    accuracies = [run.result["test_accuracy"] for run in trained.runs() if run.recipe.model == "0"]
    assert (two["model"], two["dataset"], two["source"], two["seeds"]) == ("0", "sample", "own", [0, 1])
    assert two["accuracy_mean"] == pytest.approx(np.mean(accuracies))
    assert two["accuracy_std"] == pytest.approx(np.std(accuracies, ddof=1))
    assert (two["accuracy_min"], two["accuracy_max"]) == (min(accuracies), max(accuracies))
    assert (two["parameters"], two["dead"], two["device"]) == (7_850, 0, "CPU")
    assert two["recipe"] == "SGD, lr 0.1, batch 32, 1 epoch"
    assert one["seeds"] == [0] and one["accuracy_std"] is None


def test_compare_as_csv(fmnist, trained):
    answer = fmnist("compare", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert answer.code == 0 and len(rows) == 2
    assert set(rows[0]) == COMPARED
    assert {row["model"]: row["seeds"] for row in rows} == {"0": "0 1", "1": "0"}
    assert {row["model"]: row["accuracy_std"] == "" for row in rows} == {"0": False, "1": True}


def test_compare_as_a_table(fmnist, trained):
    answer = fmnist("compare")
    title, header, *lines = answer.out.splitlines()
    assert answer.code == 0 and title == "Sample data" and len(lines) == 2
    assert set(header.split()) == COMPARED - {"dataset"}
    assert "Model 0" in answer.out and "%" in answer.out and "nan" not in answer.out


def test_each_data_set_has_a_table_of_its_own(fmnist, store, small_data):
    for name in ("mnist", "fashion-mnist", "kmnist"):
        finished_run(store, Recipe("0", dataset=name), small_data)
    tables = fmnist("compare").out.strip().split("\n\n")
    assert [table.splitlines()[0] for table in tables] == ["FashionMNIST", "MNIST", "KMNIST"]
    assert all(len(table.splitlines()) == 3 for table in tables)


@pytest.mark.parametrize("format", ["json", "csv", "table"])
def test_compare_nothing(fmnist, format):
    answer = fmnist("compare", "--format", format)
    assert answer.code == 0
    if format == "json":
        assert json.loads(answer.out) == []
    elif format == "csv":
        assert set(answer.out.strip().split(",")) == COMPARED
    else:
        assert "Nothing is trained yet" in answer.out


# predict, convert


def test_predict_as_json(fmnist, trained, shirt):
    answer = fmnist("predict", shirt, shirt, "--dataset", "sample", "--format", "json")
    rows = json.loads(answer.out)
    assert answer.code == 0
    assert [(row["file"], row["model"]) for row in rows] == [(str(shirt), "0"), (str(shirt), "1")] * 2
    for row in rows:
        assert len(row["probabilities"]) == 10 and sum(row["probabilities"]) == pytest.approx(1)
        assert row["label"] == CLOTHES.classes[int(np.argmax(row["probabilities"]))]


def test_predict_is_the_mean_over_seeds_of_what_the_stored_models_say(fmnist, trained, small_data, tmp_path):
    item = next(image for image in small_data.test_images if image[0].any() and image[-1].any())
    path = tmp_path / "item.png"
    path.write_bytes(to_png(item))
    (row, _) = json.loads(fmnist("predict", path, "--dataset", "sample", "--format", "json").out)
    index = next(i for i, image in enumerate(small_data.test_images) if np.array_equal(image, item))
    stored = [evaluation.softmax(trained.logits(run.id))[index] for run in trained.runs() if run.recipe.model == "0"]
    assert row["probabilities"] == pytest.approx(np.mean(stored, axis=0).tolist(), abs=0.02)


def test_predict_as_a_table(fmnist, trained, shirt):
    answer = fmnist("predict", shirt, "--dataset", "sample")
    lines = answer.out.splitlines()
    assert answer.code == 0 and len(lines) == 2
    assert all(str(shirt) in line and "%" in line for line in lines)
    assert "Model 0" in lines[0] and "Model 1" in lines[1]


def test_predict_without_a_model(fmnist, shirt, monkeypatch):
    monkeypatch.setattr("fmnist.commands.predict.Library", lambda own: Library(own, reference=None))
    check_refused(fmnist("predict", shirt, "--dataset", "sample"), "python -m fmnist train")


@pytest.mark.parametrize("command", ["predict", "convert"])
@pytest.mark.parametrize("kind", ["missing", "text", "folder", "empty", "cut off"])
def test_what_is_no_image(fmnist, tmp_path, shirt, command, kind):
    path = tmp_path / "image.png"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes({"text": b"Dear diary", "empty": b"", "cut off": shirt.read_bytes()[:100]}[kind])
    arguments = [command, path, *([tmp_path / "out.png"] if command == "convert" else [])]
    check_refused(fmnist(*arguments), path.name)
    assert not (tmp_path / "out.png").exists()


def test_convert(fmnist, tmp_path):
    photo = Image.new("RGB", (300, 400), (250, 250, 250))
    photo.paste((60, 70, 80), (100, 50, 200, 350))
    photo.save(tmp_path / "photo.jpg")
    answer = fmnist("convert", tmp_path / "photo.jpg", tmp_path / "out.png")
    assert (answer.code, answer.out) == (0, "")
    with Image.open(tmp_path / "out.png") as image:
        assert (image.size, image.mode) == ((28, 28), "L")
        assert np.asarray(image)[:, 14].min() > 100 and np.asarray(image)[14, 0] == 0


def test_convert_to_where_nothing_can_be_written(fmnist, shirt, tmp_path):
    check_refused(fmnist("convert", shirt, tmp_path / "none" / "out.png"), tmp_path / "none" / "out.png")


# data


def test_data_check(fmnist, idx_root):
    packed = fmnist("data", "check", "--data", idx_root)
    unpack_all(idx_root)
    assert packed.code == 0 and "331 training and 100 test images" in packed.out
    assert fmnist("data", "check", "--data", idx_root).out == packed.out


def test_data_check_without_data(fmnist, tmp_path):
    check_refused(fmnist("data", "check", "--data", tmp_path), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_data_download_has_nothing_to_do(fmnist, idx_root, monkeypatch):
    monkeypatch.setattr(data, "_TORCHVISION", "raise SystemExit(1)")
    assert fmnist("data", "download", "--data", idx_root).code == 0


def test_data_download(fmnist, idx_root, tmp_path, monkeypatch):
    script = f"import shutil, sys; shutil.copytree({str(idx_root)!r}, sys.argv[1], dirs_exist_ok=True)"
    monkeypatch.setattr(data, "_TORCHVISION", script)
    answer = fmnist("data", "download", "--data", tmp_path / "new")
    assert answer.code == 0 and f"{tmp_path / 'new'}: complete" in answer.out


def test_data_download_that_fails(fmnist, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "_TORCHVISION", "raise RuntimeError('no route')")
    check_refused(fmnist("data", "download", "--data", tmp_path / "new"), "no route")


# runs


def test_runs_are_listed_shown_and_deleted(fmnist, trained):
    lines = fmnist("runs", "list").out.splitlines()
    assert [line.split()[:2] for line in lines] == [["1", "done"], ["2", "done"], ["3", "done"]]
    shown = json.loads(fmnist("runs", "show", 3).out)
    assert (shown["id"], shown["status"], shown["recipe"]["model"]) == (3, "done", "1")
    assert shown["result"] == trained.run(3).result
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


def test_a_store_that_is_broken(fmnist, runs_path):
    runs_path.parent.mkdir()
    runs_path.write_text("Dear diary, " * 100)
    for command in (["compare"], ["runs", "list"], ["runs", "show", 1], TRAIN):
        check_refused(fmnist(*command), runs_path)


# As a process


def call(*arguments: str, runs: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "fmnist", *arguments, "--runs", str(runs)]
    return subprocess.run(command, cwd=settings.PROJECT, capture_output=True, text=True, timeout=120)


def test_an_error_reaches_the_shell(runs_path):
    process = call("runs", "show", "5", runs=runs_path)
    check_refused(Answer(process.returncode, process.stdout, process.stderr), "no run 5")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_no_error(trained, unbuffered, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    command = [sys.executable, "-m", "fmnist", "runs", "list", "--runs", str(trained.path)]
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(command, cwd=settings.PROJECT, stdout=writer, stderr=-1, text=True, timeout=120)
    os.close(writer)
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["train", "--models", "9"],
        ["train", "--models", ""],
        ["train", "--seeds", "a-b"],
        ["train", "--seeds", "5-3"],
        ["train", "--seeds", "0-999999"],
        ["train", "--seeds", "-1"],
        ["train", "--epochs", "many"],
        ["train", "--lr", "0.1,fast"],
        ["train", "--batch-size", "1.5"],
        ["train", "--optimizer", "sgd,lion"],
        ["train", "--dataset", "cifar10"],
        ["train", "--optimizer", "lion"],
        ["compare", "--format", "xml"],
        ["predict"],
        ["convert", "one.png"],
        ["data"],
        ["runs", "show"],
        ["runs", "show", "first"],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, numbers",
    [("0", [0]), ("0-4", [0, 1, 2, 3, 4]), ("3,1,3", [3, 1]), ("0,2,5-7", [0, 2, 5, 6, 7]), ("1, 2", [1, 2])],
)
def test_lists_of_seeds(text, numbers):
    assert arguments.numbers(text) == numbers


def test_lists_of_models():
    assert arguments.models("2, 0,2") == ["2", "0"]
