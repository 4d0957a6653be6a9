"""Exports, each opened by the program that it is for: it shall give the same predictions and numbers as the store."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import is_one_sentence, keep_as_sample, wait_for
from helpers.pictures import carpet, with_shirt
from helpers.ui import free_port
from PIL import Image

from fmnist import __main__ as cli
from fmnist import export, metrics, settings
from fmnist.data.catalog import CLOTHES
from fmnist.data.files import DataMissing
from fmnist.export import FORMATS, ExportError
from fmnist.export.chosen import Chosen, file_name, widen
from fmnist.export.plain import check_pictures
from fmnist.models import networks
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.label import Label
from fmnist.store.library import Library
from fmnist.store.store import Store
from fmnist.training.scheduler import Scheduler

PROJECT = settings.PROJECT
RECIPES = [Recipe(model, seed, "sample", 2, device="cpu") for model, seed in (("0", 0), ("0", 1), ("2", 0))]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, small_data) -> Library:
    """Model 0 with two seeds and Model 2, trained on the small sample data; no reference runs."""
    folder = tmp_path_factory.mktemp("trained")
    keep_as_sample(small_data, folder)
    store = Store(folder / "fmnist.db")
    store.enqueue([(recipe, recipe.key(small_data.fingerprint)) for recipe in RECIPES], Path("/"))
    Scheduler(store).work(idle_seconds=0)
    assert len(store.runs("done")) == len(RECIPES)
    return Library(store, None)


@pytest.fixture
def chosen(trained, small_data) -> Chosen:
    return Chosen(trained, tuple(trained.own.runs()), lambda _: small_data)


@pytest.fixture
def without_data(trained) -> Chosen:
    def load(_):
        raise DataMissing("not there")

    return Chosen(trained, tuple(trained.own.runs()), load)


@pytest.fixture
def reference(real_data, tmp_path) -> Chosen:
    """The reference run of Model 2 with seed 0, and the real test images."""
    library = Library(Store(tmp_path / "own.db"))
    runs = [run for run in library.stores["reference"].runs() if (run.recipe.model, run.recipe.seed) == ("2", 0)]
    return Chosen(library, tuple(runs), lambda _: real_data)


def write(form: str, chosen: Chosen, folder: Path) -> list[str]:
    for name in FORMATS[form].needs:
        pytest.importorskip(name)
    folder.mkdir(exist_ok=True)
    return FORMATS[form].load()(chosen, folder)


@contextmanager
def serving(command: list[str], url: str, folder: Path, **settings: str) -> Iterator[None]:
    """A server in a process of its own, that answers at the address; with some environment variables."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:

        def answers() -> bool:
            assert process.poll() is None, (folder / "server.log").read_text()
            with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status == 200
            return False

        wait_for(answers, timeout=240)  # MLflow's takes ten seconds of a processor, more where others work.
        yield
    finally:
        os.killpg(process.pid, 9)
        process.wait()


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


# --- ONNX ---


def test_onnxruntime_gives_the_stored_predictions_for_1000_test_images(reference, real_data, tmp_path):
    remarks = write("onnx", reference, tmp_path)
    assert all("for 1,000 of 1,000 test images" in remark for remark in remarks)
    import onnx
    import onnxruntime

    images = (real_data.test_images[:1000, None] / 255).astype(np.float32)
    for run in reference.runs:
        path = tmp_path / f"{file_name(run)}.onnx"
        assert str(PROJECT).encode() not in path.read_bytes() and b"site-packages" not in path.read_bytes()
        facts = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        assert facts["key"] == run.key and float(facts["test_accuracy"]) == run.result.test_accuracy
        assert tuple(facts["classes"].split("\n")) == CLOTHES.classes
        loaded = onnx.load(path)  # onnxruntime reads IR version 10 only from 1.18 on.
        assert (loaded.ir_version, [used.version for used in loaded.opset_import]) == (9, [20])
        session = onnxruntime.InferenceSession(str(path))
        for batch in (images, images[:1]):  # The batch size is free.
            [logits] = session.run(["logits"], {"images": batch})
            # Kept as float16, from another processor: equal but for that rounding.
            stored = reference.library.logits(run)[: len(batch)].astype(np.float32)
            assert np.allclose(logits, stored, rtol=0, atol=np.spacing(np.float16(np.abs(stored).max())))
            assert np.array_equal(metrics.predict(logits), reference.library.predictions(run)[: len(batch)])


