"""The tab "How far can they go" of the Compare page, by the runs that come with the project."""

from __future__ import annotations

import re

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
    assert [text for text in texts(at, "warning") if "broken" in text]
    assert charts(at)["accuracy"] and "best-recipes" not in charts(at)
    mirrored_shoes.best_recipes.clear()
