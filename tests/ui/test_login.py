"""A login in front of the pages: a real dashboard, a real browser, and a provider of logins made for the test."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from helpers.browser import Server, Visitor
from helpers.client import PRESSED, Client
from helpers.processes import kill_trainers
from helpers.ui import PAGES, again, shown, visit

from fmnist.ui import login

pytest.importorskip("authlib", reason="Authlib is not installed (requirements-serve.txt)")
pytest.importorskip("joserfc", reason="joserfc is not installed: it comes with Authlib")
from helpers.provider import Provider, provider

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("", "Train", "Compare", "Confusion", "Predict", "Data")
ANN = {"sub": "1", "name": "Ann <b>*Example*</b>", "email": "ann@example.org", "email_verified": True}


@pytest.fixture(scope="module")
def accounts() -> Iterator[Provider]:
    with provider() as server:
        yield server


@pytest.fixture(scope="module")
def server(accounts: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A dashboard for ann@example.org and everybody of school.example."""
    folder = tmp_path_factory.mktemp("login")
    secrets = folder / "secrets.toml"
    server = Server(
        folder / "runs",
        folder / "no-data",
        STREAMLIT_SECRETS_FILES=str(secrets),
        FMNIST_USERS="ann@example.org @school.example",
    )
    secrets.write_text(accounts.secrets_file(server.url))
    server.start()
    yield server
    server.kill()
    kill_trainers(folder)


@pytest.fixture
def visitor(browser: Browser, server: Server) -> Iterator[Visitor]:
    somebody = Visitor(browser, server, viewport={"width": 1400, "height": 900})
    yield somebody
    somebody.close()


def log_in(visitor: Visitor, accounts: Provider, **person: object) -> None:
    accounts.person = person
    visitor.open()
    visitor.page.get_by_role("button", name="Log in").click()
    visitor.page.get_by_role("button", name="Log out").wait_for()
    visitor.settled()


@pytest.mark.parametrize("name", NAMES)
def test_without_a_login_no_page_sends_anything(server, name):
    """Not even to a client that asks for more than a browser would."""
    with Client(server.url, name, "models=0&dataset=sample&seeds=1&epochs=1&rate=0.1&batch=32&optimizer=sgd") as client:
        assert set(client.seen) == {"Log in"}
        forged = dict.fromkeys(("train", "stop-all", "start-trainer"), PRESSED)
        client.run({f"$$ID-{'0' * 32}-{name}": value for name, value in forged.items()})
        assert set(client.seen) == {"Log in"}
        assert not any("Model" in text or "accura" in text for text in client.said)
    assert not server.runs.exists(), "the store was opened"


def test_a_cookie_that_the_dashboard_did_not_sign_is_no_login(server):
    cookie = '_streamlit_user="eyJpc19sb2dnZWRfaW4iOnRydWV9.aaaa.bbbb"'
    with Client(server.url, "", cookie=cookie) as client:
        assert set(client.seen) == {"Log in"}


def test_log_in_and_look_and_log_out(server, accounts, visitor):
    log_in(visitor, accounts, **ANN)
    page = visitor.page
    page.get_by_test_id("stSidebar").get_by_text(ANN["name"], exact=True).wait_for()
    page.get_by_text("is the most accurate").first.wait_for()
    for name in ("Train", "Predict"):
        visitor.open(name)
        page.get_by_role("button", name="Log out").wait_for()
    # Streamlit gives up the run that is to handle a click if another one is asked for before it has begun, and the pad
    # asks for some as it appears. Nobody finds a button within these milliseconds, but a test does.
    page.locator("canvas").first.wait_for()
    visitor.settled()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Log in").wait_for()
    visitor.open("Compare")
    page.get_by_role("button", name="Log in").wait_for()
    assert page.get_by_role("heading", name="How do the models compare?").count() == 0
    assert not accounts.faults
    visitor.check()


def test_every_run_logs_out_until_the_browser_has_left(monkeypatch):
    """What one run tells a browser may be lost, if another one follows at once."""
    told: list[str] = []
    monkeypatch.setattr(login, "_providers", lambda: {"Log in": None})
    monkeypatch.setattr(login.st, "logout", lambda: told.append("leave"))
    monkeypatch.setattr(type(login.st.user), "to_dict", lambda _: ANN | {"is_logged_in": True})
    at = visit(PAGES[0])
    assert shown(at, "title") and not told
    at.sidebar.button(key="log-out").click()
    for turn in (1, 2, 3):
        again(at)
        assert told == ["leave"] * turn and not at.title


def test_who_is_not_on_the_list_is_told_and_sees_nothing(accounts, visitor):
    log_in(visitor, accounts, **ANN | {"sub": "2", "email": "ben@example.org"})
    page = visitor.page
    page.get_by_text("ben@example.org is not among the users").wait_for()
    assert page.get_by_role("heading", level=1).all_text_contents() == ["Not allowed"]
    assert page.get_by_test_id("stMain").get_by_role("button").all_text_contents() == ["logoutLog out"]


@pytest.mark.parametrize(
    "claims, said",
    [
        ({}, ""),
        ({"email": "carl@School.example"}, ""),
        ({"email": "ben@example.org"}, "is not among the users"),
        ({"email_verified": False}, "has not confirmed yours"),
        ({"email_verified": None}, "has not confirmed yours"),
        ({"email": None}, "has not confirmed yours"),
    ],
)
def test_the_list_of_users_goes_by_addresses_that_the_provider_vouches_for(claims, said, monkeypatch):
    monkeypatch.setenv("FMNIST_USERS", "ann@example.org @school.example")
    refusal = login._refusal(ANN | claims)
    assert said in refusal and bool(said) == bool(refusal)
    monkeypatch.delenv("FMNIST_USERS")
    assert not login._refusal(ANN | claims)


# Configurations that can't be meant


def test_secrets_that_can_not_be_read_let_nobody_in(tmp_path):
    secrets = tmp_path / "secrets.toml"
    secrets.write_text("[auth\n")
    server = Server(tmp_path / "runs", tmp_path / "no-data", STREAMLIT_SECRETS_FILES=str(secrets))
    try:
        server.start()
        with Client(server.url, "Train") as client:
            assert not client.seen and any("nobody is let in" in text for text in client.said)
    finally:
        server.kill()
    assert not server.runs.exists()


def test_without_authlib_a_configured_login_is_said_to_be_missing(monkeypatch):
    monkeypatch.setattr(login, "_providers", lambda: {"Log in": None})
    monkeypatch.setattr(login, "find_spec", lambda name: None)
    at = visit(PAGES[0])
    assert "requirements-serve.txt" in shown(at, "error")[0] and not at.title and not at.button


def test_several_providers_get_a_button_each(monkeypatch):
    auth = {"cookie_secret": "x", "google": {"client_id": "a"}, "school": {"client_id": "b"}}
    monkeypatch.setattr(login.st, "secrets", SimpleNamespace(to_dict=lambda: {"auth": auth}))
    assert login._providers() == {"Log in with google": "google", "Log in with school": "school"}