def test_an_onnx_model_that_answers_otherwise_is_not_given_out():
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from fmnist.export.onnx_model import compare

    ours = np.random.default_rng(0).normal(size=(50, 10)).astype(np.float32)
    assert "50 of 50" in compare("Model", ours, ours * (1 + 1e-6), "images")
    for theirs in (ours[:, ::-1], ours + 0.01, np.full_like(ours, np.nan), ours[:, :9]):
        with pytest.raises(ExportError) as refused:
            compare("Model", ours, theirs, "images")
        assert is_one_sentence(refused.value)


@pytest.mark.parametrize("count", ["len(x)", "int(x.shape[0])", "x.shape[0]"])
def test_a_model_whose_forward_fixes_the_number_of_images_is_told_what_to_do(count, chosen, tmp_path, monkeypatch):
    import torch

    from fmnist.predict import prediction

    names: dict[str, Any] = {"Module": torch.nn.Linear}
    exec(
        f"class Own(Module):\n    def forward(self, x):\n        return super().forward(x.reshape({count}, 784))", names
    )
    monkeypatch.setattr(prediction, "load_model", lambda *_: names["Own"](784, 10).eval())
    only = Chosen(chosen.library, chosen.runs[:1], chosen.load)
    if count == "x.shape[0]":
        assert "the same class for 100 of 100" in write("onnx", only, tmp_path)[0]
        return
    with pytest.raises(ExportError, match=r"use x\.shape\[0\] as it is") as refused:
        write("onnx", only, tmp_path)
    assert is_one_sentence(refused.value) and "Model 0, seed 0" in str(refused.value)


# --- Plain script ---


def alone(folder: Path, *arguments: object) -> str:
    """What Python says in a folder, where this project can't be imported."""
    command = [sys.executable, "-E", "-s", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def write_idx(path: Path, images: np.ndarray) -> Path:
    path.write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, *images.shape) + images.tobytes())
    return path


def test_the_script_predicts_as_we_do_without_us(reference, real_data, tmp_path):
    from fmnist.models import inference
    from fmnist.predict import prediction

    write("script", reference, tmp_path)
    with pytest.raises(subprocess.CalledProcessError):
        alone(tmp_path, "-c", "import fmnist")
    assert not any("fmnist" in path.read_text() for path in tmp_path.rglob("*.py"))
    images = write_idx(tmp_path / "images-idx3-ubyte", real_data.test_images[:1000])
    (tmp_path / "out.csv").write_text(alone(tmp_path, "predict.py", images, "--csv"))
    answers = pd.read_csv(tmp_path / "out.csv")
    [run] = reference.runs
    model = prediction.load_model(reference.library, run)
    ours = inference.evaluate(model, inference.as_input(real_data.test_images[:1000]))
    assert list(answers["answer"]) == [CLOTHES.classes[label] for label in metrics.predict(ours)]
    assert np.array_equal(answers[list(CLOTHES.classes)], metrics.softmax(ours))
    stored = reference.library.logits(run)[:1000]  # From another processor, perhaps.
    assert np.allclose(answers[list(CLOTHES.classes)], metrics.softmax(stored), rtol=0, atol=5e-3)


