"""The images and labels: where they are, whether they are the right ones, and how to get them.

Everything here is NumPy, so that pages can show images without importing torch.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import re
import shlex
import shutil
import struct
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fmnist import settings
from fmnist.background import BackgroundProcess
from fmnist.data import sample
from fmnist.data.catalog import DATASETS, DEFAULT, SAMPLE, DatasetInfo, File
from fmnist.data.folders import RAW, forms
from fmnist.data.folders import raw_folder as raw_folder
from fmnist.words import listed, reason

SHIPPED = Path(__file__).parents[1] / "reference"
"""What comes with the project: the reference runs, and FashionMNIST's test images and labels, which they answered."""

ABANDONED_SECONDS = 3600
SAMPLE_SEEDS = (1, 2)
IDX_TYPES: dict[bytes, np.dtype[Any]] = {b"\0\0\x08": np.dtype("u1"), b"\0\0\x0c": np.dtype(">i4")}
"""By the first three bytes of a file."""


class DataError(Exception):
    """Data that can't be read, trusted or fetched. The message is a sentence for the user."""


class DataMissing(DataError):
    """The files are not there (yet). Any other `DataError` means that they are, and can't be used."""


@dataclass(frozen=True)
class TestSet:
    """What models are tested on: all that is needed to show what they answered.

    Images uint8 (N, 28, 28), light on black; labels int64 (N,), indices into `info.classes`. Equal when the
    fingerprints are: what was worked out for one holds for a copy of it from another process.
    """

    name: str
    test_images: np.ndarray = field(compare=False)
    test_labels: np.ndarray = field(compare=False)
    fingerprint: str
    """SHA-256 over all arrays."""

    @property
    def info(self) -> DatasetInfo:
        return DATASETS[self.name]


@dataclass(frozen=True)
class Dataset(TestSet):
    """A whole data set: what models learn from as well. Its fingerprint is part of every recipe's key."""

    train_images: np.ndarray = field(compare=False)
    train_labels: np.ndarray = field(compare=False)


def data_root(path: str | Path | None = None) -> Path:
    """The data root: the argument, else FMNIST_DATA, else `data/` in the checkout or the user's own folder."""
    return settings.absolute(settings.unquoted(path)) if path else settings.data_root()


def load(name: str, root: Path, cache: Path) -> Dataset:
    """Read a whole data set.

    Args:
        name: an id in `DATASETS`.
        root: the data root, in torchvision's layout or near it (`raw_folder`); only read.
        cache: a folder of ours, where the generated sample data is kept.

    Raises:
        DataMissing: the files are not in the folder.
        DataError: they are damaged, or not the published ones.
    """
    info = DATASETS[name]
    return _load_sample(info, cache) if name == SAMPLE else _dataset(name, *_read(info, root, info.files))


def load_test_set(name: str, root: Path, cache: Path) -> TestSet:
    """Read the test images and labels of a data set: from the data root, else what comes with the project.

    Args, and what it raises, as for `load`; nothing where they come with the project.
    """
    info = DATASETS[name]
    if name == SAMPLE:
        whole = _load_sample(info, cache)
        return _test_set(name, whole.test_images, whole.test_labels)
    try:
        return _test_set(name, *_read(info, root, info.test_files))
    except DataError:
        with suppress(DataError):
            return _test_set(name, *_read(info, SHIPPED, info.test_files))
        raise


def is_there(name: str, root: Path) -> bool:
    """Whether the files of a data set are in a data root, whatever is in them."""
    try:
        return name == SAMPLE or bool(_folder_with(DATASETS[name], root, DATASETS[name].files))
    except DataError:
        return False


def _read(info: DatasetInfo, root: Path, files: Sequence[File]) -> list[np.ndarray]:
    """Images and labels, all uint8, of some of a data set's files; raises as `load`."""
    folder = _folder_with(info, root, files)
    arrays = [_read_idx(info, root, folder, file) for file in files]
    # QMNIST's labels are rows of eight numbers on each image and its writer, of which the first is the class.
    return [array if array.ndim in (1, 3) else array[:, 0].astype(np.uint8) for array in arrays]


