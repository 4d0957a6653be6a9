"""What several test files need: a store, small data, the real data, files in FashionMNIST's format, trainers."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

# Two files are tested at once: threads of torch and NumPy that wait for work would take the other's processor. Read
# when these are loaded, here and in the processes that tests start.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest

from fmnist import __main__ as cli
from fmnist import settings
from fmnist.data import files as data_files
from fmnist.data import sample
from fmnist.data.catalog import DATASETS, DatasetInfo
from fmnist.data.files import DataMissing, Dataset
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.run import ACTIVE
from fmnist.store.store import Store
from fmnist.training import launcher
from fmnist.training.scheduler import Scheduler

if TYPE_CHECKING:
    from helpers.ui import Server
    from playwright.sync_api import Browser

T = TypeVar("T")

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


def wait_for(condition: Callable[[], T], timeout: float = 120) -> T:
    """Look until the condition holds, and give its value; a test that waits in vain fails with its name."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout} s in vain for {condition.__qualname__}"
        time.sleep(0.05)
    return value


def is_one_sentence(error: BaseException | str) -> bool:
    """Whether a message can be shown to a user: one line of several words."""
    text = str(error)
    return "\n" not in text and "Traceback" not in text and len(text.split()) > 3


def commands() -> dict[int, tuple[int, str]]:
    """All processes: the parent's process id and the command line, by process id."""
    if not Path("/proc/self/cmdline").exists():
        lines = subprocess.run(["ps", "-axww", "-o", "pid=,ppid=,command="], capture_output=True, text=True).stdout
        rows = [line.split(maxsplit=2) for line in lines.splitlines()]
        return {int(pid): (int(parent), command) for pid, parent, command in rows}
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # It has ended in the meantime.
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
            found[int(path.name)] = int(parent), command
    return found


def trainer_processes(folder: Path) -> list[int]:
    """The process ids of the trainers that work on a store somewhere in a folder, or are about to find that one does.

    One that starts a process seems to be two for a moment, until the new one runs what it shall: its parent tells.
    """
    found = {
        pid: parent
        for pid, (parent, command) in commands().items()
        if "-m fmnist.training.scheduler" in command and str(folder) in command
    }
    return [pid for pid, parent in found.items() if parent not in found]


def trainer_at_work(folder: Path) -> int:
    """The process id of the trainer that holds the lock of the store in a folder, once there is one."""
    return wait_for(lambda: next((pid for pid in trainer_processes(folder) if pid in _lock_holders(folder)), None))


def only_trainer(folder: Path) -> int:
    """The same, once it is the only one. Each visit of the Train page starts one, which ends when it has found another;
    a second one that stayed would be waited for in vain."""
    at_work = trainer_at_work(folder)
    wait_for(lambda: trainer_processes(folder) == [at_work])
    return at_work


def _lock_holders(folder: Path) -> list[int]:
    """The process ids of those who hold a trainer's lock in a folder. Who only looks holds it too, for a moment."""
    if not Path("/proc/locks").exists():
        trainers = trainer_processes(folder)
        return trainers if len(trainers) == 1 else []
    locks = {str(path.stat().st_ino) for path in folder.rglob("*.trainer.lock")}
    # "1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF"; one that waits has "->" behind its number.
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return [int(line[4]) for line in lines if line[1] == "FLOCK" and line[5].rpartition(":")[2] in locks]


def kill_trainers(folder: Path) -> None:
    """End them at once, as a power cut would, and wait until they are gone; those too that were just being started."""

    def are_gone() -> bool:
        trainers = trainer_processes(folder)
        for pid in trainers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not trainers

    wait_for(are_gone)


@contextmanager
def standing_still(store: Store) -> Iterator[int]:
    """Trainer and workers of a store do nothing for a while: however fast the machine, no training is over before we
    have looked. They do not stop half-way through writing: others could not write meanwhile. Gives the trainer's
    process id."""
    trainer = trainer_at_work(store.path.parent)
    family = [trainer, *descendants(trainer)]
    with store._write():
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: all(state_of(pid) in ("T", "Z", "") for pid in family))
    try:
        yield trainer
    finally:
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have started."""
    known = commands()
    found = [pid]
    for parent in found:
        found += [child for child, (its_parent, _) in known.items() if its_parent == parent]
    return found[1:]


def state_of(pid: int) -> str:
    """What a process does: R runs, S sleeps, T stands still, Z is dead and was not taken note of; "" if it is gone."""
    if not Path("/proc/self/stat").exists():
        return subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()[:1]
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    return ""


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
    from helpers.ui import BRIEF, chromium

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


@pytest.fixture(scope="module")
def untrained_server(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, small_data: Dataset
) -> Iterator[Server]:
    """A dashboard, to be visited by a browser, whose models have their initial weights and answer sample data."""
    from helpers import making, ui

    folder = tmp_path_factory.mktemp("untrained")
    keep_as_sample(small_data, folder / "runs")
    store = Store(folder / "runs" / "fmnist.db")
    making.three_models(store, small_data, weights=True, dataset="sample")
    store.close()
    with ui.served(folder / "runs", folder / "no-data") as server:
        yield server


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


def publish(name: str, dataset: Dataset, root: Path, monkeypatch: pytest.MonkeyPatch) -> DatasetInfo:
    """Put data into a data root as the packed files of a data set; what the program then knows of them."""
    info = DATASETS[name]
    folder = data_files.raw_folder(name, root)
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


def tell_processes(
    infos: Iterable[DatasetInfo], folder: Path, monkeypatch: pytest.MonkeyPatch, download: str = ""
) -> None:
    """Have the processes that are started from here on - trainers, workers, servers - know data sets as we do.

    Args:
        download: a script in place of the one that downloads.

    Python runs a file called sitecustomize.py when it starts.
    """
    folder.mkdir(parents=True)
    lines = ["from dataclasses import replace", "from fmnist.data.catalog import DATASETS, File"]
    lines += [f"DATASETS[{info.id!r}] = replace(DATASETS[{info.id!r}], files={info.files})" for info in infos]
    if download:
        lines += ["from fmnist.data import files", f"files._TORCHVISION = {download!r}"]
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


# --- The command line ---


class Answer:
    """What a command wrote, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


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


def check_refused(answer: Answer, *named: object) -> None:
    """Exit code 1 and one sentence on standard error, that names what it is about."""
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("fmnist: ") and answer.err.endswith("\n") and answer.err.count("\n") == 1
    assert is_one_sentence(answer.err.removeprefix("fmnist: ").rstrip())
    for name in named:
        assert str(name) in answer.err


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