def test_the_script_says_the_mean_over_seeds_and_reads_pictures(trained, small_data, tmp_path):
    from PIL import Image

    from fmnist.predict import prediction

    [group] = [group for group in trained.groups("sample") if len(group.runs) == 2]
    write("script", Chosen(trained, group.runs, lambda _: small_data), tmp_path)
    images = write_idx(tmp_path / "images", small_data.test_images)
    Image.fromarray(small_data.test_images[0]).save(tmp_path / "same.png")
    Image.fromarray(255 - small_data.test_images[0]).resize((280, 280), 0).save(tmp_path / "photo.png")
    (tmp_path / "out.csv").write_text(alone(tmp_path, "predict.py", images, "same.png", "photo.png", "--csv"))
    answers = pd.read_csv(tmp_path / "out.csv")[list(CLOTHES.classes)].to_numpy()
    ours = prediction.probabilities(trained, group, small_data.test_images).mean(axis=0)
    assert np.array_equal(answers[: len(ours)], ours)
    one = prediction.probabilities(trained, group, small_data.test_images[:1]).mean(axis=0)
    assert np.array_equal(answers[-2], one[0])  # In float32 a picture alone adds up in another order than among others.
    assert answers[-1].argmax() == ours[0].argmax()  # Scaled and negated: nearly the same image.


def test_the_script_gives_photos_the_answers_that_we_give(trained, small_data, tmp_path, capsys, monkeypatch):
    """16 bits, cut out, large, turned ...; a name that is a formula, and one that is no text."""
    write("script", Chosen(trained, tuple(trained.own.runs()[:2]), lambda _: small_data), tmp_path / "script")
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, content in enumerate(check_pictures.drawn().values()):
        (folder / f"{number}.png").write_bytes(content)
    (folder / os.fsdecode(b"\xff.png")).write_bytes(content)
    (folder / "blank.png").write_bytes(check_pictures.saved(Image.new("RGB", (100, 100), "white")))
    (folder / "empty.jpg").touch()
    (tmp_path / "script" / "=1+1.png").write_bytes(content)
    (tmp_path / "none").mkdir()
    paths = [folder, "=1+1.png", "README.md", tmp_path / "none", tmp_path / "missing.png"]
    with pytest.raises(subprocess.CalledProcessError) as ended:
        alone(tmp_path / "script", "predict.py", *paths, "--csv")
    assert ended.value.returncode == 1
    for line, name in zip(
        ended.value.stderr.splitlines(), ("blank", "empty", "README", "none", "missing"), strict=True
    ):
        assert name in line and is_one_sentence(line)
    theirs = pd.read_csv(io.StringIO(ended.value.stdout))
    assert theirs["file"].iloc[-1] == "'=1+1.png"
    arguments = ["predict", *map(str, paths), "--dataset", "sample", "--json", "--runs", str(trained.own.path)]
    monkeypatch.chdir(tmp_path / "script")
    capsys.readouterr()
    assert cli.main(arguments) == 1
    ours = [answer for answer in json.loads(capsys.readouterr().out) if answer["model"] == "0"]
    assert len(ours) == len(theirs) == len(check_pictures.drawn()) + 2
    assert [answer["label"] for answer in ours] == list(theirs["answer"])
    probabilities = theirs[list(CLOTHES.classes)].to_numpy()
    # float32 has seven digits, and a picture alone is added up in another order than among others.
    assert np.allclose(probabilities, [answer["probabilities"] for answer in ours], rtol=0, atol=1e-6)


