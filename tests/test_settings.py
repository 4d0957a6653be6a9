"""Where the program finds itself and its places, in a checkout and installed, and what its environment says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.answers import check_refused
from helpers.ui import HOME, visit

from fmnist import settings


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program lies where pip puts it, and whoever uses it has an own folder for data: this one."""
    site = tmp_path / "site-packages"
    (site / "fmnist").mkdir(parents=True)
    monkeypatch.setattr(settings, "PROJECT", site)
    monkeypatch.setattr("platformdirs.user_data_path", lambda name, appauthor: tmp_path / "share" / name)
    for name in ("FMNIST_RUNS", "FMNIST_DATA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "share" / "fmnist"


def test_a_checkout_keeps_store_and_data_in_itself(monkeypatch):
    monkeypatch.delenv("FMNIST_RUNS")
    monkeypatch.delenv("FMNIST_DATA", raising=False)
    assert settings.is_checkout()
    assert settings.runs() == settings.PROJECT / "runs"
    assert settings.data_root() == settings.PROJECT / "data"
    assert settings.dashboard_script() == settings.PROJECT / "dashboard.py"
    assert settings.command("runs list") == "python -m fmnist runs list"


def test_an_installation_keeps_them_in_the_folder_of_whoever_uses_it(installed):
    assert not settings.is_checkout()
    assert settings.runs() == installed / "runs"
    assert settings.data_root() == installed / "data"
    assert settings.command("runs list") == "fmnist runs list"


def test_the_folder_for_data_is_that_of_the_system(tmp_path):
    if not sys.platform.startswith("linux"):
        pytest.skip("XDG_DATA_HOME is Linux's")
    code = "import fmnist.settings as s; s.is_checkout = lambda: False; print(s.home())"
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path)}
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=settings.PROJECT, env=environment, capture_output=True, text=True, check=True)
    assert Path(said.stdout.strip()) == tmp_path / "fmnist"


@pytest.mark.parametrize("place", ["checkout", "installed"])
def test_a_variable_comes_before_the_default(place, monkeypatch, tmp_path, request):
    if place == "installed":
        request.getfixturevalue("installed")
    monkeypatch.setenv("FMNIST_RUNS", "~/somewhere")
    monkeypatch.setenv("FMNIST_DATA", "here")
    monkeypatch.chdir(tmp_path)
    assert settings.runs() == Path.home() / "somewhere"
    assert settings.data_root() == settings.named_data_root() == tmp_path / "here"


@pytest.mark.parametrize("named", ['"{}"', " {} ", "'{}'\n", "\" '{}'\""])
def test_quotes_and_blanks_around_a_path_do_not_belong_to_it(named, monkeypatch, tmp_path):
    here = tmp_path / 'a folder\'s "place"'
    for name in ("FMNIST_RUNS", "FMNIST_DATA", "FMNIST_MODELS"):
        monkeypatch.setenv(name, named.format(here))
    assert settings.runs() == settings.data_root() == here and settings.model_files() == [here]
    monkeypatch.setenv("FMNIST_MODELS", f'"{here}"{os.pathsep}"other.py"')
    monkeypatch.chdir(tmp_path)
    assert settings.model_files() == [here, tmp_path / "other.py"]
    assert settings.unquoted('"') == '"' and settings.unquoted("' '") == ""


def test_an_empty_variable_is_none(monkeypatch, installed):
    for name in ("FMNIST_RUNS", "FMNIST_DATA", "FMNIST_MODELS", "FMNIST_RAY_ADDRESS"):
        monkeypatch.setenv(name, "")
    assert settings.runs() == installed / "runs"
    assert settings.named_data_root() is None
    assert settings.model_files() == []
    assert settings.ray_address() is None


def test_files_with_models_are_named_as_in_path(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FMNIST_MODELS", f"one.py{os.pathsep} ~/two.py {os.pathsep}")
    assert settings.model_files() == [tmp_path / "one.py", Path.home() / "two.py"]
    assert settings.environment()["FMNIST_MODELS"] == f"{tmp_path / 'one.py'}{os.pathsep}{Path.home() / 'two.py'}"


@pytest.mark.parametrize("extra", ["export", "ray", "serve"])
def test_what_is_optional_can_be_installed_as_it_is_said(extra, request):
    assert settings.how_to_install(extra) == f"pip install -r requirements-{extra}.txt"
    assert (settings.PROJECT / f"requirements-{extra}.txt").is_file()
    request.getfixturevalue("installed")
    assert settings.how_to_install(extra) == f"pip install 'fmnist[{extra}]'"


def test_a_process_of_ours_is_found_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, *settings.module("fmnist"), "--help"]
    assert subprocess.run(command, cwd=settings.start_folder(), env=settings.environment()).returncode == 0


def test_what_lies_in_the_folder_of_whoever_uses_an_installation_is_not_imported(installed, tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))  # Stands in for an installation.
    command = [sys.executable, *settings.module("fmnist"), "--help"]
    process = subprocess.run(command, cwd=settings.start_folder(), env=settings.environment(), capture_output=True)
    assert process.returncode == 0, process.stderr


