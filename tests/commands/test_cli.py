"""The command line: output, exit codes, and one line on standard error when something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from helpers.answers import Answer, check_refused
from helpers.data_files import unpack_all

import fmnist as fmnist_package
from fmnist import __main__ as cli
from fmnist import settings
from fmnist.commands import options
from fmnist.data import files

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
