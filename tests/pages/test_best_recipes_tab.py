"""The tab "How far can they go" of the Compare page, by the runs that come with the project."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from helpers.ui import COMPARE, charts, texts, visit

from fmnist.compare import best_recipes
from fmnist.compare.best_recipes import BEST
from fmnist.ui import mirrored_shoes

pytestmark = [
    pytest.mark.skipif(not BEST.exists(), reason="the best recipes are not there"),
    pytest.mark.usefixtures("store", "started"),
]


def test_how_far_the_models_can_go_is_said_beside_what_others_have_published():
    at = visit(COMPARE, tab="How far can they go")
    assert [
        text
        for text in texts(at, "markdown")
        if re.match(r"\*\*Model 2 · best: 9\d\.\d%\*\*, \d\.\d points more", text)
    ]
    assert "Model 2 · best 9" in charts(at)["best-recipes"].alt and "WRN-40-4" in charts(at)["best-recipes"].alt
    [said] = [text for text in texts(at, "markdown") if text.startswith("**Shoes that point right:**")]
    published, mirrored = (int(share) for share in re.findall(r"\*\*(\d+)%\*\*", said))
    assert published < 30 and mirrored >= 93
    links = [link.proto.query_string for link in at.get("page_link") if "yourself" in link.proto.label]
    assert len(links) >= 3 and all("schedule=cosine" in link and "epochs=20" in link for link in links)


@pytest.mark.parametrize("file", ["BEST", "FOUND"])
def test_where_a_file_of_theirs_is_broken_the_tab_says_so_and_the_page_stays(file, tmp_path, monkeypatch):
    broken = tmp_path / "broken"
    broken.write_text("{")
    monkeypatch.setattr(best_recipes, file, broken)
    mirrored_shoes.best_recipes.clear()
    at = visit(COMPARE, tab="How far can they go")
    [said] = [text for text in texts(at, "warning") if "broken" in text]
    assert said.endswith("install the project again.")  # The user's own store is elsewhere.
    assert charts(at)["accuracy"] and "best-recipes" not in charts(at)
    mirrored_shoes.best_recipes.clear()


@pytest.mark.parametrize("kind", ["predictions/%", "weights"])
def test_a_damaged_run_of_theirs_is_not_named_as_if_it_were_the_users(kind, tmp_path, monkeypatch):
    damaged = Path(shutil.copy(BEST, tmp_path / "best.db"))
    with closing(sqlite3.connect(damaged)) as db, db:
        db.execute("UPDATE artifacts SET data = x'00' WHERE name LIKE ?", (kind,))
    monkeypatch.setattr(best_recipes, "BEST", damaged)
    mirrored_shoes.best_recipes.clear()
    at = visit(COMPARE, tab="How far can they go")
    assert "The runs of the best recipes are damaged: install the project again." in texts(at, "warning")
    assert not at.error
    mirrored_shoes.best_recipes.clear()