def _folder_with(info: DatasetInfo, root: Path, files: Sequence[File]) -> Path:
    """The folder that has these files of a data set, whatever is in them.

    Raises:
        DataMissing, DataError: as `load`.
    """
    _check_no_file(root)
    try:
        folder = raw_folder(info.id, root)
        there = [file for file in info.files if any(path.exists() for path in forms(folder, file))]
        missing = [file.name for file in files if file not in there]
        unpacked = [file for file in missing if (folder / file).exists()]
    except OSError as error:  # A folder that may not be entered, or no name for one.
        raise DataError(f"{root} can't be read: {reason(error)}.") from None
    if unpacked:
        raise DataMissing(
            f"{info.title} is in {folder} only unpacked, but checksums are published only for its packed files: put "
            f"{listed([f'{file}.gz' for file in unpacked])} beside them, or download them again: "
            f"{download_command(info, root)}"
        )
    if not there:
        raise DataMissing(
            f"{info.title} is not in {root} yet: {info.files[0].name}.gz and three more files are expected "
            f"in {root / info.torchvision / RAW}."
        )
    if missing:
        raise DataMissing(f"{info.title} is not in {folder}: {listed(missing)} can't be found there.")
    return folder


def _check_no_file(root: Path) -> None:
    """Raises: DataError: a file was named instead of a folder."""
    with suppress(OSError):  # What else is wrong with it is said by whoever reads it.
        if root.is_file():
            raise DataError(f"{root} is a file: name the folder of the data sets.")


def download_command(info: DatasetInfo, root: Path) -> str:
    """What gets a data set, for the end of a sentence."""
    command = settings.command("data download")
    command += f" --dataset {info.id}" if info.id != DEFAULT else ""
    return command + (f" --data {shlex.quote(str(root))}" if root != data_root() else "")


def _dataset(name: str, *arrays: np.ndarray) -> Dataset:
    train_images, train_labels, test_images, test_labels = arrays
    return Dataset(
        name=name,
        train_images=train_images,
        train_labels=train_labels.astype(np.int64),
        test_images=test_images,
        test_labels=test_labels.astype(np.int64),
        fingerprint=_fingerprint(arrays),
    )


def _test_set(name: str, images: np.ndarray, labels: np.ndarray) -> TestSet:
    return TestSet(name, images, labels.astype(np.int64), _fingerprint((images, labels)))


