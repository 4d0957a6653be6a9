"""predict and convert by the command line: pictures in, answers or 28 x 28 pixels out."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.answers import Answer, check_refused
from helpers.pictures import canvas, with_shirt
from PIL import Image

from fmnist import __main__ as cli
from fmnist import metrics, settings
from fmnist.data.catalog import CLOTHES
from fmnist.predict.conversion import to_png
from fmnist.store.library import Library


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
    stored = [metrics.softmax(trained.logits(run.id))[index] for run in trained.runs() if run.recipe.model == "0"]
    assert row["probabilities"] == pytest.approx(np.mean(stored, axis=0).tolist(), abs=0.02)


def test_predict_as_a_table(fmnist, trained, shirt, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")  # Else the name of the file may be shortened.
    answer = fmnist("predict", shirt, "--dataset", "sample")
    heading, line = answer.out.splitlines()
    assert answer.code == 0 and heading.split() == ["file", "Model", "0", "Model", "1"]
    assert line.startswith(str(shirt)) and line.count("%") == 2


def test_predict_as_csv_is_the_table_of_the_page_and_json_says_the_same(fmnist, trained, shirt, tmp_path, monkeypatch):
    formula, damaged, noise = (tmp_path / name for name in ("=1+1.png", "damaged.png", "noise.png"))
    formula.write_bytes(shirt.read_bytes())
    damaged.write_bytes(shirt.read_bytes()[:100])
    noise.write_bytes(to_png(np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)))
    monkeypatch.chdir(tmp_path)
    arguments = ("predict", "=1+1.png", damaged, noise, "--dataset", "sample", "--format")
    answer = fmnist(*arguments, "csv")
    assert answer.code == 1 and "damaged.png is damaged or incomplete" in answer.err
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    titles = [group.title for group in Library(trained, None).groups("sample")]
    assert [*rows[0]] == ["file", *(f"{title}{what}" for title in titles for what in ("", ", probability")), "remarks"]
    assert [row["file"] for row in rows] == ["'=1+1.png", str(damaged), str(noise)]
    assert rows[1][titles[0]] == rows[1][f"{titles[1]}, probability"] == ""
    assert rows[1]["remarks"].startswith(f"{damaged} is damaged or incomplete")
    assert rows[2]["remarks"].startswith("Unlike the training images, so don't trust the answers.")
    known = json.loads(fmnist(*arguments, "json").out)
    for row in (rows[0], rows[2]):
        for title in titles:
            same = known.pop(0)
            assert same["label"] == row[title]
            assert float(row[f"{title}, probability"]) == max(same["probabilities"])
            assert " ".join(same["remarks"]) == row["remarks"]


def test_beside_answers_stands_how_often_what_answers_is_right(fmnist, trained, shirt, small_data, tmp_path):
    right = {}
    for model, runs in (("0", (1, 2)), ("1", (3,))):
        shares = np.mean([metrics.softmax(trained.logits(id)) for id in runs], axis=0)
        right[model] = np.mean(shares.argmax(axis=1) == small_data.test_labels)
    assert right["0"] not in {trained.run(id).result.test_accuracy for id in (1, 2)}  # Neither run's.
    arguments = ("predict", shirt, "--dataset", "sample", "--format")
    for row in json.loads(fmnist(*arguments, "json").out):
        assert (row["seeds"], row["test_accuracy"]) == (
            {"0": 2, "1": 1}[row["model"]],
            pytest.approx(right[row["model"]]),
        )
    said = fmnist(*arguments, "table").err
    assert f"mean of 2 runs: {right['0']:.1%} of the test images right" in said
    assert f"seed 0: {right['1']:.1%} of the test images right" in said


def test_one_bad_picture_is_named_and_the_others_are_answered(fmnist, trained, shirt, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    Image.new("RGB", (100, 100), "white").save(tmp_path / "blank.png")
    (tmp_path / "notes.png").write_text("Dear diary")
    bad = [tmp_path / "blank.png", tmp_path / "notes.png", tmp_path / "missing.png"]
    good = tmp_path / "last.png"
    good.write_bytes(shirt.read_bytes())
    alone = {path: json.loads(fmnist("predict", path, "--dataset", "sample", "--json").out) for path in (shirt, good)}
    answer = fmnist("predict", shirt, *bad, good, "--dataset", "sample", "--json")
    assert answer.code == 1
    for row, expected in zip(json.loads(answer.out), alone[shirt] + alone[good], strict=True):
        # In a batch of another size the last bits differ.
        assert row["probabilities"] == pytest.approx(expected["probabilities"], rel=1e-5)
        assert row | {"probabilities": expected["probabilities"]} == expected
    for line, path in zip(answer.err.splitlines(), bad, strict=True):
        assert line.startswith("fmnist: ") and str(path) in line
    for form in ("csv", "table"):
        answer = fmnist("predict", shirt, *bad, good, "--dataset", "sample", "--format", form)
        assert answer.code == 1 and str(shirt) in answer.out and str(good) in answer.out


def test_no_good_picture_at_all(fmnist, trained, tmp_path):
    answer = fmnist("predict", tmp_path / "a.png", tmp_path / "b.png", "--dataset", "sample")
    assert (answer.code, answer.out, answer.err.count("does not exist")) == (1, "", 2)


def test_folders_are_read(fmnist, trained, shirt, tmp_path):
    folder = tmp_path / "photos"
    names = ["a.PNG", "b.jfif", "inner/c.png"]
    (folder / "inner").mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(shirt.read_bytes())
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_text("no picture")
    answer = fmnist("predict", folder, shirt, "--dataset", "sample", "--json")
    assert (answer.code, answer.err) == (0, "")
    files = [row["file"] for row in json.loads(answer.out)]
    assert files[::2] == files[1::2] == [*(str(folder / name) for name in names), str(shirt)]
    (folder / "d.png").write_bytes(b"")
    (tmp_path / "none").mkdir()
    answer = fmnist("predict", tmp_path / "none", folder, "--dataset", "sample", "--json")
    assert answer.code == 1 and len(json.loads(answer.out)) == 2 * len(names)
    assert [str(tmp_path / "none") in line for line in answer.err.splitlines()] == [True, False]
    assert str(folder / "d.png") in answer.err


@pytest.fixture
def odd_names(shirt, tmp_path) -> list[bytes]:
    """Paths that are no text in any encoding, or more than a line: two pictures, and none in between."""
    folder = os.fsencode(tmp_path)
    names = [folder + name for name in (b"/shirt-\xff-\xc3\xa9.png", b"/none-\xff.png", b"/two\nlines.png")]
    for name in (names[0], names[2]):
        Path(os.fsdecode(name)).write_bytes(shirt.read_bytes())
    return names


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_name_that_is_no_text_is_printed_escaped(trained, odd_names, tmp_path, monkeypatch, encoding, form):
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding, errors="strict") for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    monkeypatch.setenv("COLUMNS", "500")
    names = [os.fsdecode(name) for name in odd_names]
    code = cli.main(["predict", *names, "--dataset", "sample", "--format", form, "--data", str(tmp_path)])
    out, err = (stream.buffer.getvalue() for stream in streams.values() if stream.flush() is None)
    assert code == 1
    assert b"none-\\udcff.png does not exist" in err and b"Traceback" not in err
    assert b"shirt-\\udcff-" in out
    if form == "json":
        assert json.loads(out)[0]["file"] == names[0]
    elif form == "table":
        assert len(out.splitlines()) == 3 and b"two\\nlines" in out


def test_a_name_that_is_no_text_ends_no_process(trained, odd_names, tmp_path):
    """The same in a process of its own, whose streams are strict before anything of ours has run."""
    command = [sys.executable, *settings.module("fmnist"), "predict", *odd_names, "--dataset", "sample"]
    command += ["--runs", trained.path, "--data", tmp_path]
    ended = subprocess.run(
        command, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii:strict", "COLUMNS": "500"}
    )
    assert ended.returncode == 1
    assert b"none-\\udcff.png does not exist" in ended.stderr and b"Traceback" not in ended.stderr
    assert b"shirt-\\udcff-" in ended.stdout


def test_predict_without_a_model(fmnist, shirt, monkeypatch):
    monkeypatch.setattr("fmnist.commands.options.Library", lambda own: Library(own, reference=None))
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


def test_convert_takes_the_item_that_is_asked_for_and_leaves_steps_out(fmnist, tmp_path):
    photo, out = tmp_path / "photo.png", tmp_path / "out.png"
    with_shirt(canvas((500, 240), box=(300, 40, 380, 200)), (10, 20)).save(photo)

    def became(*arguments: object) -> bytes:
        assert fmnist("convert", photo, out, "--force", *arguments).code == 0
        return out.read_bytes()

    images = [became(), became("--item", 2), became("--item", 0), became("--without", "trim", "--without", "stretch")]
    assert len({*images}) == 4
    assert became("--item", 1, "--without", "cut-out") == images[0]
    assert fmnist("convert", photo, out, "--force", "--without", "resize").code == 2


def test_an_item_that_is_not_there_is_refused(fmnist, trained, shirt, tmp_path):
    photo, out = tmp_path / "photo.png", tmp_path / "out.png"
    with_shirt(canvas((500, 240), box=(300, 40, 380, 200)), (10, 20)).save(photo)
    check_refused(fmnist("convert", photo, out, "--item", 3), f"{photo} has 2 items: --item 3 is not there.")
    assert not out.exists()
    answer = fmnist("predict", photo, shirt, "--dataset", "sample", "--item", 2, "--json")
    assert answer.code == 1 and f"{shirt} has 1 item: --item 2 is not there." in answer.err
    assert {row["file"] for row in json.loads(answer.out)} == {str(photo)}


@pytest.mark.parametrize("name", ["photo.jpg", "notes.txt", "small", "small.png.bak"])
def test_convert_writes_png_files_only(fmnist, shirt, tmp_path, name):
    answer = fmnist("convert", shirt, tmp_path / name, "--force")
    assert (answer.code, answer.out) == (2, "") and f"{tmp_path / name} would not be a PNG file" in answer.err
    assert not (tmp_path / name).exists()


def test_convert_replaces_only_when_told(fmnist, shirt, tmp_path):
    there = tmp_path / "there.png"
    there.write_bytes(b"good")
    check_refused(fmnist("convert", shirt, there), there, "--force")
    assert there.read_bytes() == b"good"
    assert fmnist("convert", shirt, there, "--force").code == 0
    assert there.read_bytes() == shirt.read_bytes()
    os.umask(mask := os.umask(0))
    assert there.stat().st_mode & 0o777 == 0o666 & ~mask
    (tmp_path / "folder.png").mkdir()
    check_refused(fmnist("convert", shirt, tmp_path / "folder.png", "--force"), "folder.png")
    assert not list(tmp_path.glob(".*"))  # No traces.


def test_what_is_there_stays_where_no_file_can_be_completed(trained, shirt, tmp_path):
    """As on a full disk: a limit on the size of files, which the operating system answers with an error."""
    there = tmp_path / "there.png"
    there.write_bytes(b"good")
    code = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); from fmnist.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "convert", shirt, there, "--force", "--runs", trained.path]
    ended = subprocess.run(command, capture_output=True, text=True)
    check_refused(Answer(ended.returncode, ended.stdout, ended.stderr), there, "can't be written")
    assert there.read_bytes() == b"good" and not list(tmp_path.glob(".*"))


def test_convert_to_where_nothing_can_be_written(fmnist, shirt, tmp_path):
    check_refused(fmnist("convert", shirt, tmp_path / "none" / "out.png"), tmp_path / "none" / "out.png")
