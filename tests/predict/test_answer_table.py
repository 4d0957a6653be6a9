"""The table of what models make of many pictures, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.making import finished_run

from fmnist.predict import answer_table
from fmnist.predict.answer_table import Picture
from fmnist.recipe import Recipe
from fmnist.store.library import Library


@pytest.mark.parametrize("title", ["Model 0", "file", "remarks"])
def test_every_value_has_a_column_of_its_own_whatever_the_model_is_called(title, store, small_data):
    finished_run(store, Recipe("0"), small_data)
    [group] = Library(store, None).groups("fashion-mnist")
    group = replace(group, title=title)
    pictures = [Picture("a.png", np.zeros((28, 28), np.uint8), ("It is dark.",)), Picture("b.png", None, ("No file.",))]
    found = answer_table.rows(pictures, [group], [np.eye(10)[[2]]])
    assert [list(row) for row in found] == [answer_table.columns([group])] * 2
    assert [list(row.values()) for row in found] == [
        ["a.png", "Pullover", 1.0, "It is dark."],
        ["b.png", None, None, "No file."],
    ]
