"""Data: read as published or refused with a sentence that names the file; a user's folder is only read."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.answers import is_one_sentence
from helpers.data_files import publish, unpack_all

from fmnist import settings
from fmnist.data import files, sample
from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError, DataMissing, Dataset

IMAGES, LABELS = "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
FASHION = DATASETS["fashion-mnist"]
REAL = files.raw_folder("fashion-mnist", files.data_root())
PUBLISHED = [info for info in DATASETS.values() if info.files]


def listing(root: Path) -> dict[str, tuple]:
    """Everything in a folder, with what a write would change."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in [root, *root.rglob("*")]
    }


def same(one: Dataset, other: Dataset) -> bool:
    names = ("train_images", "train_labels", "test_images", "test_labels")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def refusal(root: Path, kind: type[DataError] = DataError) -> str:
    """What is said about a folder that can't be used."""
    before = listing(root)
    with pytest.raises(DataError) as refused:
        files.load("fashion-mnist", root, root / "cache")
    assert type(refused.value) is kind
    assert is_one_sentence(refused.value)
    assert listing(root) == before
    return str(refused.value)


# Reading


def test_files_hold_what_was_written(idx_root, small_data):
    loaded = files.load("fashion-mnist", idx_root, idx_root)
    assert same(loaded, small_data)
    assert loaded.train_images.dtype == np.uint8 and loaded.train_labels.dtype == np.int64
    assert loaded.info.title == "FashionMNIST"


@pytest.mark.parametrize("info", PUBLISHED, ids=lambda info: info.id)
def test_every_data_set_is_read_from_its_own_files(tmp_path, small_data, monkeypatch, info):
    publish(info.id, small_data, tmp_path, monkeypatch)
    before = listing(tmp_path)
    loaded = files.load(info.id, tmp_path, tmp_path)
    assert same(loaded, small_data)
    assert (loaded.name, loaded.info.classes) == (info.id, info.classes)
    assert loaded.train_labels.dtype == np.int64 and loaded.train_images.dtype == np.uint8
    assert listing(tmp_path) == before
    for other in PUBLISHED:
        if other != info:
            with pytest.raises(DataMissing, match=f"^{other.title} is not in"):
                files.load(other.id, tmp_path, tmp_path)


def test_packed_and_unpacked_are_the_same_data(idx_root):
    packed = files.load("fashion-mnist", idx_root, idx_root)
    unpack_all(idx_root)
    unpacked = files.load("fashion-mnist", idx_root, idx_root)
    assert same(packed, unpacked)
    assert packed.fingerprint == unpacked.fingerprint


def test_a_users_folder_is_only_read(idx_root, tmp_path):
    before = listing(idx_root)
    files.load("fashion-mnist", idx_root, tmp_path / "cache")
    assert listing(idx_root) == before


def test_the_fingerprint_changes_with_any_array(small_data):
    arrays = [small_data.train_images, small_data.train_labels, small_data.test_images, small_data.test_labels]
    arrays = [array.astype(np.uint8) for array in arrays]
    fingerprints = {files._dataset("sample", *arrays).fingerprint}
    for index in range(4):
        changed = [array.copy() for array in arrays]
        changed[index].flat[0] ^= 1
        fingerprints.add(files._dataset("sample", *changed).fingerprint)
    assert len(fingerprints) == 5


def test_the_root_is_the_argument_then_the_variable_then_the_project(tmp_path, monkeypatch):
    monkeypatch.setenv("FMNIST_DATA", str(tmp_path))
    assert files.data_root("/elsewhere") == Path("/elsewhere")
    assert files.data_root() == tmp_path
    monkeypatch.delenv("FMNIST_DATA")
    assert files.data_root() == settings.PROJECT / "data"


# A folder that is named otherwise


def loose(root: Path, folder: Path) -> Path:
    """The files of FashionMNIST in a folder just so."""
    folder.mkdir(parents=True)
    for path in files.raw_folder("fashion-mnist", root).iterdir():
        path.rename(folder / path.name)
    return folder


