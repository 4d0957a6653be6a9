"""The figures in the documents: each is the one that `python -m bench.figures` writes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from bench import figures
from fmnist.reference import make
from fmnist.settings import PROJECT
from fmnist.store.store import REFERENCE

STALE = "is out of date: run python -m bench.figures --text-only"


@pytest.fixture(scope="module", autouse=True)
def known() -> None:
    """Each figure is worked out once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "FIGURES", {name: cache(figure) for name, figure in figures.FIGURES.items()})
        yield


@pytest.mark.parametrize("document", figures.DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_figure_in_a_document_is_up_to_date(document: Path):
    text = document.read_text(encoding="utf-8")
    assert figures.brought_up_to_date(text) == text, f"{document.name} {STALE}"


def test_the_description_of_the_reference_runs_is_up_to_date():
    assert make.README.read_text(encoding="utf-8") == make.describe(REFERENCE), f"{make.README.name} {STALE}"


def test_every_figure_stands_in_some_document():
    named = {name for path in figures.DOCUMENTS for name in figures.named(path.read_text(encoding="utf-8"))}
    assert named == set(figures.FIGURES)


def test_only_what_is_marked_is_replaced(monkeypatch):
    monkeypatch.setitem(figures.FIGURES, "two", lambda: r"| \2 |")
    text = "1 <!-- figure: two -->1<!-- /figure --> 1\n<!-- figure: two -->\n\n1\n\n<!-- /figure -->\n"
    now = "1 <!-- figure: two -->| \\2 |<!-- /figure --> 1\n<!-- figure: two -->\n\n| \\2 |\n\n<!-- /figure -->\n"
    assert figures.brought_up_to_date(text) == now == figures.brought_up_to_date(now)


def test_a_figure_that_is_not_known_or_not_measured_is_named():
    with pytest.raises(figures.FigureError, match="There is no figure 'three': choose from accuracy-0, "):
        figures.brought_up_to_date("<!-- figure: three -->1<!-- /figure -->")
    with pytest.raises(figures.FigureError, match="has no row 'together' with a column 'weight'"):
        figures.measured("together", "weight")
