"""What the tests of exports share: trained runs, what is exported of them, servers, and Python without this project."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from helpers.data_files import keep_as_sample
from helpers.processes import wait_for

from fmnist import settings
from fmnist.data.files import DataMissing
from fmnist.export import FORMATS
from fmnist.export.chosen import Chosen
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.store import Store
from fmnist.training.scheduler import Scheduler

PROJECT = settings.PROJECT
RECIPES = [Recipe(model, seed, "sample", 2, device="cpu") for model, seed in (("0", 0), ("0", 1), ("2", 0))]


@pytest.fixture(scope="session")
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


def alone(folder: Path, *arguments: object) -> str:
    """What Python says in a folder, where this project can't be imported."""
    command = [sys.executable, "-E", "-s", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def write_idx(path: Path, images: np.ndarray) -> Path:
    path.write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, *images.shape) + images.tobytes())
    return path
