"""What the environment says: where things are, in a checkout and installed, and who may do how much."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from conftest import is_one_sentence
from helpers.ui import PAGES, again, says, visit

from fmnist import settings
from fmnist.recipe import Recipe
from fmnist.settings import Asker, SettingsError
from fmnist.store.store import Store, StoreError, TooManyRuns
from fmnist.training import scheduler
from fmnist.ui import login

ANN, BEN = Asker("ann", 3), Asker("ben", 3)


# --- Where things are ---


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


def test_an_installation_keeps_them_in_the_folder_of_whoever_uses_it(installed):
    assert not settings.is_checkout()
    assert settings.runs() == installed / "runs"
    assert settings.data_root() == installed / "data"


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


# --- Who may do how much ---


def ask(store: Store, asker: Asker | None, *seeds: int) -> list[int]:
    recipes = [Recipe("0", seed, "sample") for seed in seeds]
    return [id for id, _ in store.enqueue([(recipe, recipe.key("data")) for recipe in recipes], Path("/"), asker=asker)]


def test_nobody_gets_more_runs_than_allowed_and_too_many_are_none(store):
    ask(store, ANN, 0, 1)
    with pytest.raises(TooManyRuns, match=r"At most 3 of your runs.*there are 2, and this would add 2") as refused:
        ask(store, ANN, 2, 3)
    assert is_one_sentence(refused.value) and isinstance(refused.value, StoreError)
    assert store.count() == 2
    ask(store, ANN, 2)
    ask(store, BEN, 10, 11, 12)
    ask(store, None, *range(20, 30))
    assert store.count() == 16


def test_what_somebody_else_has_asked_for_is_not_counted_twice(store):
    ask(store, ANN, 0, 1, 2)
    assert ask(store, BEN, 0, 1, 2, 3, 4, 5) == [1, 2, 3, 4, 5, 6]


def test_runs_count_until_they_end(store):
    ask(store, ANN, 0, 1, 2)
    assert store.claim().id == 1
    with pytest.raises(TooManyRuns):
        ask(store, ANN, 3)
    store.finish(1, "failed", error="Why not.")
    ask(store, ANN, 3)
    store.request_stop([2, 3])
    ask(store, ANN, 4, 5)


def test_resumed_runs_count_for_who_resumes_them(store):
    ask(store, BEN, 0)
    store.request_stop([1])
    ask(store, ANN, 1, 2, 3)
    with pytest.raises(TooManyRuns, match="there are 3, and this would add 1"):
        store.resume(1, asker=ANN)
    assert store.run(1).status == "cancelled"
    assert store.resume(1, asker=BEN)
    with pytest.raises(TooManyRuns, match="there are 1, and this would add 3"):
        ask(store, BEN, 11, 12, 13)


def test_two_who_ask_at_the_same_time_do_not_get_past_the_limit_together(store):
    with closing(Store(store.path)) as other:
        ask(store, ANN, 0, 1)
        ask(other, ANN, 2)
        with pytest.raises(TooManyRuns):
            ask(store, ANN, 3)


def test_deleted_runs_are_forgotten_with_who_asked_for_them(store):
    ask(store, ANN, 0)
    store.request_stop([1])
    assert store.delete(1)
    with closing(sqlite3.connect(store.path)) as db:
        assert db.execute("SELECT count(*) FROM askers").fetchone()[0] == 0


@pytest.mark.parametrize("value, limit", [("", None), (" ", None), ("1", 1), (" 20 ", 20)])
def test_the_limit_is_a_number(monkeypatch, value, limit):
    monkeypatch.setenv("FMNIST_QUEUE_LIMIT", value)
    assert settings.queue_limit() == limit


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "²"])
def test_a_limit_that_is_none_is_said(monkeypatch, value):
    monkeypatch.setenv("FMNIST_QUEUE_LIMIT", value)
    with pytest.raises(SettingsError) as refused:
        settings.queue_limit()
    assert value in str(refused.value) and is_one_sentence(refused.value)


@pytest.mark.parametrize(
    "email, allowed",
    [
        ("ann@example.org", True),
        ("Ann@Example.org", True),
        ("anyone@school.example", True),
        ("ben@example.org", False),
        ("x@sub.school.example", False),
        ("x@notschool.example", False),
        ("ann@example.org@evil.example", False),
        ("", False),
    ],
)
def test_users_are_named_by_address_or_domain(monkeypatch, email, allowed):
    monkeypatch.setenv("FMNIST_USERS", "ann@example.org, @SCHOOL.example")
    assert settings.is_allowed(email) == allowed


@pytest.mark.parametrize("value", ["ann", "ann@", "a@b@c", "*"])
def test_a_list_of_users_that_can_not_be_meant_lets_nobody_in(monkeypatch, value):
    monkeypatch.setenv("FMNIST_USERS", value)
    with pytest.raises(SettingsError) as refused:
        settings.is_allowed("ann@example.org")
    assert is_one_sentence(refused.value)
    at = visit(PAGES[0])
    assert [error.value for error in at.error] == [str(refused.value)] and not at.title


def test_users_without_a_login_let_nobody_in(monkeypatch):
    monkeypatch.setenv("FMNIST_USERS", "ann@example.org")
    at = visit(PAGES[1])
    assert "no login is configured" in at.error[0].value and not at.title and not at.button


def test_addresses_of_one_network_are_one_viewer():
    assert login._network("2001:db8:1:2:3:4:5:6") == login._network("2001:db8:1:2::1") != login._network("2001:db8::1")
    assert login._network("192.0.2.1") != login._network("192.0.2.2")
    assert login._network("no address") and login._network(None) == ""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> None:
    """No trainer is started; and AppTest, which knows no addresses, gives the same one each time."""
    monkeypatch.setattr(scheduler, "start", lambda runs: None)
    monkeypatch.setattr(login, "_network", lambda address: "")


def test_train_says_how_many_are_allowed_and_goes_on_showing(store, small_sample, started, monkeypatch):
    monkeypatch.setenv("FMNIST_QUEUE_LIMIT", "4")
    at = visit(PAGES[1])
    at.button_group(key="dataset").set_value("sample")
    again(at)
    at.button(key="train").click()
    again(at)
    assert store.count() == 3
    at.number_input(key="seeds").set_value(2)
    again(at)
    at.button(key="train").click()
    again(at)
    assert "At most 4 of your runs" in " ".join(warning.value for warning in at.warning)
    assert store.count() == 3 and says(at, "Queued:")


def test_a_limit_that_is_none_stops_only_what_it_is_for(store, small_sample, started, monkeypatch):
    monkeypatch.setenv("FMNIST_QUEUE_LIMIT", "some")
    at = visit(PAGES[1])
    assert not at.error
    at.button_group(key="dataset").set_value("sample")
    again(at)
    at.button(key="train").click()
    again(at)
    assert "FMNIST_QUEUE_LIMIT" in at.error[0].value and store.count() == 0
