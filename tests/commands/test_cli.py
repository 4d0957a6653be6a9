"""The command line: output, exit codes, and one line on standard error when something is wrong."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from helpers.answers import Answer, check_refused
from helpers.data_files import unpack_all
from helpers.making import finished_run

import fmnist as fmnist_package
from fmnist import __main__ as cli
from fmnist import settings
from fmnist.commands import options
from fmnist.data import files
from fmnist.recipe import Recipe

COMPARED = {
    *("model", "dataset", "source", "recipe", "seeds", "accuracy_mean", "accuracy_std", "accuracy_min", "accuracy_max"),
    *("dead", "train_seconds", "eval_seconds", "image_seconds", "single_seconds"),
    *("parameters", "device", "conditions", "measured_on"),
}


# train


def test_where_data_are_missing_the_command_that_gets_them_is_named(fmnist, tmp_path, monkeypatch):
    there = tmp_path / "my data"
    command = f"python -m fmnist data download --data '{there}'"
    for arguments in (["train"], ["time"], ["data", "check"]):
        assert fmnist(*arguments, "--data", there).err.rstrip().endswith(f"To get it: {command}")
    monkeypatch.setenv("FMNIST_DATA", str(there))
    assert fmnist("train").err.rstrip().endswith("To get it: python -m fmnist data download")
    said = fmnist("train", "--dataset", "mnist").err.rstrip()
    assert said.endswith("To get it: python -m fmnist data download --dataset mnist")
    monkeypatch.setenv("FMNIST_READ_ONLY", "1")
    assert "download" not in fmnist("data", "check").err


# --runs


@pytest.mark.parametrize("command", [("runs", "list"), ("compare", "--reference"), ("runs", "show", "reference-1")])
def test_a_store_in_a_folder_that_is_not_there_is_refused_where_nothing_is_to_be_written(fmnist, tmp_path, command):
    nowhere = tmp_path / "nowhere"
    check_refused(fmnist(*command, "--runs", nowhere), f"no folder {nowhere}", "--runs")
    assert not nowhere.exists()


@pytest.mark.parametrize("command", [("compare",), ("train", "--dataset", "sample")])
def test_a_picture_is_no_store(fmnist, shirt, command):
    check_refused(fmnist(*command, "--runs", shirt), f"{shirt} is neither a folder nor a store", "--runs")


# --data


@pytest.mark.parametrize("command", [("train",), ("data", "check"), ("data", "download")])
def test_a_file_is_no_folder_of_data(fmnist, shirt, command):
    answer = fmnist(*command, "--data", shirt)
    check_refused(answer, f"{shirt} is a file: name the folder of the data sets.")
    assert "download" not in answer.err


# --ray


@pytest.mark.parametrize("command", [("train",), ("train", "--dry-run"), ("confirm",), ("runs", "resume")])
@pytest.mark.parametrize(
    ("address", "words"),
    [("ray://head:10001", "--num-cpus=0, and name it as HOST:PORT"), ("head:notaport", "it has the form HOST:PORT")],
)
def test_what_can_never_be_the_address_of_a_cluster_is_wrong_usage(fmnist, store, monkeypatch, command, address, words):
    answer = fmnist(*command, "--ray", address)
    assert (answer.code, answer.out) == (2, "") and address in answer.err and words in answer.err
    monkeypatch.setenv("FMNIST_RAY_ADDRESS", address)
    check_refused(fmnist(*command), "FMNIST_RAY_ADDRESS", address, words)


def test_an_empty_address_is_this_machine_whatever_the_environment_says(fmnist, store, small_sample, monkeypatch):
    monkeypatch.setenv("FMNIST_RAY_ADDRESS", "head:notaport")
    assert fmnist("train", "--dataset", "sample", "--dry-run", "--ray", "").code == 0


# compare


def test_compare_as_json(fmnist, trained):
    answer = fmnist("compare", "--format", "json")
    assert answer.code == 0
    rows = json.loads(answer.out)
    assert all(set(row) == COMPARED for row in rows)
    two, one = sorted(rows, key=lambda row: row["model"])
    accuracies = [run.result.test_accuracy for run in trained.runs() if run.recipe.model == "0"]
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
    assert answer.code == 0 and title == "Sample data"
    assert header.split()[:6] == ["model", "seeds", "accuracy", "std", "training", "lowest"]
    assert lines[0].startswith("Model 0      2  ") and lines[1].startswith("Model 1      1  ")
    # What is the same in all rows is said once.
    assert lines[2:4] == ["source: own", "recipe: SGD, lr 0.1, batch 32, 1 epoch"]
    assert answer.out.count("%") == 2 * 4 - 1 and "nan" not in answer.out and "None" not in answer.out


@pytest.mark.parametrize("columns", [60, 80, 120, 240])
def test_the_table_fits_the_terminal(fmnist, trained, small_data, monkeypatch, columns):
    finished_run(trained, Recipe("2", 3, "fashion-mnist", 2, 64, 0.05, "sgd-momentum"), small_data)
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = fmnist("compare", "--reference").out.splitlines()
    assert max(map(len, lines)) <= columns
    for needed in ("model", "source", "seeds", "accuracy", "training"):
        assert needed in lines[1].split()
    assert ("conditions" in lines[1].split()) == (columns == 240)
    (wide,) = [line for line in lines if line.startswith("Model 2") and "own" in line]
    recipe = "SGD, momentum 0.9, lr 0.05, batch 64, 2 epochs"
    assert recipe in wide if columns >= 120 else f"{recipe[:8]}" in wide and "…" in wide


@pytest.mark.parametrize("columns", [80, 120])
def test_the_device_stays_where_it_alone_tells_rows_apart(fmnist, trained, small_data, monkeypatch, columns):
    finished_run(trained, Recipe("0", dataset="sample", epochs=1), small_data, device="NVIDIA H100 80GB HBM3")
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = fmnist("compare").out.splitlines()
    assert max(map(len, lines)) <= columns and "device" in lines[1].split()
    assert {line.split()[-1] for line in lines if line.startswith("Model 0")} != {"CPU"}


@pytest.mark.parametrize("columns", [60, 120])
@pytest.mark.parametrize("held_out", [0, 50])
def test_runs_that_failed_to_learn_are_said_to_have_whatever_the_room(
    fmnist, store, small_data, monkeypatch, columns, held_out
):
    monkeypatch.setenv("COLUMNS", str(columns))
    recipes = [Recipe(model, seed, "sample", validation=held_out) for model, seed in (("0", 0), ("1", 0), ("1", 1))]
    for recipe in recipes:
        finished_run(store, recipe, small_data, never=tuple(range(1, 10)) if recipe.model == "1" else ())
    _, header, best, worst, *said = fmnist("compare").out.splitlines()
    column = slice(header.index("dead"), header.index("dead") + 4)
    assert {line[:7]: line[column].strip() for line in (best, worst)} == {"Model 0": "0", "Model 1": "2"}
    assert any(line.startswith("2 of 3 runs failed to learn") for line in said)


def test_each_data_set_has_a_table_of_its_own(fmnist, store, small_data):
    for name in ("mnist", "fashion-mnist", "kmnist"):
        finished_run(store, Recipe("0", dataset=name), small_data)
    tables = fmnist("compare").out.strip().split("\n\n")
    assert [table.splitlines()[0] for table in tables] == ["FashionMNIST", "MNIST", "KMNIST"]
    assert all(sum(line.startswith("Model ") for line in table.splitlines()) == 1 for table in tables)


@pytest.mark.parametrize("format", ["json", "csv", "table"])
def test_compare_nothing(fmnist, format):
    answer = fmnist("compare", "--format", format)
    assert answer.code == 0
    if format == "json":
        assert json.loads(answer.out) == []
    elif format == "csv":
        assert set(answer.out.strip().split(",")) == COMPARED
    else:
        assert "Nothing has been trained" in answer.out


# data


def test_data_check(fmnist, idx_root):
    packed = fmnist("data", "check", "--data", idx_root)
    unpack_all(idx_root)
    assert packed.code == 0 and "331 training and 100 test images" in packed.out
    assert fmnist("data", "check", "--data", idx_root).out == packed.out


def test_data_check_as_json(fmnist, idx_root, small_data):
    facts = json.loads(fmnist("data", "check", "--data", idx_root, "--format", "json").out)
    assert (facts["dataset"], facts["root"]) == ("fashion-mnist", str(idx_root))
    assert (facts["train_images"], facts["test_images"]) == (331, 100)
    assert facts["fingerprint"] == files.load("fashion-mnist", idx_root, idx_root).fingerprint


def test_data_check_without_data(fmnist, tmp_path):
    check_refused(fmnist("data", "check", "--data", tmp_path), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_data_download_has_nothing_to_do(fmnist, idx_root, monkeypatch):
    monkeypatch.setattr(files, "_TORCHVISION", "raise SystemExit(1)")
    assert fmnist("data", "download", "--data", idx_root).code == 0


def test_data_download(fmnist, idx_root, tmp_path, monkeypatch):
    script = f"import shutil, sys; shutil.copytree({str(idx_root)!r}, sys.argv[1], dirs_exist_ok=True)"
    monkeypatch.setattr(files, "_TORCHVISION", script)
    answer = fmnist("data", "download", "--data", tmp_path / "new")
    assert answer.code == 0 and f"{tmp_path / 'new'}: complete" in answer.out


def test_data_download_that_fails(fmnist, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_TORCHVISION", "raise RuntimeError('no route')")
    check_refused(fmnist("data", "download", "--data", tmp_path / "new"), "no route")


def test_a_store_that_is_broken(fmnist, runs_path):
    runs_path.parent.mkdir()
    runs_path.write_text("Dear diary, " * 100)
    for command in (["compare"], ["runs", "list"], ["runs", "show", 1], ["train", "--dataset", "sample"]):
        check_refused(fmnist(*command), runs_path)


# As a process


def call(*arguments: str, runs: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "fmnist", *arguments, "--runs", str(runs)]
    return subprocess.run(command, cwd=settings.PROJECT, capture_output=True, text=True, timeout=120)


def test_an_error_reaches_the_shell(store):
    process = call("runs", "show", "5", runs=store.path)
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
        ["train", "--epochs", "0"],
        ["train", "--epochs", "1_0"],
        ["train", "--batch-size", "-1"],
        ["train", "--lr", "0"],
        ["train", "--lr", "nan"],
        ["train", "--lr", "0,05"],
        ["train", "--seeds", "4000000000"],
        ["train", "--lr", "0.1,fast"],
        ["train", "--batch-size", "1.5"],
        ["train", "--optimizer", "sgd,lion"],
        ["train", "--dataset", "cifar10"],
        ["train", "--optimizer", "lion"],
        ["train", "--weight-decay", "-1", "--optimizer", "adam"],
        ["train", "--weight-decay", "nan", "--optimizer", "adam"],
        ["train", "--weight-decay", "0.1", "--optimizer", "sgd"],
        ["train", "--shift", "-1"],
        ["train", "--shift", "3"],
        ["train", "--validation", "60000"],
        ["train", "--validation", "-1"],
        ["train", "--keep", "best"],
        ["compare", "--format", "xml"],
        ["predict"],
        ["convert", "one.png"],
        ["data"],
        ["runs", "show"],
        ["runs", "show", "first"],
        ["runs", "delete"],
        ["runs", "delete", "1", "two"],
        ["runs", "resume", "5-3"],
        ["runs", "list", "--status", "asleep"],
        ["runs", "list", "--model", "9"],
        ["runs", "list", "--dataset", "cifar10"],
        ["verify", "--format", "csv"],
        ["verify", "abc"],
        ["export", "abc", "--to", "csv"],
        ["time", "abc"],
        ["convert", "one.png", "two.xyz"],
        ["convert", "", "two.png"],
        ["convert", "one.png", ""],
        ["predict", "one.png", ""],
        ["export", "reference-1", "--to", "csv", "--out", ""],
        ["runs", "import", ""],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments, capsys):
    assert cli.main(arguments) == 2
    answer = capsys.readouterr()
    assert answer.out == "" and answer.err.startswith("Usage: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--seeds"],
        ["train", "--epochs"],
        ["train", "--shift"],
        ["runs", "show"],
        ["runs", "delete"],
        ["verify"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("digits", [90, 300, 5000])
def test_numbers_without_end_are_not_said_in_full(fmnist, store, arguments, digits):
    answer = fmnist(*arguments, "9" * digits)
    assert answer.code and "Traceback" not in answer.err and "integer string conversion" not in answer.err
    assert "9" * 20 in answer.err and "9" * 50 not in answer.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("runs", "list", "--model", "9"), "Invalid value for '--model': there is no model '9'"),
        (("train", "--models", "9,8"), "Invalid value for '--models': there is no model '9' or '8'"),
        (("train", "--keep", "first"), "the epoch whose weights are kept can't be 'first': choose from last, best"),
        (("train", "--models", "x" * 300), f"there is no model '{'x' * 40}…': choose from"),
    ],
)
def test_wrong_usage_names_the_option_and_what_it_means(fmnist, store, arguments, said):
    assert said in fmnist(*arguments).err


def test_empty_places_are_the_usual_ones(fmnist, trained):
    assert fmnist("runs", "list", "--runs", "", "--data", "").out == fmnist("runs", "list").out != ""


def test_every_command_has_help_in_80_columns():
    def check(command: click.Command, *path: str) -> None:
        answer = CliRunner().invoke(cli.program, [*path, "-h"], terminal_width=80)
        assert answer.exit_code == 0 and answer.stdout.startswith("Usage: ")
        assert max(map(len, answer.stdout.splitlines())) <= 80
        for name, below in getattr(command, "commands", {}).items():
            check(below, *path, name)

    check(cli.program)


def test_what_is_refused_has_its_exit_code_by_any_way_in(store):
    answer = CliRunner().invoke(cli.program, ["runs", "show", "7", "--runs", str(store.path)])
    check_refused(Answer(answer.exit_code, answer.stdout, answer.stderr), "no run 7")


def test_the_version_has_one_home(fmnist):
    """It is also the distribution's: tests/test_package.py."""
    assert fmnist("--version").out == f"fmnist {fmnist_package.__version__}\n"