@pytest.mark.parametrize(
    "named",
    [
        lambda root: root / "FashionMNIST",
        lambda root: root / "FashionMNIST" / "raw",
        lambda root: root / "MNIST" / "raw",
        lambda root: root.parent,
        lambda root: loose(root, root.parent / "flat"),
        lambda root: loose(root, root.parent / "other" / "FashionMNIST").parent,
        lambda root: loose(root, root.parent / "other" / "raw").parent,
        lambda root: f'  "{root}" ',
        lambda root: f"'{root}/FashionMNIST/'\n",
    ],
)
def test_data_are_found_one_level_off_loose_and_in_quotes(named, idx_root, tmp_path, small_data, monkeypatch):
    name = named(idx_root)
    before = listing(tmp_path)
    assert same(files.load("fashion-mnist", files.data_root(name), tmp_path / "cache"), small_data)
    monkeypatch.setenv("FMNIST_DATA", str(name))
    assert same(files.load("fashion-mnist", files.data_root(), tmp_path / "cache"), small_data)
    assert listing(tmp_path) == before


def test_files_of_another_data_set_that_have_the_same_names_are_not_taken_for_it(idx_root, tmp_path):
    folder = loose(idx_root, tmp_path / "flat")
    for root in (folder, idx_root / "FashionMNIST", tmp_path):
        with pytest.raises(
            DataMissing, match=f"^MNIST is not in {root} yet: .* are expected in {root / 'MNIST' / 'raw'}"
        ):
            files.load("mnist", root, tmp_path / "cache")


def test_a_download_that_is_under_way_is_not_taken_for_the_data(idx_root, tmp_path):
    idx_root.rename(tmp_path / ".download-abc")
    with pytest.raises(DataMissing):
        files.load("fashion-mnist", tmp_path, tmp_path / "cache")


# The test images alone


def of_test_images(loaded: files.TestSet) -> tuple[bytes, bytes]:
    return loaded.test_images.tobytes(), loaded.test_labels.tobytes()


def test_test_images_are_those_of_the_data_root_or_else_come_with_the_project(idx_root, shipped, small_data, tmp_path):
    expected, nowhere = of_test_images(small_data), tmp_path / "nowhere"
    from_root = files.load_test_set("fashion-mnist", idx_root, tmp_path)
    brought = files.load_test_set("fashion-mnist", nowhere, tmp_path)
    assert of_test_images(from_root) == of_test_images(brought) == expected
    assert from_root == brought and from_root.test_labels.dtype == np.int64
    with pytest.raises(DataMissing):
        files.load("fashion-mnist", nowhere, tmp_path)


def test_damaged_test_images_of_the_data_root_are_not_used(idx_root, shipped, small_data, tmp_path):
    (files.raw_folder("fashion-mnist", idx_root) / f"{LABELS}.gz").write_bytes(b"x")
    assert of_test_images(files.load_test_set("fashion-mnist", idx_root, tmp_path)) == of_test_images(small_data)
    with pytest.raises(DataError, match=r"data.FashionMNIST.raw.t10k.*is damaged"):
        files.load("fashion-mnist", idx_root, tmp_path)


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(gzip.compress(b"other"))])
def test_what_comes_with_the_project_is_checked_like_a_download(shipped, tmp_path, damage):
    for path in shipped.glob("t10k-*"):
        damage(path)
    with pytest.raises(DataMissing, match=r"^FashionMNIST is not in .*nowhere yet: "):
        files.load_test_set("fashion-mnist", tmp_path / "nowhere", tmp_path)


def test_training_images_are_not_needed_to_read_the_test_images(idx_root, small_data, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SHIPPED", tmp_path / "nothing")
    for path in files.raw_folder("fashion-mnist", idx_root).glob("train-*"):
        path.unlink()
    assert of_test_images(files.load_test_set("fashion-mnist", idx_root, tmp_path)) == of_test_images(small_data)


def test_of_other_data_sets_nothing_comes_with_the_project(shipped, tmp_path):
    with pytest.raises(DataMissing, match=r"^MNIST is not in"):
        files.load_test_set("mnist", tmp_path / "nowhere", tmp_path)


# Sample data


@pytest.fixture
def little(monkeypatch) -> None:
    """Twenty sample images in place of thousands: how they are kept does not depend on it."""
    monkeypatch.setitem(DATASETS, "sample", replace(DATASETS["sample"], train=20, test=10))


@pytest.mark.usefixtures("little")
def test_sample_data_are_kept(tmp_path, monkeypatch):
    drawn = files.load("sample", tmp_path, tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [f"sample-{sample.VERSION}.npz"]
    monkeypatch.setattr(sample, "draw", None)  # From here on they can only be read.
    again = files.load("sample", tmp_path, tmp_path / "cache")
    assert same(drawn, again)
    assert drawn.fingerprint == again.fingerprint
    assert drawn.info.title == "Sample data"


def zip_directory(path: Path, offset: int) -> None:
    """Damage one byte of the first entry in the archive's directory."""
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + offset] ^= 0x5D
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:2000]),
        lambda path: path.write_bytes(path.read_bytes()[:1000] + b"?" + path.read_bytes()[1001:]),
        lambda path: zip_directory(path, 6),
        lambda path: zip_directory(path, 8),
        lambda path: zip_directory(path, 10),
        lambda path: path.write_bytes(path.read_bytes().replace(b"}", b" ", 1)),
        lambda path: np.savez(path, other=np.zeros(3)),
    ],
    ids=["empty", "cut off", "a byte", "zip version", "zip flags", "zip method", "array header", "other arrays"],
)
@pytest.mark.usefixtures("little")
def test_damaged_sample_data_are_drawn_again(tmp_path, damage):
    drawn = files.load("sample", tmp_path, tmp_path)
    path = tmp_path / f"sample-{sample.VERSION}.npz"
    whole = path.read_bytes()
    damage(path)
    assert path.read_bytes() != whole
    assert files.load("sample", tmp_path, tmp_path).fingerprint == drawn.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == [path.name]
    with np.load(path) as stored:
        assert np.array_equal(stored["train_images"], drawn.train_images)


