"""What several test files need: a store, small data, the real data, files in FashionMNIST's format, trainers."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

# Two files are tested at once: threads of torch and NumPy that wait for work would take the other's processor. Read
# when these are loaded, here and in the processes that tests start.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from helpers.answers import Answer
from helpers.data_files import keep_as_sample, publish
from helpers.processes import kill_trainers, wait_for

from fmnist import __main__ as cli
from fmnist.data import files as data_files
from fmnist.data import sample
from fmnist.data.catalog import DatasetInfo
from fmnist.data.files import DataMissing, Dataset
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.run import ACTIVE
from fmnist.store.store import Store
from fmnist.training import launcher
from fmnist.training.scheduler import Scheduler

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The tests start some hundred processes: each would compile the same modules again, and every pytest all tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

LONGEST = (
    *("browser", "ray_cluster", "campaigns", "mlflow", "script", "accessibility"),
    *("scheduler", "custom_example", "custom_training", "drawing_pad", "canvas", "proxy"),
)
"""Files of few but long tests: begun last, one of the processes would work on them alone."""


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


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the runs of whoever runs the tests, not even by a default; nor their models."""
    monkeypatch.setenv("FMNIST_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("FMNIST_MODELS", raising=False)


@pytest.fixture(autouse=True)
def short_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished training times its answers for a tenth of a second, twice: ten times what a small training takes."""
    if inference := sys.modules.get("fmnist.models.inference"):
        monkeypatch.setattr(inference, "TIMING_SECONDS", 0.002)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    from helpers.browser import BRIEF, chromium

    with chromium(BRIEF) as started:
        yield started


@pytest.fixture
def runs_path(tmp_path: Path) -> Iterator[Path]:
    """Where a test's store belongs. Trainer processes that work on it do not outlive the test."""
    yield tmp_path / "runs" / "fmnist.db"
    kill_trainers(tmp_path)


@pytest.fixture
def store(runs_path: Path) -> Iterator[Store]:
    """A real, empty store."""
    store = Store(runs_path)
    yield store
    store.close()


@pytest.fixture(scope="session")
def small_data() -> Dataset:
    """331 images to train on and 100 to test on: no batch size that is used here divides 331."""
    arrays = (*sample.draw(331, seed=1), *sample.draw(100, seed=2))
    return data_files._dataset("sample", *(array.astype(np.uint8) for array in arrays))


@pytest.fixture(scope="module")
def warm_folder(tmp_path_factory: pytest.TempPathFactory, small_data: Dataset) -> Iterator[Path]:
    """Where the stores of `warm` stand."""
    folder = tmp_path_factory.mktemp("warm")
    keep_as_sample(small_data, folder)
    yield folder
    kill_trainers(folder)


@pytest.fixture
def warm(warm_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A real, empty store with the small data, on which a trainer may still be waiting that an earlier test of the file
    started: it needs no seconds to load torch."""
    monkeypatch.setenv("FMNIST_RUNS", str(warm_folder))
    store = Store(warm_folder / "fmnist.db")
    yield store
    store.request_stop([run.id for run in store.runs(*ACTIVE)])
    wait_for(lambda: not store.runs(*ACTIVE))
    for run in store.runs():
        store.delete(run.id)
    store.close()


@pytest.fixture
def small_sample(runs_path: Path, small_data: Dataset) -> Dataset:
    """Every process that asks for sample data beside the test's store gets the small data."""
    keep_as_sample(small_data, runs_path.parent)
    return small_data


@pytest.fixture(scope="session")
def real_data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The complete FashionMNIST, from FMNIST_DATA or the default data root; a test that needs it is skipped without."""
    try:
        return data_files.load("fashion-mnist", data_files.data_root(), tmp_path_factory.mktemp("cache"))
    except DataMissing as error:
        pytest.skip(f"{error} Set FMNIST_DATA, or: python -m fmnist data download")


@pytest.fixture
def idx_root(tmp_path: Path, small_data: Dataset, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with the packed files of FashionMNIST as torchvision leaves them, small, and known to the program as
    published."""
    root = tmp_path / "data"
    publish("fashion-mnist", small_data, root, monkeypatch)
    return root


@pytest.fixture
def shipped(idx_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what comes with the project: of FashionMNIST as `idx_root` has it, the test images and labels."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    for path in data_files.raw_folder("fashion-mnist", idx_root).glob("t10k-*"):
        shutil.copy(path, folder)
    monkeypatch.setattr(data_files, "SHIPPED", folder)
    return folder


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[DatasetInfo], str]]:
    """Makes the script that has the real torchvision fetch a data set's files from a server on this machine."""
    monkeypatch.setenv("no_proxy", "localhost")
    serve = partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "mirror")
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)

    def script(info: DatasetInfo) -> str:
        address = f"http://localhost:{server.server_address[1]}/{info.torchvision}/raw/"
        resources = [(f"{file.name}.gz", file.md5) for file in info.files]
        if info.id == "qmnist":  # torchvision keeps whole addresses of it, those of training and test images apart.
            whole = [(address + name, md5) for name, md5 in resources]
            resources = {"train": whole[:2], "test": whole[2:], "nist": []}
        kind = f"torchvision.datasets.{info.torchvision}"
        return f"import {kind.rpartition('.')[0]}\n{kind}.mirrors, {kind}.resources = {[address]}, {resources}\n{ours}"

    ours = data_files._TORCHVISION
    with http.server.ThreadingHTTPServer(("localhost", 0), serve) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield script
        server.shutdown()


