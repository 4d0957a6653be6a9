"""Exports, each opened by the program that it is for: it shall give the same predictions and numbers as the store."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.answers import is_one_sentence

from export.conftest import PROJECT, write
from fmnist import __main__ as cli
from fmnist import export, metrics
from fmnist.data.catalog import CLOTHES
from fmnist.export import FORMATS, ExportError
from fmnist.export.chosen import file_name, widen

# --- The registry ---


def test_what_an_export_needs_stands_in_its_requirements_alone():
    def packages(file: str) -> set[str]:
        lines = (PROJECT / file).read_text().splitlines()
        return {re.split(r"[~=<>]", line)[0] for line in lines if line and line[0] not in "#-"}

    assert packages("requirements-export.txt") & packages("requirements.txt") == set()
    comes_with_streamlit = {"pyarrow"}
    needed = {name for form in FORMATS.values() for name in form.needs} - comes_with_streamlit
    assert needed <= {name.removesuffix("-skinny") for name in packages("requirements-export.txt")}
    assert "-r requirements-export.txt" in (PROJECT / "requirements-dev.txt").read_text()


def test_the_pages_part_loads_neither_torch_nor_what_exports_need():
    code = "import sys, fmnist.ui.export_panel; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert {"torch", "onnx", "mlflow", "tensorboard"} & set(loaded.stdout.split()) == set()


def test_a_missing_package_is_named_with_what_to_do():
    form = export.Format("x", "X", "Something.", "weights:write", needs=("json", "no_such_package"))
    assert is_one_sentence(form.missing) and "no_such_package" in form.missing and "json" not in form.missing
    assert "pip install -r requirements-export.txt" in form.missing
    with pytest.raises(ExportError, match="no_such_package"):
        form.load()


def test_a_run_with_all_seeds_of_its_recipe(trained):
    first, second, other = trained.own.runs()
    assert widen(trained, [second]) == [first, second]
    assert widen(trained, [other, first, second]) == [other, first, second]


# --- safetensors ---


def test_weights_load_as_the_card_says_and_answer_as_stored(chosen, small_data, tmp_path):
    import torch

    from fmnist.models import inference

    assert write("safetensors", chosen, tmp_path) == []
    text = (tmp_path / "README.md").read_text()
    architecture, *_, loading = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    code = architecture + loading.replace('load_file("', f'load_file("{tmp_path}/')
    names: dict[str, Any] = {}
    exec(code, names)  # As a reader would who pastes both blocks.
    with torch.inference_mode():
        logits = names["model"](inference.as_input(small_data.test_images)).numpy()
    assert np.array_equal(logits.argmax(1), chosen.library.predictions(chosen.runs[0]))
    for run in chosen.runs:
        assert (tmp_path / f"{file_name(run)}.safetensors").read_bytes() == chosen.library.weights(run)


def test_the_card_states_what_was_measured(chosen, small_data, tmp_path):
    yaml = pytest.importorskip("yaml")
    write("safetensors", chosen, tmp_path)
    _, front, text = (tmp_path / "README.md").read_text().split("---\n", 2)
    facts = yaml.safe_load(front)
    assert facts["pipeline_tag"] == "image-classification" and facts["license"] == "mit"
    accuracies = [run.result.test_accuracy for run in chosen.runs]
    of_model_0, of_model_2 = (index["results"][0]["metrics"] for index in facts["model-index"])
    assert [metric["value"] for metric in of_model_0] == [np.mean(accuracies[:2]), *accuracies[:2]]
    assert [metric["value"] for metric in of_model_2] == accuracies[2:]
    assert small_data.fingerprint in text and all(run.key in text for run in chosen.runs)
    matrix = metrics.confusion_matrix(small_data.test_labels, chosen.library.predictions(chosen.runs[2]))
    for name, recall in zip(CLOTHES.classes, matrix.diagonal() / matrix.sum(axis=1), strict=True):
        assert f"| {name} | {recall:.1%} |" in text
    for run in chosen.runs:
        assert not run.trouble or run.trouble in text
    together = np.mean([metrics.softmax(chosen.library.logits(run)) for run in chosen.runs[:2]], axis=0)
    right = np.mean(together.argmax(axis=1) == small_data.test_labels)
    assert f"by which `predict.py` answers: **{right:.2%}** right." in text


def test_a_card_without_data_says_what_it_lacks(without_data, tmp_path):
    assert is_one_sentence(write("safetensors", without_data, tmp_path)[0])
    assert "test images were not at hand" in (tmp_path / "README.md").read_text()


# --- The command line ---


@pytest.fixture
def fmnist(trained, capsys, monkeypatch, tmp_path):
    """Call the command line on the trained runs, from an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        command = [str(argument) for argument in ("export", *arguments, "--runs", trained.own.path)]
        return cli.main(command), *capsys.readouterr()

    return call


def test_the_command_line_writes_a_folder_and_replaces_only_when_told(fmnist, trained, tmp_path):
    code, out, err = fmnist(1, "--group", "--to", "safetensors")
    folder = tmp_path / "fmnist-safetensors-1"
    names = sorted(path.name for path in folder.iterdir())
    assert (code, err) == (0, "") and names == sorted(Path(line).name for line in out.splitlines())
    assert names == ["README.md", *(f"model-0-seed-{seed}-run-{seed + 1}.safetensors" for seed in (0, 1))]

    (folder / "README.md").write_text("mine")
    code, out, err = fmnist(1, "--to", "safetensors")
    assert (code, out) == (1, "") and "README.md exists already" in err and is_one_sentence(err.strip())
    assert (folder / "README.md").read_text() == "mine"

    assert fmnist(1, "--to", "safetensors", "--force")[0] == 0
    assert (folder / "README.md").read_text() != "mine"
    assert sorted(path.name for path in folder.iterdir()) == names  # What else is there is left alone.
    assert {path.name for path in tmp_path.iterdir()} == {folder.name}  # No traces.


def test_an_export_that_breaks_off_leaves_nothing(fmnist, tmp_path, monkeypatch):
    from fmnist.export import card

    def broken(_):
        raise ExportError("The card can't be written today.")

    monkeypatch.setattr(card, "write", broken)
    assert fmnist(1, "--to", "safetensors")[0] == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["99", "--to", "csv"], "99"),
        (["reference-1", "--to", "csv", "--out", "/proc/no/folder"], "/proc/no/folder"),
        (["1", "--to", "mlflow"], "--tracking-uri"),
    ],
)
def test_what_cannot_be_exported_is_said_in_a_sentence(fmnist, arguments, named, monkeypatch):
    monkeypatch.delenv(export.TRACKING_URI, raising=False)
    code, out, err = fmnist(*arguments)
    assert (code, out) == (1, "") and named in err and is_one_sentence(err.strip())