def test_torch_and_streamlit_are_not_loaded_to_begin_with():
    code = "import sys, fmnist.__main__; sys.exit('torch' in sys.modules or 'streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=settings.PROJECT).returncode == 0


@pytest.mark.parametrize("columns", [80, 120])
def test_lists_fit_the_terminal(fmnist, trained, shirt, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    commands = [["runs", "list", "--reference"], ["runs", "show", 1, "--format", "table"]]
    commands += [["predict", shirt, "--dataset", "sample"]]
    commands += [
        [
            "train",
            "--dataset",
            "sample",
            "--epochs",
            1,
            "--optimizer",
            "adam,sgd-momentum",
            "--lr",
            "0.01,0.001",
            "--dry-run",
        ]
    ]
    for command in commands:
        answer = fmnist(*command)
        assert answer.code == 0 and max(map(len, answer.out.splitlines())) <= columns, command


@pytest.mark.parametrize(
    "text, numbers",
    [("0", [0]), ("0-4", [0, 1, 2, 3, 4]), ("3,1,3", [3, 1]), ("0,2,5-7", [0, 2, 5, 6, 7]), ("1, 2", [1, 2])],
)
def test_lists_of_seeds(text, numbers):
    assert options.numbers(text) == numbers


@pytest.mark.parametrize("values, text", [([], ""), ([7], "7"), ([3, 1, 2], "1-3"), ([1, 2, 4, 6, 7, 8], "1-2,4,6-8")])
def test_ranges_are_read_as_they_are_written(values, text):
    assert options.as_ranges(values) == text
    assert not text or options.numbers(text) == sorted(values)


def test_lists_of_models():
    assert options.names("2, 0,2") == ["2", "0"]