# --- The command line ---


@pytest.fixture
def fmnist(capsys, runs_path):
    """Call the command line in this process."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        code = cli.main([str(argument) for argument in arguments])
        return Answer(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory, small_data) -> Path:
    """A store's file with Models 0 and 1, finished, Model 0 with two seeds."""
    folder = tmp_path_factory.mktemp("trained")
    keep_as_sample(small_data, folder)
    store = Store(folder / "fmnist.db")
    recipes = [Recipe(model, seed, "sample", 1, device="cpu") for model, seed in (("0", 0), ("0", 1), ("1", 0))]
    store.enqueue([(recipe, recipe.key(small_data.fingerprint)) for recipe in recipes], Path("/"))
    Scheduler(store).work(idle_seconds=0)
    assert len(store.runs("done")) == 3
    store.close()
    return store.path


@pytest.fixture
def trained(trained_once: Path, runs_path: Path, small_sample) -> Store:
    """A store of one's own with these runs."""
    shutil.copy(trained_once, runs_path)
    return Store(runs_path)


# --- Pages by AppTest ---


@pytest.fixture
def bare_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data but what a test makes, and no reference runs, nor what comes with them."""
    monkeypatch.setenv("FMNIST_DATA", str(tmp_path / "no-data"))
    monkeypatch.setattr(data_files, "SHIPPED", tmp_path / "nothing-shipped")
    monkeypatch.setattr("fmnist.ui.resources.Library", lambda own: Library(own, None))


@pytest.fixture
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_data: Dataset) -> Path:
    """A file with reference runs, two seeds of each model."""
    from helpers import making

    path = tmp_path / "reference.db"
    store = Store(path)
    for seed in (0, 1):
        making.three_models(store, small_data, weights=True, seed=seed)
    store.close()
    monkeypatch.setattr("fmnist.ui.resources.Library", lambda own: Library(own, path))
    return path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The stores for which a page would have started a trainer; none is started."""
    stores: list[Path] = []
    monkeypatch.setattr(launcher, "start", lambda runs: stores.append(runs.path))
    return stores


@pytest.fixture
def fashion(idx_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FashionMNIST is there, as far as the pages can tell."""
    monkeypatch.setenv("FMNIST_DATA", str(idx_root))


@pytest.fixture
def at_work(store: Store) -> Iterator[None]:
    """A trainer seems to work on the store: its lock is held."""
    with launcher.held(launcher.lock(store.path)) as held:
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