@pytest.mark.usefixtures("little")
def test_sample_data_need_no_cache(tmp_path):
    (tmp_path / "file").write_text("x")
    first, second = (files.load("sample", tmp_path, tmp_path / "file" / "cache") for _ in range(2))
    assert first.fingerprint == second.fingerprint


def test_sample_data_are_as_many_as_promised(tmp_path):
    drawn = files.load("sample", tmp_path, tmp_path)
    assert of_test_images(files.load_test_set("sample", tmp_path, tmp_path)) == of_test_images(drawn)
    assert (len(drawn.train_images), len(drawn.test_images)) == (drawn.info.train, drawn.info.test)
    assert not np.array_equal(drawn.train_images[:2000], drawn.test_images)


# The real files


def test_what_comes_with_the_project_is_the_published_test_half_and_no_training_image(tmp_path):
    """Beside a data root that has nothing."""
    brought = files.load_test_set("fashion-mnist", tmp_path / "nowhere", tmp_path)
    assert np.bincount(brought.test_labels).tolist() == [1_000] * 10 and brought.test_images.shape == (10_000, 28, 28)
    packed = {f"{file.name}.gz": file.md5 for file in FASHION.test_files}
    found = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in files.SHIPPED.glob("*-ubyte*")}
    assert found == packed
    assert "The MIT License (MIT) Copyright © 2017 Zalando SE" in (files.SHIPPED / "FashionMNIST.md").read_text()


def test_the_published_data(real_data):
    assert real_data.train_images.shape == (60_000, 28, 28)
    assert real_data.test_images.shape == (10_000, 28, 28)
    assert np.bincount(real_data.train_labels).tolist() == [6_000] * 10
    assert np.bincount(real_data.test_labels).tolist() == [1_000] * 10


@pytest.mark.parametrize("info", PUBLISHED, ids=lambda info: info.id)
def test_files_sums_and_classes_are_torchvisions(info):
    from torchvision import datasets

    theirs = getattr(datasets, info.torchvision)
    resources = theirs.resources
    if isinstance(resources, dict):  # QMNIST's
        resources = resources["train"] + resources["test"]
    assert [(f"{file.name}.gz", file.md5) for file in info.files] == [
        (address.rpartition("/")[2], md5) for address, md5 in resources
    ]
    assert list(info.classes) == [name.partition(" - ")[0] for name in theirs.classes]  # "0 - zero" is 0 here.


def test_our_sums_are_of_what_is_in_torchvisions_files(real_data):
    compared = 0
    for file in FASHION.files:
        path = REAL / f"{file.name}.gz"
        if path.exists():  # Who has only the unpacked files compares nothing here.
            packed = path.read_bytes()
            assert hashlib.md5(packed, usedforsecurity=False).hexdigest() == file.md5
            assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == file.sha256
            compared += 1
    if not compared:
        pytest.skip(f"There are no packed files in {files.raw_folder('fashion-mnist', files.data_root())}.")


def test_the_progress_bar_counts_to_what_is_downloaded(real_data):
    packed = [REAL / f"{file.name}.gz" for file in FASHION.files]
    if not all(path.exists() for path in packed):
        pytest.skip(f"There are no packed files in {files.raw_folder('fashion-mnist', files.data_root())}.")
    assert sum(path.stat().st_size for path in packed) == FASHION.download_bytes
