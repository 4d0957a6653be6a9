"""Who may do how much: the queue's limit for each viewer, and the list of users."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from helpers.answers import is_one_sentence
from helpers.ui import PAGES, again, says, shown, visit

from fmnist import settings
from fmnist.recipe import Recipe
from fmnist.settings import Asker, SettingsError
from fmnist.store.queue import TooManyRuns
from fmnist.store.store import Store, StoreError
from fmnist.training import launcher
from fmnist.ui import login

ANN, BEN = Asker("ann", 3), Asker("ben", 3)


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
    store.make_deletion_final()
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
    assert shown(at, "error") == [str(refused.value)] and not at.title


def test_users_without_a_login_let_nobody_in(monkeypatch):
    monkeypatch.setenv("FMNIST_USERS", "ann@example.org")
    at = visit(PAGES[1])
    assert "no login is configured" in shown(at, "error")[0] and not at.title and not at.button


def test_addresses_of_one_network_are_one_viewer():
    assert login._network("2001:db8:1:2:3:4:5:6") == login._network("2001:db8:1:2::1") != login._network("2001:db8::1")
    assert login._network("192.0.2.1") != login._network("192.0.2.2")
    assert login._network("no address") and login._network(None) == ""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> None:
    """No trainer is started; and AppTest, which knows no addresses, gives the same one each time."""
    monkeypatch.setattr(launcher, "start", lambda runs: None)
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
    assert "FMNIST_QUEUE_LIMIT" in shown(at, "error")[0] and store.count() == 0
