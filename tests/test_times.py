"""Times of day: wherever one is shown, its offset from UTC stands with it."""

from __future__ import annotations

import logging
import re
import time
from datetime import UTC, datetime

import pytest
from helpers.making import three_models

from fmnist.commands import results
from fmnist.compare import report
from fmnist.compare.comparison import Comparison
from fmnist.store.label import NO_LABEL
from fmnist.store.library import Library
from fmnist.ui.run_deletion import described
from fmnist.words import LOG_LINE, LOG_TIME, moment

pytestmark = pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system's time zone can't be set here")


@pytest.fixture(autouse=True)
def in_nepal(monkeypatch):
    """A place whose clocks differ from UTC by no full hour."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_moment_reads_as_the_same_moment_elsewhere():
    noon = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
    assert moment(noon + 59) == "2026-11-25 17:45+05:45"
    assert moment(noon + 7.9, "seconds") == "2026-11-25 17:45:07+05:45"
    assert datetime.fromisoformat(moment(noon)).timestamp() == noon


def test_a_run_tells_when_it_was_finished_and_where_the_clocks_stand(store, small_data):
    run, *_ = three_models(store, small_data)
    assert described(run).endswith(moment(run.finished)) and moment(run.finished).endswith("+05:45")
    for told in (results.facts(run, NO_LABEL), results.row(run, NO_LABEL)):
        for name in ("created", "started", "finished"):
            assert abs(datetime.fromisoformat(told[name]).timestamp() - getattr(run, name)) < 1


def test_a_report_and_a_log_do(store, small_data):
    three_models(store, small_data)
    library = Library(store, None)
    text = report.write(Comparison(library, library.groups("fashion-mnist"), None), with_images=False)
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d\+05:45 · made by fmnist", text)
    formatter = logging.Formatter(LOG_LINE, LOG_TIME)
    line = formatter.format(logging.makeLogRecord({"msg": "ready"}))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+0545 ready", line)
