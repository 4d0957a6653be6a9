"""The reference runs on the real data, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from helpers.browser import Server, Visitor, served
from helpers.hands import PAGES, check_looks

from fmnist.data import files
from fmnist.store.store import REFERENCE
from fmnist.training import launcher

if TYPE_CHECKING:
    from playwright.sync_api import Browser

REAL_DATA = files.data_root()

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def reference_server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of somebody who has the real data, and has not trained anything yet."""
    if not REFERENCE.exists():
        pytest.skip(f"the reference runs are not there: {REFERENCE}")
    folder = tmp_path_factory.mktemp("reference")
    with served(folder / "runs", REAL_DATA) as started:
        yield started


def test_the_reference_runs_on_the_real_data(real_data, reference_server, browser):
    visitor = Visitor(browser, reference_server, viewport={"width": 1400, "height": 900}, color_scheme="light")
    visitor.open()
    with launcher.held(launcher.lock(reference_server.runs / "fmnist.db")):  # Nothing is trained here.
        check_looks(visitor, PAGES, "dark", "light")
    visitor.check()
    visitor.close()