def _fingerprint(arrays: Sequence[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _read_idx(info: DatasetInfo, root: Path, folder: Path, file: File) -> np.ndarray:
    """One file of the IDX format (yann.lecun.com/exdb/mnist, "the IDX file format"), packed or not."""
    path = next(form for form in forms(folder, file) if form.exists())
    remedy = f"Delete it and download it again: {download_command(info, root)}"
    try:
        packed = content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(packed)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{path} is damaged or cut off: it can't be unpacked. {remedy}") from None
    except OSError as error:
        raise DataError(f"{path} can't be read: {reason(error)}.") from None
    # Magic number: two zero bytes, the type, the number of dimensions; then each dimension's size.
    dtype = IDX_TYPES.get(content[:3])
    dimensions = content[3] if len(content) > 3 else 0
    start = 4 + 4 * dimensions
    if not dtype or not dimensions or len(content) < start:
        raise DataError(f"{path} is not an IDX file. {remedy}")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    expected = start + dtype.itemsize * int(np.prod(shape, dtype=object))
    if len(content) != expected:
        raise DataError(f"{path} has {len(content):,} bytes where its header promises {expected:,}. {remedy}")
    if file.sha256:
        kind, right = "SHA-256", hashlib.sha256(content).hexdigest() == file.sha256
    else:
        kind, right = "MD5", hashlib.md5(packed, usedforsecurity=False).hexdigest() == file.md5
    if not right:
        raise DataError(f"{path} is not the published {info.title} file: its {kind} checksum differs. {remedy}")
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


def _load_sample(info: DatasetInfo, cache: Path) -> Dataset:
    path = cache / f"sample-{sample.VERSION}.npz"
    names = ("train_images", "train_labels", "test_images", "test_labels")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return _dataset(SAMPLE, *(stored[name] for name in names))
    except Exception:  # What NumPy raises for damaged bytes is not settled.
        pass  # Not there yet, or damaged: it is drawn again, always the same.
    train, test = (sample.draw(count, seed) for count, seed in zip((info.train, info.test), SAMPLE_SEEDS, strict=True))
    arrays = [array.astype(np.uint8) for array in (*train, *test)]
    if settings.read_only():
        return _dataset(SAMPLE, *arrays)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, ignore_cleanup_errors=True) as folder:
            complete = Path(folder) / path.name
            by_name: dict[str, Any] = dict(zip(names, arrays, strict=True))
            np.savez(complete, **by_name)
            complete.replace(path)
    except OSError:
        pass  # A cache is a convenience: without it the data are drawn again next time.
    return _dataset(SAMPLE, *arrays)


# --- Download: torchvision fetches and verifies, in a process of its own (it imports torch) --------------

_TORCHVISION = """
import socket, sys
socket.setdefaulttimeout(30)  # seconds without a byte; torchvision itself would wait for ever
import torchvision
for train in (True, False):  # Most classes fetch both at once, QMNIST what it is asked for.
    getattr(torchvision.datasets, sys.argv[2])(sys.argv[1], train=train, download=True)
"""


def download(name: str, root: Path, poll_seconds: float = 0.2) -> Iterator[int]:
    """Fetch a data set into `root`, yielding the bytes that have arrived, out of its `download_bytes`.

    The files come into a temporary folder inside `root` and are moved into place once their sums are right, so
    an interrupted download leaves nothing that looks like data. Closing the generator ends the download.

    Raises:
        DataError: no network, no space, a folder that can't be written, or a read-only dashboard.
    """
    if settings.read_only():
        raise DataError(settings.READ_ONLY)
    info = DATASETS[name]
    _check_no_file(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(root)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root, ignore_cleanup_errors=True) as temporary:
            yield from _fetch(info, Path(temporary), poll_seconds)
            _read(info, Path(temporary), info.files)
            folder = raw_folder(name, root)
            folder.mkdir(parents=True, exist_ok=True)
            for path in raw_folder(name, Path(temporary)).iterdir():
                path.replace(folder / path.name)
    except OSError as error:
        raise DataError(f"{info.title} can't be saved in {root}: {reason(error)}.") from None


def _remove_abandoned(root: Path) -> None:
    """Remove what downloads have left that were killed: nothing has come into it for an hour."""
    for folder in root.glob(".download-*"):
        changed = [path.stat().st_mtime for path in (folder, *folder.rglob("*"))]
        if time.time() - max(changed) > ABANDONED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def downloaded(name: str, root: Path) -> int:
    """Bytes that a download into `root` has fetched so far."""
    return sum(path.stat().st_size for path in root.glob(f".download-*/{DATASETS[name].torchvision}/{RAW}/*.gz"))


def _fetch(info: DatasetInfo, folder: Path, poll_seconds: float) -> Iterator[int]:
    process = BackgroundProcess("-P", "-c", _TORCHVISION, str(folder), info.torchvision)
    try:
        while process.wait(poll_seconds) is None:
            yield downloaded(info.id, folder.parent)
    finally:
        process.stop()
    if process.exit_code:
        lines = [line for line in process.reports if line.strip()] or ["no reason was given"]
        if any("No space left" in line for line in lines):
            raise OSError(errno.ENOSPC, "no space left on the device")
        why = re.sub(r".*<urlopen error (?:\[Errno .*?\] )?(.*)>", r"\1", lines[-1].strip())
        raise DataError(
            f"{info.title} could not be downloaded ({why[:200]}). "
            "Check the network connection and try again, or train on the sample data, which needs no download."
        )
    yield info.download_bytes
