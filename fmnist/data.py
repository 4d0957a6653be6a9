"""The images and labels: where they are, whether they are the right ones, and how to get them.

Everything here is NumPy, so that pages can show images without importing torch; `training` wraps
the arrays as tensors without copying them.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fmnist import access, sample
from fmnist.recipe import DATASETS

CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

PROJECT = Path(__file__).resolve().parent.parent

# SHA-256 of the four files' unpacked contents, so that one sum covers "x.gz" and "x"; taken from files whose
# MD5 sums are those that torchvision and the authors publish (tests/test_data.py compares them again).
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
DOWNLOAD_BYTES = 30_878_645
"""The four .gz files together: what the progress bar counts to."""

SAMPLE_SIZES = (12_000, 2_000)
SAMPLE_SEEDS = (1, 2)


class DataError(Exception):
    """Data that can't be read, trusted or fetched. The message is a sentence for the user."""


class DataMissing(DataError):
    """The files are not there (yet): a page offers the download, where other errors only explain themselves."""


@dataclass(frozen=True)
class Dataset:
    """Images uint8 (N, 28, 28), light on black; labels int64 (N,), indices into `CLASS_NAMES`.

    Equal when the fingerprints are: what was worked out for one holds for a copy of it from another process.
    """

    name: str
    train_images: np.ndarray = field(compare=False)
    train_labels: np.ndarray = field(compare=False)
    test_images: np.ndarray = field(compare=False)
    test_labels: np.ndarray = field(compare=False)
    fingerprint: str
    """SHA-256 over all four arrays: part of every recipe's key."""

    @property
    def title(self) -> str:
        return DATASETS[self.name]


def data_root(path: str | Path | None = None) -> Path:
    """The data root: the argument, else FMNIST_DATA, else `data/` in the project."""
    chosen = path or os.environ.get("FMNIST_DATA") or PROJECT / "data"
    return Path(os.path.expanduser(chosen)).absolute()  # noqa: PTH111 - Path's own fails for an unknown ~user.


def load(name: str, root: Path, cache: Path) -> Dataset:
    """Read a data set.

    Args:
        name: "fashion-mnist" or "sample".
        root: the data root, in torchvision's layout; only read.
        cache: a folder of ours, where the generated sample data is kept.

    Raises:
        DataMissing: the files are not in the folder.
        DataError: they are damaged, or not the published ones.
    """
    if name == "sample":
        return _load_sample(cache)
    folder = raw_folder(root)
    try:
        missing = [file for file in SHA256 if not any(path.exists() for path in _forms(folder / file))]
    except OSError as error:  # A folder that may not be entered, or no name for one.
        raise DataError(f"{folder} can't be read: {error.strerror or error}.") from None
    if missing:
        which = f": {_listed(missing)} can't be found there" if len(missing) < len(SHA256) else " yet"
        raise DataMissing(f"FashionMNIST is not in {folder}{which}.")
    arrays = [_read_idx(folder / file, sum_) for file, sum_ in SHA256.items()]
    return _dataset(name, *arrays)


def raw_folder(root: Path) -> Path:
    """Where torchvision keeps the four files."""
    return root / "FashionMNIST" / "raw"


def _dataset(name: str, *arrays: np.ndarray) -> Dataset:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    train_images, train_labels, test_images, test_labels = arrays
    return Dataset(
        name,
        train_images,
        train_labels.astype(np.int64),
        test_images,
        test_labels.astype(np.int64),
        digest.hexdigest(),
    )


def _listed(files: list[str]) -> str:
    return ", ".join(files[:-1]) + " and " + files[-1] if len(files) > 1 else files[0]


def _forms(path: Path) -> tuple[Path, Path]:
    """A file as torchvision leaves it after unpacking (faster to read), and as it is downloaded."""
    return path, path.with_name(path.name + ".gz")


