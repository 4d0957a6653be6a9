"""The plain script: it answers as we do, where this project is not installed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.answers import is_one_sentence
from helpers.pictures import carpet, with_shirt
from PIL import Image

from export.conftest import alone, write, write_idx
from fmnist import __main__ as cli
from fmnist import metrics
from fmnist.data.catalog import CLOTHES
from fmnist.export import ExportError
from fmnist.export.chosen import Chosen
from fmnist.export.plain import check_pictures
from fmnist.models import networks
from fmnist.models.registry import ARCHITECTURES


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


def test_a_reader_of_the_script_that_goes_away_is_no_error(trained, small_data, tmp_path):
    write("script", Chosen(trained, tuple(trained.own.runs()[:1]), lambda _: small_data), tmp_path)
    images = write_idx(tmp_path / "images", small_data.test_images)
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-E", "-s", "predict.py", images]
    ended = subprocess.run(command, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_script_takes_no_limit_below_one(trained, small_data, tmp_path):
    write("script", Chosen(trained, tuple(trained.own.runs()[:1]), lambda _: small_data), tmp_path)
    images = write_idx(tmp_path / "images", small_data.test_images)
    assert len(alone(tmp_path, "predict.py", images, "--limit", "3").splitlines()) == 3
    for limit in ("0", "9" * 5000):
        with pytest.raises(subprocess.CalledProcessError) as ended:
            alone(tmp_path, "predict.py", images, f"--limit={limit}")
        assert ended.value.returncode == 2 and "is not a whole number from 1 on" in ended.value.stderr


def test_the_script_names_weights_that_are_damaged_or_not_its_own(trained, small_data, tmp_path):
    write("script", Chosen(trained, tuple(trained.own.runs()[:1]), lambda _: small_data), tmp_path)
    [weights] = tmp_path.glob("*.safetensors")
    other = next(run for run in trained.own.runs() if run.recipe.model != "0")
    whole = weights.read_bytes()
    for content in (whole[: len(whole) // 2], trained.weights(other)):
        weights.write_bytes(content)
        with pytest.raises(subprocess.CalledProcessError) as ended:
            alone(tmp_path, "predict.py", "any.png")
        assert ended.value.returncode == 1 and is_one_sentence(ended.value.stderr.strip())
        assert ended.value.stderr.startswith(f"{weights} is not there, is damaged, or")


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
    copied = {"conversion", "picture_file", "picture_parts", "avif_file", "isolation", "light", "cutout", "items"}
    assert modules.keys() == copied | {"framing"}
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
