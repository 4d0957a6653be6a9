"""A store that vanishes while the dashboard is open: it is said, and none is made in its place."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from helpers.answers import is_one_sentence
from helpers.making import three_models
from helpers.ui import PAGES, TRAIN, again, shown, texts, visit

from fmnist.store.store import Store

pytestmark = pytest.mark.usefixtures("bare_pages", "started")


@pytest.fixture
def opened(store: Store, small_data) -> Path:
    """The path of a store that a page has shown."""
    three_models(store, small_data)
    assert not texts(visit(TRAIN), "error")
    return store.path


def check_gone(page: str, path: Path) -> None:
    for _ in range(2):
        [error] = texts(visit(page), "error")
        assert "The store is gone" in error and is_one_sentence(error)
    assert not path.exists(), "nothing is made in its place"


@pytest.mark.parametrize("page", PAGES)
def test_a_store_whose_drive_is_gone_is_missed_until_it_is_back(page, opened):
    away = opened.parent.rename(opened.parent.with_name("away"))
    opened.parent.mkdir()  # Where a drive is mounted there is an empty folder.
    check_gone(page, opened)
    opened.parent.rmdir()
    away.rename(opened.parent)
    assert not texts(visit(page), "error")


@pytest.mark.parametrize("page", PAGES)
def test_a_store_whose_folder_is_gone_is_missed(page, opened):
    opened.parent.rename(opened.parent.with_name("away"))
    check_gone(page, opened)
    opened.parent.write_text("a file")
    check_gone(page, opened)


def test_a_new_store_that_was_made_on_purpose_is_shown(opened):
    opened.parent.rename(opened.parent.with_name("away"))
    Store(opened).close()
    at = visit(TRAIN)
    assert not texts(at, "error") and not texts(again(at), "error")


def test_a_view_only_dashboard_waits_for_a_store_and_then_misses_it(runs_path, monkeypatch):
    monkeypatch.setenv("FMNIST_READ_ONLY", "1")
    for _ in range(2):
        assert not texts(visit(TRAIN), "error") and not runs_path.parent.exists()
    monkeypatch.delenv("FMNIST_READ_ONLY")
    Store(runs_path).close()
    monkeypatch.setenv("FMNIST_READ_ONLY", "1")
    assert not texts(visit(TRAIN), "error")
    runs_path.parent.rename(runs_path.parent.with_name("away"))
    check_gone(TRAIN, runs_path)


def test_a_store_that_is_out_of_reach_is_said_to_be(opened, monkeypatch):
    stat = Path.stat

    def out_of_reach(path: Path, **options: bool) -> os.stat_result:
        if path == opened:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", out_of_reach)
    [error] = shown(visit(TRAIN), "error")
    assert str(opened) in error and "tale file handle" in error
