"""The package: what is in it, and that it works where pip puts it, in the hands of somebody who has no checkout."""

from __future__ import annotations

import email
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.browser import Server, Visitor
from helpers.data_files import keep_as_sample
from helpers.processes import kill_trainers

import fmnist
from fmnist.data.files import Dataset
from fmnist.settings import PROJECT

pytest.importorskip("hatchling", reason="hatchling is not installed (requirements-dev.txt)")

EXTRAS = ("export", "ray", "serve")
PACKAGE = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "their-models"
version = "1.0"
dependencies = ["fmnist"]

[project.entry-points."fmnist.models"]
any-name = "their_models.networks"
""",
    "their_models/__init__.py": "",
    "their_models/networks.py": """
from torch import nn
from fmnist.models import register

@register("linear", "Linear")
def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
""",
}


def pip(*arguments: str | Path) -> None:
    """Without a network."""
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--no-index", "--no-deps", "--no-build-isolation"]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", PROJECT, "--wheel-dir", folder)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed package, and with one of somebody else that depends on it."""
    folder = tmp_path_factory.mktemp("site")
    theirs = tmp_path_factory.mktemp("theirs")
    for name, text in PACKAGE.items():
        (theirs / name).parent.mkdir(exist_ok=True)
        (theirs / name).write_text(text)
    pip("install", wheel, theirs, "--target", folder)
    return folder


@pytest.fixture
def elsewhere(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which somebody works who has installed the package. No name in it may be taken for a module's."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "json.py").write_text("raise SystemExit('the wrong json')\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("PYTHONPATH", str(site))
    for name in ("FMNIST_RUNS", "FMNIST_DATA"):
        monkeypatch.delenv(name, raising=False)
    yield folder
    kill_trainers(tmp_path)


def ran(site: Path, *arguments: str) -> str:
    """What the installed command says."""
    process = subprocess.run([site / "bin" / "fmnist", *arguments], capture_output=True, text=True, timeout=250)
    assert process.returncode == 0, process.stderr
    return process.stdout


# --- What is in it ---


def test_it_has_all_of_the_program_and_of_the_dashboard_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {path for path in (PROJECT / "fmnist").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    dashboard = [PROJECT / "dashboard.py", *(PROJECT / "pages").glob("*.py"), PROJECT / ".streamlit" / "config.toml"]
    expected = {path.relative_to(PROJECT).as_posix() for path in sources}
    expected |= {f"fmnist/_dashboard/{path.relative_to(PROJECT).as_posix()}" for path in dashboard}
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_it_says_its_version_its_command_and_what_it_needs(wheel):
    archive = zipfile.ZipFile(wheel)
    [folder] = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    said = email.message_from_bytes(archive.read(f"{folder}/METADATA"))
    assert said["Version"] == fmnist.__version__
    assert "fmnist = fmnist.__main__:main" in archive.read(f"{folder}/entry_points.txt").decode()
    assert {*said.get_all("Provides-Extra", [])} == {*EXTRAS, "dev"}
    needed = said.get_all("Requires-Dist", [])
    always = {line for line in needed if "extra ==" not in line}
    assert {names(line) for line in always} == listed("requirements.txt") - {"pytest"}
    for extra in EXTRAS:
        assert {names(line) for line in needed if f"extra == '{extra}'" in line} == listed(f"requirements-{extra}.txt")
    everything = set().union(*(listed(f"requirements-{extra}.txt") for extra in (*EXTRAS, "dev"))) | {"pytest"}
    assert {names(line) for line in needed if "extra == 'dev'" in line} == everything


def names(requirement: str) -> str:
    """The package that a requirement names."""
    return re.split(r"[~=<>\[; ]", requirement.lower())[0]


def listed(file: str) -> set[str]:
    lines = (PROJECT / file).read_text().splitlines()
    return {names(line) for line in lines if line and line[0] not in "#-"}


# --- That it works ---


def test_it_trains_and_compares_its_models_and_those_of_a_package_that_depends_on_it(
    site: Path, elsewhere: Path, tmp_path: Path, small_data: Dataset
):
    keep_as_sample(small_data, tmp_path / "share" / "fmnist" / "runs")
    assert ran(site, "--version") == f"fmnist {fmnist.__version__}\n"
    said = ran(site, "train", "--dataset", "sample", "--models", "0,linear", "--epochs", "1")
    assert "Model 0" in said and "Linear" in said
    said = ran(site, "compare", "--reference")
    assert "Model 2" in said and "Linear" in said  # One that came along, and one that was trained here.
    assert (tmp_path / "share" / "fmnist" / "runs" / "fmnist.db").is_file()
    assert [path.name for path in elsewhere.iterdir()] == ["json.py"]


def test_its_dashboard_is_served_to_this_machine_alone_and_shows_its_pages(site, elsewhere, tmp_path, browser):
    command = [str(site / "bin" / "fmnist"), "dashboard", "--"]
    server = Server(tmp_path / "runs", tmp_path / "data", command, FMNIST_RUNS=None, FMNIST_DATA=None)
    try:
        server.start()
        if sys.platform.startswith("linux"):  # The whole of 127.0.0.0/8 is this machine: see ip(7).
            with socket.socket() as other, pytest.raises(ConnectionRefusedError):
                other.connect(("127.0.0.2", server.port))
        visitor = Visitor(browser, server)
        page = visitor.open()
        page.get_by_text("Model 2").first.wait_for()  # The reference runs have come along.
        page = visitor.open("Train")
        page.get_by_text(str(tmp_path / "share" / "fmnist" / "data")).wait_for()  # Where the data would be.
        visitor.check()
    finally:
        server.kill()
        kill_trainers(tmp_path)
