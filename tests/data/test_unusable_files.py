"""Data files that can't be used: each is told in a sentence."""

from __future__ import annotations

import gzip

import pytest
from data.test_files import IMAGES, LABELS, listing, refusal
from helpers.answers import is_one_sentence
from helpers.data_files import publish, unpack_all

from fmnist.data import files
from fmnist.data.files import DataError, DataMissing


@pytest.mark.parametrize("kept", [0, 5, 15, -9, -1], ids=lambda kept: f"to {kept}")
@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_a_packed_file_that_is_cut_off(idx_root, name, kept):
    path = files.raw_folder("fashion-mnist", idx_root) / f"{name}.gz"
    path.write_bytes(path.read_bytes()[:kept])
    assert str(path) in refusal(idx_root)


def test_a_packed_file_with_damage_inside(idx_root):
    path = files.raw_folder("fashion-mnist", idx_root) / f"{IMAGES}.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert str(path) in refusal(idx_root)


@pytest.mark.parametrize("kept", [0, 3, 4, 15, 16, -1], ids=lambda kept: f"to {kept}")
def test_an_unpacked_file_that_is_cut_off(idx_root, kept):
    unpack_all(idx_root)
    path = files.raw_folder("fashion-mnist", idx_root) / IMAGES
    path.write_bytes(path.read_bytes()[:kept])
    assert str(path) in refusal(idx_root)


def test_a_file_with_other_contents(idx_root):
    unpack_all(idx_root)
    path = files.raw_folder("fashion-mnist", idx_root) / LABELS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    message = refusal(idx_root)
    assert str(path) in message and "SHA-256" in message
    assert f"--data {idx_root}" in message  # the command that helps is for this folder


def test_a_header_that_promises_another_size(idx_root):
    unpack_all(idx_root)
    path = files.raw_folder("fashion-mnist", idx_root) / LABELS
    content = bytearray(path.read_bytes())
    content[4:8] = (2**32 - 1).to_bytes(4, "big")
    path.write_bytes(content)
    message = refusal(idx_root)
    assert str(path) in message
    assert "108 bytes" in message and "promises 4,294,967,303" in message


def test_a_packed_file_with_other_contents(tmp_path, small_data, monkeypatch):
    publish("mnist", small_data, tmp_path, monkeypatch)
    path = files.raw_folder("mnist", tmp_path) / f"{LABELS}.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] ^= 1
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match="not the published MNIST file: its MD5 checksum") as refused:
        files.load("mnist", tmp_path, tmp_path)
    assert is_one_sentence(refused.value)
    assert str(path) in str(refused.value) and f"--dataset mnist --data {tmp_path}" in str(refused.value)


@pytest.mark.parametrize("name", ["mnist", "kmnist", "qmnist"])
def test_unpacked_files_of_which_no_sums_are_published(tmp_path, small_data, monkeypatch, name):
    info = publish(name, small_data, tmp_path, monkeypatch)
    unpack_all(tmp_path)
    with pytest.raises(DataMissing, match="only unpacked") as refused:
        files.load(name, tmp_path, tmp_path)
    assert is_one_sentence(refused.value)
    assert all(f"{file.name}.gz" in str(refused.value) for file in info.files)
    assert f"data download --dataset {name} --data {tmp_path}" in str(refused.value)


@pytest.mark.parametrize("content", [b"<html>not found</html>", b"\0\0\x0d\x01" + bytes(8), b"\0\0\x08\0"])
def test_a_file_of_another_format(idx_root, content):
    path = files.raw_folder("fashion-mnist", idx_root) / f"{LABELS}.gz"
    path.write_bytes(gzip.compress(content))
    message = refusal(idx_root)
    assert str(path) in message and "IDX" in message


def test_a_page_of_html_instead_of_a_packed_file(idx_root):
    path = files.raw_folder("fashion-mnist", idx_root) / f"{LABELS}.gz"
    path.write_bytes(b"<html>not found</html>")
    assert str(path) in refusal(idx_root)


def test_a_file_that_cannot_be_read(idx_root):
    path = files.raw_folder("fashion-mnist", idx_root) / f"{LABELS}.gz"
    path.unlink()
    path.mkdir()
    message = refusal(idx_root)
    assert str(path) in message and "can't be read" in message


def test_missing_files_are_named(idx_root):
    (files.raw_folder("fashion-mnist", idx_root) / f"{LABELS}.gz").unlink()
    message = refusal(idx_root, DataMissing)
    assert LABELS in message and IMAGES not in message


@pytest.mark.parametrize("root", ["empty", "not there"])
def test_a_root_without_data(tmp_path, root):
    path = tmp_path / root
    if root == "empty":
        path.mkdir()
    before = listing(tmp_path)
    with pytest.raises(DataMissing) as refused:
        files.load("fashion-mnist", path, tmp_path / "cache")
    assert is_one_sentence(refused.value) and str(path) in str(refused.value)
    assert listing(tmp_path) == before


def test_a_file_is_no_root_and_nothing_can_be_downloaded_into_it(tmp_path):
    path = tmp_path / "shirt.jpg"
    path.write_text("x")
    for ask in (lambda: files.load("fashion-mnist", path, tmp_path), lambda: [*files.download("fashion-mnist", path)]):
        with pytest.raises(DataError, match="is a file: name the folder") as refused:
            ask()
        assert not isinstance(refused.value, DataMissing) and is_one_sentence(refused.value)


def test_a_root_that_no_file_system_has(tmp_path):
    with pytest.raises(DataError) as refused:
        files.load("fashion-mnist", tmp_path / ("x" * 300), tmp_path)
    assert is_one_sentence(refused.value)
