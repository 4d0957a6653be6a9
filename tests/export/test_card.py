"""The model card of runs that hold out images: what the test images say is not its matter."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

from helpers.making import finished_run

from fmnist.export import card, script
from fmnist.export.chosen import Chosen, widen
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.store import Store


def written(store, data, test_accuracy: float) -> tuple[str, str]:
    """The card, and the text beside a script, of two runs that differ in their test answers alone."""
    library = Library(store, None)
    runs = [
        finished_run(
            store,
            Recipe("0", seed, "sample", validation=100),
            data,
            accuracy=test_accuracy,
            held_out=0.75,
            weights=True,
        )
        for seed in (0, 1)
    ]
    chosen = Chosen(library, tuple(widen(library, runs[-1:])), lambda _: data)
    folder = store.path.parent / "script"
    folder.mkdir()
    script.write(chosen, folder)
    return card.write(chosen), (folder / "README.md").read_text(encoding="utf-8")


def test_card_and_script_say_nothing_of_the_test_images(store, small_data, tmp_path):
    one = written(store, small_data, 0.3)
    assert all("eld-out accuracy" in text and "est accuracy" not in text for text in one)
    assert "python -m fmnist confirm" in one[0] and "recall" not in one[0].lower()
    with closing(Store(tmp_path / "other" / "fmnist.db")) as other:
        assert comparable(written(other, small_data, 0.9)) == comparable(one)


def comparable(texts: tuple[str, str]) -> list[str]:
    """Without what tells runs from others whatever they answer."""
    return [re.sub(r"`[0-9a-f]{32}`|\d+\.\d s", "", text) for text in texts]


def test_the_code_on_a_card_imports_what_it_needs_once_and_runs(chosen):
    blocks = [block for block in re.findall(r"```python\n(.*?)```", card.write(chosen), re.DOTALL) if "def " in block]
    for block, (name, parameters) in zip(blocks, (("linear", 7850), ("tiny_vgg", 7740)), strict=True):
        assert block.count("from torch import nn") == 1
        made: dict[str, Any] = {}
        exec(block, made)
        assert sum(parameter.numel() for parameter in made[name]().parameters()) == parameters
