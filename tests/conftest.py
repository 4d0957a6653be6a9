"""What several test files need: a store, small data, the real data, files in FashionMNIST's format, trainers."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pytest

from fmnist import data, sample, settings, trainer
from fmnist.data import DataMissing, Dataset
from fmnist.datasets import DATASETS, DatasetInfo
from fmnist.library import Library
from fmnist.store import Store

if TYPE_CHECKING:
    from playwright.sync_api import Browser

T = TypeVar("T")


LONGEST = ("browser", "cluster", "trainer", "pad", "own_models", "training", "proxy", "export")
"""Files of few but long tests: begun last, one of the two processes would work on them alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, where two are worked on at once; one after the other, the quick ones."""
    place = {f"test_{name}": place for place, name in enumerate(LONGEST)}
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)), reverse=alone)


MAIN = sys.modules["__main__"]


def pytest_runtest_teardown() -> None:
    """A page that AppTest has run stays in place of the main module, which multiprocessing has each process run that it
    spawns: a trainer in a later test would have its workers run the page, and they would end."""
    sys.modules["__main__"] = MAIN


def wait_for(condition: Callable[[], T], timeout: float = 120) -> T:
    """Look until the condition holds, and give its value; a test that waits in vain fails with its name."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout} s in vain for {condition.__qualname__}"
        time.sleep(0.02)
    return value


def is_one_sentence(error: BaseException | str) -> bool:
    """Whether a message can be shown to a user: one line of several words."""
    text = str(error)
    return "\n" not in text and "Traceback" not in text and len(text.split()) > 3


def trainer_processes(folder: Path) -> list[int]:
    """The process ids of the trainers that work on a store somewhere in a folder."""
    if Path("/proc/self/cmdline").exists():
        commands = {}
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # It has ended in the meantime.
                commands[int(path.parent.name)] = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    else:
        lines = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True).stdout
        commands = {int(line.split()[0]): line for line in lines.splitlines()}
    return [pid for pid, command in commands.items() if "-m fmnist.trainer" in command and str(folder) in command]


def kill_trainers(folder: Path) -> None:
    """End them at once, as a power cut would, and wait until they are gone."""
    for pid in trainer_processes(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not trainer_processes(folder))


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the runs of whoever runs the tests, not even by a default; nor their models."""
    monkeypatch.setenv("FMNIST_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("FMNIST_MODELS", raising=False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    from ui import chromium

    with chromium() as started:
        yield started


@pytest.fixture
def runs_path(tmp_path: Path) -> Iterator[Path]:
    """Where a test's store belongs. Trainer processes that work on it do not outlive the test."""
    yield tmp_path / "runs" / "fmnist.db"
    kill_trainers(tmp_path)


@pytest.fixture
def store(runs_path: Path) -> Iterator[Store]:
    """A real, empty store."""
    runs = Store(runs_path)
    yield runs
    runs.close()


@pytest.fixture(scope="session")
def small_data() -> Dataset:
    """331 images to train on and 100 to test on: no batch size that is used here divides 331."""
    arrays = (*sample.draw(331, seed=1), *sample.draw(100, seed=2))
    return data._dataset("sample", *(array.astype(np.uint8) for array in arrays))


@pytest.fixture
def small_sample(runs_path: Path, small_data: Dataset) -> Dataset:
    """Every process that asks for sample data beside the test's store gets the small data."""
    keep_as_sample(small_data, runs_path.parent)
    return small_data


@pytest.fixture(scope="session")
def real_data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The complete FashionMNIST, from FMNIST_DATA or the default data root; a test that needs it is skipped without."""
    try:
        return data.load("fashion-mnist", data.data_root(), tmp_path_factory.mktemp("cache"))
    except DataMissing as error:
        pytest.skip(f"{error} Set FMNIST_DATA, or: python -m fmnist data download")


@pytest.fixture
def idx_root(tmp_path: Path, small_data: Dataset, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with the packed files of FashionMNIST as torchvision leaves them, small, and known to the program as
    published."""
    root = tmp_path / "data"
    publish("fashion-mnist", small_data, root, monkeypatch)
    return root


def publish(name: str, dataset: Dataset, root: Path, monkeypatch: pytest.MonkeyPatch) -> DatasetInfo:
    """Put data into a data root as the packed files of a data set; what the program then knows of them."""
    info = DATASETS[name]
    folder = data.raw_folder(name, root)
    folder.mkdir(parents=True)
    files = []
    for file, array in zip(info.files, _bytes_of(dataset).values(), strict=True):
        kind = 8
        if file.name.endswith("labels-idx2-int"):  # QMNIST's: the class, and seven numbers more, of 32 bits.
            kind, array = 12, np.column_stack([array, np.tile(np.arange(10, 17), (len(array), 1))]).astype(">i4")
        content = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
        packed = gzip.compress(content)
        (folder / f"{file.name}.gz").write_bytes(packed)
        md5 = hashlib.md5(packed, usedforsecurity=False).hexdigest()
        files.append(replace(file, md5=md5, sha256=file.sha256 and hashlib.sha256(content).hexdigest()))
    monkeypatch.setitem(DATASETS, name, replace(info, files=tuple(files)))
    return DATASETS[name]


def tell_processes(infos: Iterable[DatasetInfo], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the processes that are started from here on - trainers, workers, servers - know data sets as we do.

    Python runs a file called sitecustomize.py when it starts.
    """
    folder.mkdir(parents=True)
    lines = ["from dataclasses import replace", "from fmnist.datasets import DATASETS, File"]
    lines += [f"DATASETS[{info.id!r}] = replace(DATASETS[{info.id!r}], files={info.files})" for info in infos]
    (folder / "sitecustomize.py").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(settings.PROJECT)]))


def keep_as_sample(dataset: Dataset, folder: Path) -> None:
    """Put data where the program keeps its generated sample data."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / f"sample-{sample.VERSION}.npz", **_bytes_of(dataset))


def unpack_all(root: Path) -> None:
    """Replace the packed files of a data root by what is in them."""
    for path in root.glob("*/raw/*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()


def _bytes_of(dataset: Dataset) -> dict[str, np.ndarray]:
    names = ("train_images", "train_labels", "test_images", "test_labels")
    return {name: getattr(dataset, name).astype(np.uint8) for name in names}


# --- Pages by AppTest ---


@pytest.fixture
def bare_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data but what a test makes, and no reference runs."""
    monkeypatch.setenv("FMNIST_DATA", str(tmp_path / "no-data"))
    monkeypatch.setattr("fmnist.widgets.Library", lambda own: Library(own, None))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The stores for which a page would have started a trainer; none is started."""
    stores: list[Path] = []
    monkeypatch.setattr(trainer, "start", lambda runs: stores.append(runs.path))
    return stores


@pytest.fixture
def fashion(idx_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FashionMNIST is there, as far as the pages can tell."""
    monkeypatch.setenv("FMNIST_DATA", str(idx_root))


@pytest.fixture
def linkless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that AppTest opens by itself, for the sake of its query, knows no other pages to link to."""
    monkeypatch.setattr("streamlit.page_link", lambda *_, **__: None)


@pytest.fixture
def at_work(store: Store) -> Iterator[None]:
    """A trainer seems to work on the store: its lock is held."""
    with trainer._held(trainer._lock(store.path)) as held:
        assert held
        yield


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes, where the system lets us make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("No file system can be mounted here.")
    try:
        yield folder
        kill_trainers(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
