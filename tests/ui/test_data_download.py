"""What was asked for while data are on their way: all of it is done, and what can't be is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError
from fmnist.grid import spanning
from fmnist.models.registry import ModelError
from fmnist.recipe import Recipe, RecipeError
from fmnist.settings import SettingsError
from fmnist.store.queue import TooManyRuns
from fmnist.ui.data_download import Download


class Arrived:
    """A download that has ended."""

    exit_code = 0

    def wait(self, seconds: float) -> int:
        return 0


@pytest.mark.parametrize("error", [RecipeError, ModelError, SettingsError, DataError, TooManyRuns, OSError])
def test_an_order_that_can_not_be_followed_is_said_and_the_others_are_followed(error, tmp_path: Path):
    """A custom model may have been changed or taken away meanwhile: there is no such recipe any more."""

    def refuse() -> None:
        raise error("It is gone.")

    done: list[int] = []
    download = Download(DATASETS["fashion-mnist"], tmp_path)
    download._running = True
    download.then(spanning([Recipe("0")], 1), refuse)
    download.then(spanning([Recipe("1")], 1), lambda: done.append(1))
    download.then(spanning([Recipe("2")], 1), lambda: done.append(2))
    download._wait_for(Arrived())
    assert done == [1, 2] and download.refused == "It is gone." and not download.running