def _read_idx(path: Path, sha256: str) -> np.ndarray:
    """One file of the IDX format (yann.lecun.com/exdb/mnist, "the IDX file format"), packed or not, as uint8."""
    path = next(form for form in _forms(path) if form.exists())
    remedy = f"Delete it and get it again: python -m fmnist data download --data {path.parent.parent.parent}"
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{path} is damaged or cut off: it can't be unpacked. {remedy}") from None
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}.") from None
    # Magic number: two zero bytes, 8 for unsigned bytes, the number of dimensions; then each dimension's size.
    dimensions = content[3] if len(content) > 3 and content[:3] == b"\0\0\x08" else 0
    start = 4 + 4 * dimensions
    if not dimensions or len(content) < start:
        raise DataError(f"{path} is not a file of the IDX format. {remedy}")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    expected = start + int(np.prod(shape, dtype=object))
    if len(content) != expected:
        raise DataError(f"{path} has {len(content):,} bytes where its header promises {expected:,}. {remedy}")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{path} is not the published FashionMNIST file: its SHA-256 sum differs. {remedy}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _load_sample(cache: Path) -> Dataset:
    path = cache / f"sample-{sample.VERSION}.npz"
    names = ("train_images", "train_labels", "test_images", "test_labels")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return _dataset("sample", *(stored[name] for name in names))
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):
        pass  # Not there yet, or damaged: it is drawn again, always the same.
    train, test = (sample.draw(count, seed) for count, seed in zip(SAMPLE_SIZES, SAMPLE_SEEDS, strict=True))
    arrays = [array.astype(np.uint8) for array in (*train, *test)]
    if access.read_only():
        return _dataset("sample", *arrays)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, ignore_cleanup_errors=True) as folder:
            complete = Path(folder) / path.name
            np.savez(complete, **dict(zip(names, arrays, strict=True)))
            complete.replace(path)
    except OSError:
        pass  # A cache is a convenience: without it the data are drawn again next time.
    return _dataset("sample", *arrays)


# --- Download: torchvision fetches and verifies, in a process of its own (it imports torch) --------------

_TORCHVISION = """
import socket, sys
socket.setdefaulttimeout(30)  # seconds without a byte; torchvision itself would wait for ever
from torchvision.datasets import FashionMNIST
FashionMNIST(sys.argv[1], download=True)
"""


def download(root: Path, poll_seconds: float = 0.2) -> Iterator[int]:
    """Fetch FashionMNIST into `root`, yielding the bytes that have arrived, out of `DOWNLOAD_BYTES`.

    The files come into a temporary folder inside `root` and are moved into place once their sums are right, so
    an interrupted download leaves nothing that looks like data. Closing the generator ends the download.

    Raises:
        DataError: no network, no space, a folder that can't be written, or a read-only dashboard.
    """
    if access.read_only():
        raise DataError(access.READ_ONLY)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root, ignore_cleanup_errors=True) as temporary:
            yield from _fetch(Path(temporary), poll_seconds)
            for file, sum_ in SHA256.items():
                _read_idx(raw_folder(Path(temporary)) / file, sum_)
            raw_folder(root).mkdir(parents=True, exist_ok=True)
            for path in raw_folder(Path(temporary)).iterdir():
                path.replace(raw_folder(root) / path.name)
    except OSError as error:
        raise DataError(f"FashionMNIST can't be saved in {root}: {error.strerror or error}.") from None


def downloaded(root: Path) -> int:
    """Bytes that a download into `root` has fetched so far."""
    return sum(path.stat().st_size for path in root.glob(".download-*/FashionMNIST/raw/*.gz"))


def _fetch(folder: Path, poll_seconds: float) -> Iterator[int]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _TORCHVISION, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            while process.poll() is None:
                yield downloaded(folder.parent)
                try:
                    process.wait(poll_seconds)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines() or ["no reason was given"]
            if any("No space left" in line for line in lines):
                raise OSError(28, "no space left on the device")
            reason = re.sub(r".*<urlopen error (?:\[Errno .*?\] )?(.*)>", r"\1", lines[-1].strip())
            raise DataError(
                f"FashionMNIST could not be downloaded ({reason[:200]}). "
                "Check the network connection and try again, or train on the sample data, which needs no download."
            )
    yield DOWNLOAD_BYTES
