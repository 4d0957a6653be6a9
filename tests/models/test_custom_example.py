"""The example of the docs does all that the project's models do."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from export.conftest import alone, write_idx
from helpers import ui
from helpers.data_files import keep_as_sample
from helpers.processes import kill_trainers
from helpers.ui import PAGES, PROJECT, again, visit

from fmnist import __main__ as cli
from fmnist.data.catalog import CLOTHES
from fmnist.data.files import Dataset
from fmnist.export import FORMATS
from fmnist.models import custom
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict import prediction
from fmnist.predict.conversion import to_png
from fmnist.store.library import Library
from fmnist.store.store import Store
from models.conftest import EXAMPLE, NAMES


@pytest.fixture(scope="module")
def trained_example(tmp_path_factory: pytest.TempPathFactory, small_data: Dataset) -> Iterator[Path]:
    """The folder of a store in which the command line has trained the models of the docs, and Model 0."""
    folder = tmp_path_factory.mktemp("runs")
    keep_as_sample(small_data, folder)
    command = [sys.executable, "-m", "fmnist", "train", "--models", "norm-cnn,mlp,0", "--seeds", "0-1", "--epochs", "2"]
    command += ["--dataset", "sample", "--lr", "0.05", "--runs", str(folder)]
    variables = os.environ | {"FMNIST_MODELS": "docs/my_models.py"}
    process = subprocess.run(command, cwd=PROJECT, env=variables, capture_output=True, text=True, timeout=250)
    kill_trainers(folder)
    assert process.returncode == 0, process.stderr
    yield folder


@pytest.fixture
def their_place(trained_example: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The store of the example, and its models, are those of this test; a copy."""
    folder = tmp_path / "example"
    shutil.copytree(trained_example, folder)
    monkeypatch.setenv("FMNIST_RUNS", str(folder))
    monkeypatch.setenv("FMNIST_MODELS", str(EXAMPLE))
    custom.refresh(folder)
    yield folder
    kill_trainers(folder)
    monkeypatch.setenv("FMNIST_MODELS", "")
    custom.refresh(folder)


def test_the_example_is_trained_compared_and_verified_by_the_command_line(their_place, capsys):
    runs = Store(their_place / "fmnist.db").runs("done")
    assert {run.name for run in runs} >= {"Norm CNN, seed 0", "Norm CNN, seed 1", "MLP, seed 0", "MLP, seed 1"}
    assert cli.main(["compare", "--format", "json"]) == 0
    rows = {row["model"].partition("@")[0]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["norm-cnn"]["seeds"] == rows["mlp"]["seeds"] == [0, 1]
    assert (rows["norm-cnn"]["parameters"], rows["mlp"]["parameters"]) == (20_538, 101_770)
    assert cli.main(["verify", *(str(run.id) for run in runs)]) == 0
    assert capsys.readouterr().out.count("agrees") == len(runs) == 6


def test_the_example_answers_on_the_command_line(their_place, capsys, small_data, tmp_path):
    (tmp_path / "one.png").write_bytes(to_png(small_data.test_images[0]))
    assert cli.main(["predict", str(tmp_path / "one.png"), "--dataset", "sample", "--format", "json"]) == 0
    answers = {answer["model"].partition("@")[0]: answer for answer in json.loads(capsys.readouterr().out)}
    library = Library(Store(their_place / "fmnist.db"))
    [group] = [group for group in library.groups("sample") if group.title.startswith("Norm CNN")]
    expected = prediction.probabilities(library, group, small_data.test_images[:1]).mean(axis=0)[0]
    assert answers.keys() == {"0", "norm-cnn", "mlp"}
    assert answers["norm-cnn"]["probabilities"] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_the_example(their_place, started, page):
    at = visit(page, data="Sample data", **({"how": "Test image"} if "Predict" in page else {}))
    everything = " ".join([str(at), *(chart.spec for chart in ui.charts(at).values())])
    for name in NAMES.values() if "Data" not in page else ():
        assert name in everything, page
    for key, chart in ui.charts(at).items():
        for name, colors in ui.model_colors(key, chart).items():
            [model] = [known for known in ARCHITECTURES.values() if known.name == name]
            assert colors <= {model.color.upper()}, (page, key)


@pytest.mark.parametrize("form", [id for id, form in FORMATS.items() if not form.tracking])
def test_the_example_is_exported_in_every_format(their_place, tmp_path, form):
    if FORMATS[form].missing:
        pytest.skip(FORMATS[form].missing)
    runs = Library(Store(their_place / "fmnist.db")).own.runs()
    wanted = [run for run in runs if ARCHITECTURES[run.recipe.model].custom and run.recipe.seed == 0]
    assert len(wanted) == len(NAMES)
    for run in wanted:
        place = tmp_path / run.recipe.model
        assert cli.main(["export", str(run.id), "--to", form, "--out", str(place)]) == 0
        assert any(place.rglob("*"))


def test_the_exported_example_answers_without_us_as_it_does_with_us(their_place, small_data, tmp_path):
    library = Library(Store(their_place / "fmnist.db"))
    images = write_idx(tmp_path / "images", small_data.test_images)
    groups = [group for group in library.groups("sample", "own") if ARCHITECTURES[group.recipe.model].custom]
    assert len(groups) == len(NAMES)
    for group in groups:
        place = tmp_path / group.id
        assert cli.main(["export", group.id, "--group", "--to", "script", "--out", str(place)]) == 0
        answers = pd.read_csv(io.StringIO(alone(place, "predict.py", images, "--csv")))
        expected = prediction.probabilities(library, group, small_data.test_images).mean(axis=0)
        assert np.array_equal(answers[list(CLOTHES.classes)], expected)


def test_the_example_is_explained(their_place):
    at = visit("pages/4_Predict.py", data="Sample data", how="Test image")
    at.session_state["why"] = True
    again(at)
    shown = " ".join(element.proto.body for element in at.get("html"))
    for name in NAMES.values():
        assert f"{name}" in shown


def test_train_offers_the_example_and_leaves_the_three_as_they_are(their_place, started):
    at, three = visit("pages/1_Train.py"), [ARCHITECTURES[id] for id in ARCHITECTURES.project]
    [pills] = [group for group in at.get("button_group") if group.label == "Models"]
    assert pills.options == [*(model.full_name for model in three), "Norm CNN", "MLP"]
    assert pills.value == ["0", "1", "2"]


def test_no_page_and_no_command_imports_torch_to_list_custom_models(their_place):
    code = (
        "import sys; from pathlib import Path; from fmnist.models import custom; "
        "from fmnist.models.registry import ARCHITECTURES; "
        f"custom.refresh(Path({str(their_place)!r})); "
        "print(len(ARCHITECTURES), 'torch' in sys.modules, 'streamlit' in sys.modules)"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert process.stdout.split() == ["5", "False", "False"], process.stderr
