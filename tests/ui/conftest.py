"""What the browser tests of drawing share: a dashboard whose models answer untrained, and two windows on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from helpers import making
from helpers.browser import Server, Visitor, served
from helpers.data_files import keep_as_sample
from helpers.pad import LAPTOP, OWN_PAD, PHONE, PREDICT

from fmnist.data.files import Dataset
from fmnist.store.store import Store

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def untrained_server(tmp_path_factory: pytest.TempPathFactory, small_data: Dataset) -> Iterator[Server]:
    """A dashboard, to be visited by a browser, whose models have their initial weights and answer sample data."""
    folder = tmp_path_factory.mktemp("untrained")
    keep_as_sample(small_data, folder / "runs")
    store = Store(folder / "runs" / "fmnist.db")
    making.three_models(store, small_data, weights=True, dataset="sample")
    store.close()
    with served(folder / "runs", folder / "no-data") as server:
        yield server


@pytest.fixture(scope="module")
def anns_window(browser: Browser, untrained_server: Server) -> Iterator[Visitor]:
    """Of somebody who prefers this pad to the one for a mouse."""
    visitor = Visitor(browser, untrained_server, viewport=LAPTOP)
    visitor.context.add_init_script(OWN_PAD)
    visitor.open(PREDICT)
    yield visitor
    visitor.close()


@pytest.fixture(scope="module")
def phones_window(browser: Browser, untrained_server: Server) -> Iterator[Visitor]:
    visitor = Visitor(browser, untrained_server, viewport=PHONE, has_touch=True, is_mobile=True)
    visitor.open(PREDICT)
    yield visitor
    visitor.close()


@pytest.fixture
def ann(anns_window: Visitor) -> Iterator[Visitor]:
    anns_window.page.set_viewport_size(LAPTOP)
    yield anns_window
    anns_window.check()


@pytest.fixture
def phone(phones_window: Visitor) -> Iterator[Visitor]:
    yield phones_window
    phones_window.check()