def test_the_script_does_without_opencv_and_says_so(trained, small_data, tmp_path):
    write("script", Chosen(trained, tuple(trained.own.runs()[:1]), lambda _: small_data), tmp_path)
    with_shirt(carpet(), (20, 10)).save(tmp_path / "photo.png")
    code = "import sys; sys.modules['cv2'] = None; sys.argv[1:] = ['photo.png']; import predict; predict.main()"
    command = [sys.executable, "-E", "-s", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "photo.png" in done.stdout and "OpenCV is missing" in done.stderr


def test_the_script_has_a_check_of_how_it_reads_pictures(trained, small_data, tmp_path):
    write("script", Chosen(trained, tuple(trained.own.runs()[:1]), lambda _: small_data), tmp_path)
    assert alone(tmp_path, "check_pictures.py").startswith("9 of 9 pictures")
    code = tmp_path / "picture_code" / "picture_file.py"
    # Of another length: what Python has compiled is told from its source by size and second alone.
    code.write_text(code.read_text().replace("// 257", "// 1000"))
    with pytest.raises(subprocess.CalledProcessError) as ended:
        alone(tmp_path, "check_pictures.py")
    assert "16 bits" in ended.value.stderr and "8 of 9" in ended.value.stdout


def test_only_whole_names_of_modules_can_be_copied():
    from fmnist.export.source import copies

    script, modules = copies("from fmnist.predict.conversion import SIDE\n", "code")
    assert script == "from code.conversion import SIDE\n"
    copied = {"conversion", "picture_file", "avif_file", "isolation", "light", "cutout", "items", "framing"}
    assert modules.keys() == copied
    for text in ("import fmnist.metrics\n", "from fmnist import metrics\n", "from fmnist.predict import conversion\n"):
        with pytest.raises(ValueError, match="can't be copied"):
            copies(text, "code")


OWN_FILE = '''"""My models."""

import torch
from fmnist.models import register
from torch import nn

WIDTH = 4


@register(
    "mine", "Mine",
)
class Mine(nn.Module):
    """Uses what else is in the file."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, WIDTH), nn.Linear(WIDTH, 10))

    def forward(self, x):
        return self.layers(x)  # as written
'''


def test_the_code_of_a_users_file_stands_by_itself():
    import torch

    from fmnist.export.source import plain

    text = plain(OWN_FILE, "Mine")
    assert "fmnist" not in text and "register" not in text and "# as written" in text
    names: dict[str, Any] = {}
    exec(text, names)
    assert names["Mine"]()(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    with pytest.raises(ExportError, match="more of this project"):
        plain(OWN_FILE + "\nfrom fmnist import data\n", "Mine")


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_the_code_of_each_model_stands_by_itself(model):
    from fmnist.export.source import source

    code, name = source(ARCHITECTURES[model])
    names: dict[str, Any] = {}
    exec(code, names)
    assert str(names[name]()) == str(ARCHITECTURES[model].build())
    assert networks.__name__ not in code


# --- TensorBoard ---


def test_tensorboards_reader_finds_the_curves(chosen, tmp_path):
    write("tensorboard", chosen, tmp_path)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = chosen.library.history(chosen.runs)
    for run in chosen.runs:
        for split in ("train", "test"):
            reader = EventAccumulator(str(tmp_path / file_name(run) / split), size_guidance={"scalars": 0})
            reader.Reload()
            curve = history[(history["run"] == run.address) & (history["split"] == split)]
            assert set(reader.Tags()["scalars"]) == {"accuracy", "loss"}
            for tag in ("accuracy", "loss"):
                points = reader.Scalars(tag)
                assert [point.step for point in points] == list(curve["step"])
                assert [point.value for point in points] == [float(np.float32(value)) for value in curve[tag]]
                assert np.allclose([point.wall_time - run.started for point in points], curve["seconds"], atol=1e-5)


def test_a_tensorboard_server_shows_curves_and_hyperparameters(chosen, tmp_path):
    logs = tmp_path / "logs"
    write("tensorboard", chosen, logs)
    before = {path: path.read_bytes() for path in logs.rglob("*tfevents*")}
    write("tensorboard", chosen, logs)
    assert {path: path.read_bytes() for path in logs.rglob("*tfevents*")} == before  # Again is not twice.
    port = free_port()
    url = f"http://127.0.0.1:{port}/data"

    def ask(path: str, body: dict | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url + path, body and json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logs), "--port", str(port)]
    with serving([*command, "--load_fast=false"], f"{url}/runs", tmp_path):
        wait_for(lambda: len(ask("/runs")) == 1 + 3 * len(chosen.runs))
        run = chosen.runs[0]
        name = file_name(run)
        curve = ask(f"/plugin/scalars/scalars?run={name}%2Ftest&tag=accuracy")
        assert curve[-1][1] == run.steps and curve[-1][2] == pytest.approx(run.result.test_accuracy)
        asked = {"experimentName": "", "allowedStatuses": ["STATUS_SUCCESS"], "colParams": [], "startIndex": 0}
        groups = ask("/plugin/hparams/session_groups", asked | {"sliceSize": 10})["sessionGroups"]
        assert {group["name"] for group in groups} == {file_name(run) for run in chosen.runs}
        [group] = [group for group in groups if group["name"] == name]
        assert group["hparams"]["learning_rate"] == 0.1 and group["hparams"]["optimizer"] == "sgd"
        shown = {(value["name"].get("group", ""), value["name"]["tag"]): value for value in group["metricValues"]}
        assert shown["test", "accuracy"]["value"] == pytest.approx(run.result.test_accuracy)
        assert shown["", "train_seconds"]["value"] == pytest.approx(run.result.train_seconds)


# --- MLflow ---


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The address of a real one, and the folder where it keeps files."""
    for name in (*FORMATS["mlflow"].needs, "flask"):  # Its server is more than its client.
        pytest.importorskip(name)
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "kept")]
    without_jobs = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # Seven processes that nothing here needs.
    with serving(command, f"{url}/health", folder, **without_jobs):
        yield url, folder / "kept"


def test_an_mlflow_server_has_each_run_once_with_its_numbers(chosen, mlflow_server, tmp_path):
    log, (url, _) = FORMATS["mlflow"].load(), mlflow_server
    from mlflow import MlflowClient

    assert all(is_one_sentence(said) and "logged as run" in said for said in log(chosen, url, "ours"))
    assert all("logged before" in said and "now" not in said for said in log(chosen, url, "ours"))
    client = MlflowClient(tracking_uri=url)
    place = client.get_experiment_by_name("ours").experiment_id
    logged = {run.data.tags["fmnist.run"]: run for run in client.search_runs([place])}
    assert logged.keys() == {run.address for run in chosen.runs}
    for run in chosen.runs:
        entry = logged[run.address]
        assert entry.info.status == "FINISHED" and entry.info.run_name == run.name
        assert (entry.info.start_time, entry.info.end_time) == (
            round(1000 * run.started),
            round(1000 * run.finished),
        )
        assert entry.data.params["learning_rate"] == "0.1" and entry.data.params["seed"] == str(run.recipe.seed)
        assert entry.data.tags["fmnist.key"] == run.key
        assert entry.data.metrics["test_accuracy"] == run.result.test_accuracy
        assert entry.data.metrics["train_seconds"] == run.result.train_seconds
        for split in ("train", "test"):
            curve = chosen.library.history([run], split)
            points = client.get_metric_history(entry.info.run_id, f"{split}_loss")
            assert sorted((point.step, point.value) for point in points) == list(
                zip(curve["step"], curve["loss"], strict=True)
            )
        path = client.download_artifacts(entry.info.run_id, f"{file_name(run)}.safetensors", str(tmp_path))
        assert Path(path).read_bytes() == chosen.library.weights(run)
        [version] = client.search_model_versions(f"run_id = '{entry.info.run_id}'")
        assert version.name == f"sample-model-{run.recipe.model}"
        model = client.get_logged_model(version.source.removeprefix("models:/"))
        assert {metric.key: metric.value for metric in model.metrics}["test_accuracy"] == run.result.test_accuracy
    client.delete_experiment(place)
    with pytest.raises(
        ExportError, match=f"'ours' has been deleted there.*--experiment-id {place}.*--experiment"
    ) as gone:
        log(chosen, url, "ours")
    assert is_one_sentence(gone.value)


def test_what_mlflow_lacks_of_a_run_is_logged_later(chosen, without_data, mlflow_server, monkeypatch):
    log, (url, _) = FORMATS["mlflow"].load(), mlflow_server
    from mlflow import MlflowClient

    from fmnist.export import onnx_model

    def refuse(*_):
        raise ExportError("Model 0 can't be exported to ONNX: it is too clever.")

    only = replace(chosen, runs=chosen.runs[:1])
    with monkeypatch.context() as patch:
        patch.setattr(onnx_model, "_export", refuse)
        [said] = log(replace(without_data, runs=only.runs), url, "later")
    assert is_one_sentence(said) and re.search(
        "logged as run .* without its data set.* without its model: .*clever", said
    )
    client = MlflowClient(tracking_uri=url)
    place = client.get_experiment_by_name("later").experiment_id

    def found() -> tuple[Any, Any]:
        [run] = client.search_runs([place])
        [version] = client.search_model_versions(f"run_id = '{run.info.run_id}'")
        [model] = client.search_logged_models([place])
        assert version.source == f"models:/{model.model_id}" and len(run.inputs.dataset_inputs) == 1
        return version, run

    assert "logged before" in (said := log(only, url, "later")[0]) and "now with its model (sample-model-0" in said
    version, run = found()
    client.delete_model_version(version.name, version.version)  # As if it broke off before that.
    assert "now with its model" in log(only, url, "later")[0]
    version, _ = found()
    client.delete_model_version(version.name, version.version)
    client.delete_logged_model(version.source.removeprefix("models:/"))
    client.set_terminated(run.info.run_id, "FAILED")  # As if it broke off while the run was logged.
    assert "logged as run" in log(only, url, "later")[0]
    assert found()[1].info.run_id != run.info.run_id


def test_mlflow_lists_the_model_and_its_scoring_server_answers_as_predict(chosen, small_data, mlflow_server, tmp_path):
    log, (url, kept) = FORMATS["mlflow"].load(), mlflow_server
    from mlflow import MlflowClient

    from fmnist.predict import prediction

    [group] = [group for group in chosen.library.groups("sample") if group.recipe.model == "2"]
    log(replace(chosen, runs=group.runs), url, "served")
    client = MlflowClient(tracking_uri=url)
    [run] = client.search_runs([client.get_experiment_by_name("served").experiment_id])
    [version] = client.search_model_versions(f"run_id = '{run.info.run_id}'")
    listed = {model.name: model for model in client.search_registered_models()}["sample-model-2"]
    assert listed.description.startswith(ARCHITECTURES["2"].name) and version.version
    [used] = run.inputs.dataset_inputs
    profile = json.loads(used.dataset.profile)
    assert used.dataset.name == "Sample data" and "fmnist.data.sample" in used.dataset.source
    assert profile["sha256"] == small_data.fingerprint and profile["sha256"].startswith(used.dataset.digest)
    assert (profile["training_images"], profile["test_images"]) == (
        len(small_data.train_images),
        len(small_data.test_images),
    )
    files = [path for path in kept.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".safetensors", ".md", ".onnx", ".json", ".yaml", ".txt", ""}
    assert {path.name for path in files if not path.suffix} == {"MLmodel"}  # Nothing pickled.

    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), "mlflow.pyfunc.scoring_server.app:app"]
    with serving(
        command,
        f"http://127.0.0.1:{port}/health",
        tmp_path,
        __pyfunc_model_path__=f"models:/{version.name}/{version.version}",
        MLFLOW_TRACKING_URI=url,
    ):

        def ask(request: bytes) -> np.ndarray:
            asked = urllib.request.Request(
                f"http://127.0.0.1:{port}/invocations", request, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return np.array(json.load(answer)["predictions"]["probabilities"])

        images = small_data.test_images[:20]
        [ours] = prediction.probabilities(chosen.library, group, images)
        theirs = ask(json.dumps({"inputs": (images[:, None] / 255).tolist()}).encode())
        assert theirs.shape == ours.shape and np.allclose(theirs, ours, rtol=0, atol=1e-5)
        [example] = kept.rglob(f"{version.source.removeprefix('models:/')}/**/serving_input_example.json")
        assert np.allclose(ask(example.read_bytes()), ours[:1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("uri", ["http://me:secret@127.0.0.1:9", "nonsense://there"])
def test_a_tracking_uri_that_takes_nothing_is_said_in_a_sentence(uri, chosen, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ExportError) as refused:
        FORMATS["mlflow"].load()(chosen, uri, "ours")
    assert is_one_sentence(refused.value) and "secret" not in str(refused.value)


# --- CSV and Parquet ---


def _read_csv(path: Path) -> pd.DataFrame:
    times = ["created", "started", "finished"] if path.stem == "runs" else None
    return pd.read_csv(path, parse_dates=times)


@pytest.mark.parametrize("form, read", [("csv", _read_csv), ("parquet", pd.read_parquet)])
def test_pandas_reads_the_tables_with_equal_numbers(form: str, read: Callable, chosen, small_data, tmp_path):
    chosen.library.own.set_label(chosen.runs[0].id, Label("Best", "from the talk"))
    assert write(form, chosen, tmp_path) == []
    runs, curves, predictions, classes = (
        read(tmp_path / f"{name}.{form}") for name in ("runs", "curves", "predictions", "classes")
    )
    assert list(runs["test_accuracy"]) == [run.result.test_accuracy for run in chosen.runs]
    assert list(runs["seed"]) == [run.recipe.seed for run in chosen.runs]
    labels = runs[["name", "note"]].fillna("").to_numpy().tolist()
    assert labels == [["Best", "from the talk"], *[["", ""]] * (len(chosen.runs) - 1)]
    assert runs["learning_rate"].dtype == np.float64 and runs["seed"].dtype == np.int64 and runs["dead"].dtype == bool
    assert np.allclose(runs["finished"].astype("int64") / 1e9, [run.finished for run in chosen.runs], atol=1e-3)
    history = chosen.library.history(chosen.runs)
    for name in ("step", "epoch", "seconds", "loss", "accuracy"):
        assert list(curves[name]) == list(history[name]) and curves[name].dtype == history[name].dtype
    assert len(predictions) == len(chosen.runs) * len(small_data.test_labels)
    for run, (_, rows) in zip(chosen.runs, predictions.groupby("run", sort=False), strict=True):
        assert np.array_equal(rows["label"].astype(int), small_data.test_labels)
        assert np.array_equal(rows["predicted"], chosen.library.predictions(run))
        assert (rows["label"] == rows["predicted"]).mean() == pytest.approx(run.result.test_accuracy)
        probabilities = rows[[f"probability_{label}" for label in range(10)]].to_numpy()
        assert np.array_equal(probabilities, metrics.softmax(chosen.library.logits(run)))
    assert list(classes["name"]) == list(CLOTHES.classes)


def test_what_is_not_counted_is_said_in_the_table_and_on_the_card(chosen, tmp_path):
    runs = (replace(chosen.runs[0], multiply_adds=None), chosen.runs[1])
    write("csv", replace(chosen, runs=runs), tmp_path)
    lines = (tmp_path / "runs.csv").read_text("utf-8-sig").splitlines()
    read = list(csv.DictReader(lines))
    assert [row["multiply_adds"] for row in read] == ["", "7840"]
    assert [row["remarks"].endswith("multiply-adds not counted") for row in read] == [True, False]
    write("safetensors", replace(chosen, runs=runs[:1]), tmp_path)
    assert "7,850 parameters, its multiplications for an image are not counted" in (tmp_path / "README.md").read_text()


def test_tables_without_data_leave_the_labels_empty(without_data, tmp_path):
    assert is_one_sentence(write("parquet", without_data, tmp_path)[0])
    assert pd.read_parquet(tmp_path / "predictions.parquet")["label"].isna().all()


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
