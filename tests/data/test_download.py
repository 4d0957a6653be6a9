"""Downloads: they bring what is published, repair what is damaged, and leave nothing where they fail."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from data.test_files import FASHION, IMAGES, same
from helpers.answers import is_one_sentence
from helpers.data_files import publish

from fmnist.data import files
from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError


def test_a_download_without_network_says_so_and_leaves_nothing(tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DataError, match="could not be downloaded") as refused:
        list(files.download("fashion-mnist", tmp_path / "data"))
    assert is_one_sentence(refused.value) and "()" not in str(refused.value)  # It says why.
    assert list((tmp_path / "data").iterdir()) == []


def copying(source: Path) -> str:
    """A script in torchvision's place: it "downloads" from a folder."""
    return f"import shutil, sys; shutil.copytree({str(source)!r}, sys.argv[1], dirs_exist_ok=True)"


def test_a_download_brings_the_files(idx_root, tmp_path, monkeypatch, small_data):
    monkeypatch.setattr(files, "_TORCHVISION", copying(idx_root))
    arrived = list(files.download("fashion-mnist", tmp_path / "new"))
    assert arrived[-1] == FASHION.download_bytes and arrived == sorted(arrived)
    assert same(files.load("fashion-mnist", tmp_path / "new", tmp_path), small_data)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["FashionMNIST"]


def test_torchvision_fetches_what_we_read(tmp_path, monkeypatch, small_data, mirror):
    """Of QMNIST, which it keeps otherwise than the others; FashionMNIST: tests/pages/test_fresh_machine.py."""
    info = publish("qmnist", small_data, tmp_path / "mirror", monkeypatch)
    monkeypatch.setattr(files, "_TORCHVISION", mirror(info))
    assert list(files.download("qmnist", tmp_path / "new"))[-1] == info.download_bytes
    assert same(files.load("qmnist", tmp_path / "new", tmp_path), small_data)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [info.torchvision]


def test_a_download_repairs_damaged_files(idx_root, tmp_path, monkeypatch, small_data):
    monkeypatch.setattr(files, "_TORCHVISION", copying(idx_root))
    folder = files.raw_folder("fashion-mnist", tmp_path / "new")
    folder.mkdir(parents=True)
    (folder / f"{IMAGES}.gz").write_bytes(b"x")
    list(files.download("fashion-mnist", tmp_path / "new"))
    assert same(files.load("fashion-mnist", tmp_path / "new", tmp_path), small_data)


def test_a_download_of_wrong_files_is_refused(idx_root, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_TORCHVISION", copying(idx_root))
    images, *others = DATASETS["fashion-mnist"].files
    wrong = replace(FASHION, files=(replace(images, sha256="0" * 64), *others))
    monkeypatch.setitem(DATASETS, "fashion-mnist", wrong)
    with pytest.raises(DataError, match="SHA-256"):
        list(files.download("fashion-mnist", tmp_path / "new"))
    assert list((tmp_path / "new").iterdir()) == []


def test_a_download_that_is_closed_ends_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_TORCHVISION", "import time; time.sleep(1000)")
    arriving = files.download("fashion-mnist", tmp_path)
    assert next(arriving) == 0
    assert len(list(tmp_path.iterdir())) == 1
    arriving.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "script, said",
    [
        ("raise OSError(28, 'No space left on device')", "no space left"),
        ("raise SystemExit(1)", "no reason"),
        ("raise RuntimeError('Error downloading train-images-idx3-ubyte.gz')", "Error downloading train-images"),
    ],
)
def test_a_download_that_fails_says_why(tmp_path, monkeypatch, script, said):
    monkeypatch.setattr(files, "_TORCHVISION", script)
    with pytest.raises(DataError, match=said) as refused:
        list(files.download("fashion-mnist", tmp_path))
    assert is_one_sentence(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_the_next_download_removes_what_a_killed_one_has_left_an_hour_ago(idx_root, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_TORCHVISION", copying(idx_root))
    root = tmp_path / "new"
    for name in ("killed", "under-way"):
        path = files.raw_folder("fashion-mnist", root / f".download-{name}") / "train-images-idx3-ubyte.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    for path in (root / ".download-killed", *(root / ".download-killed").rglob("*")):
        os.utime(path, (0, time.time() - files.ABANDONED_SECONDS - 1))
    list(files.download("fashion-mnist", root))
    assert {path.name for path in root.iterdir()} == {".download-under-way", "FashionMNIST"}


def test_a_download_into_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError) as refused:
        list(files.download("fashion-mnist", tmp_path / "file" / "data"))
    assert is_one_sentence(refused.value) and str(tmp_path / "file") in str(refused.value)