def test_the_variables_are_read_here_alone_and_listed():
    folder = Path(settings.__file__).parent
    read = re.compile(r"""(?:environ\b.{0,9}|getenv\(|: str = |^\w+ = )["'](FMNIST_\w+)["']""", re.MULTILINE)
    found = {path.name: set(read.findall(path.read_text())) for path in folder.rglob("*.py")}
    assert {name for name, names in found.items() if names} == {"settings.py"}
    listed = re.findall(r"^\| (FMNIST_\w+) \| `(\w+)` \|", settings.__doc__ or "", re.MULTILINE)
    assert {name for name, _ in listed} == found["settings.py"]
    for name, function in listed:
        assert name in (getattr(settings, function).__doc__ or "")


@pytest.mark.parametrize("variable", ["FMNIST_RUNS", "FMNIST_DATA"])
def test_a_home_folder_of_nobody_is_said_to_be_none(variable, fmnist, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, "~nosuchuser/there")
    for command in (("runs", "list"), ("train", "--dataset", "sample", "--dry-run")):
        answer = fmnist(*command)
        said = f"{variable} is ~nosuchuser/there: no home folder of a user 'nosuchuser' is known here."
        assert (answer.code, answer.out, answer.err) == (1, "", f"fmnist: {said} Write out the full path.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_models_in_a_home_folder_of_nobody_is_named_where_models_are_asked_for(fmnist, monkeypatch):
    monkeypatch.setenv("FMNIST_MODELS", "~nosuchuser/m.py")
    assert fmnist("runs", "list").code == 0
    answer = fmnist("train", "--dataset", "sample", "--models", "mine", "--dry-run")
    assert answer.code == 1
    assert answer.err.startswith("fmnist: FMNIST_MODELS is ~nosuchuser/m.py: no home folder of a user 'nosuchuser' is")


ARGUMENTS = [
    ("runs", "list", "--runs"),
    ("runs", "import"),
    ("predict",),
    ("export", "reference-1", "--to", "csv", "--out"),
    ("convert", "x.png"),
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_an_argument_in_a_home_folder_of_nobody_is_refused(arguments, fmnist, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    answer = fmnist(*arguments, "~nosuchuser/there.png")
    assert answer.code == 1 and answer.err.startswith("fmnist: ~nosuchuser/there.png can't be found: no home folder")
    assert answer.err.count("\n") == 1 and not (tmp_path / "~nosuchuser").exists()


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000])
@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_a_path_that_is_too_long_is_refused(arguments, name, fmnist, tmp_path):
    check_refused(fmnist(*arguments, f"{tmp_path}/{name}.png"), str(tmp_path)[:60], "too long")


@pytest.mark.parametrize("variable", ["FMNIST_RUNS", "FMNIST_DATA"])
def test_a_variable_that_is_too_long_is_named(variable, fmnist, monkeypatch):
    monkeypatch.setenv(variable, f"/{'a' * 300}.db")
    check_refused(fmnist("compare"), f"{variable} is too long", "304 characters")


@pytest.mark.parametrize("variable", ["FMNIST_RUNS", "FMNIST_DATA"])
def test_a_folder_whose_name_is_no_text_is_refused(variable, fmnist, monkeypatch, tmp_path):
    """Linux takes any bytes; neither a store nor a page could say where it is."""
    monkeypatch.setenv(variable, os.fsdecode(bytes(tmp_path) + b"/\xff"))
    check_refused(fmnist("runs", "list"), f"{variable} is {tmp_path}/", "not text in UTF-8: rename it.")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def closed(tmp_path, monkeypatch):
    """A folder that we may not enter: an administrator, as whom tests may run, enters every one."""
    folder, stat = tmp_path / "closed", Path.stat
    folder.mkdir()

    def refuse(path, **how):
        if folder in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", refuse)
    return folder


@pytest.mark.parametrize("name", ["x", "x.db", "x/y.db"])
@pytest.mark.usefixtures("started")
def test_a_store_in_a_folder_that_may_not_be_entered_is_refused_in_a_sentence(name, closed, fmnist, monkeypatch):
    monkeypatch.setenv("FMNIST_RUNS", str(closed / name))
    check_refused(fmnist("runs", "list"), str(closed), "Permission denied")
    check_refused(fmnist("runs", "list", "--runs", closed / name), str(closed), "Permission denied")
    at = visit(HOME)
    assert [error for error in at.error if "Permission denied" in error.value]


def test_an_argument_in_ones_own_home_folder_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings.expanded("~/a.png") == tmp_path / "a.png"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~a.png").touch()
    assert settings.expanded("~a.png") == Path("~a.png")  # It is called so.


def test_an_installation_of_a_user_without_a_home_folder_asks_for_other_places(installed, monkeypatch):
    monkeypatch.setattr("platformdirs.user_data_path", lambda name, appauthor: Path("~/.local/share") / name)
    with pytest.raises(settings.SettingsError, match="FMNIST_RUNS and FMNIST_DATA"):
        settings.runs()
