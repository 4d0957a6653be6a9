"""Buttons that fill in Train's form with a training worth doing. They start nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from fmnist.data.catalog import DATASETS
from fmnist.grid import Grid
from fmnist.store.library import Library
from fmnist.training.estimate import duration, estimate_seconds
from fmnist.ui import train_start
from fmnist.ui.train_link import fill_in, published


@dataclass(frozen=True)
class Preset:
    """What a button fills in: the project's models, on the data that are chosen."""

    name: str
    purpose: str
    seeds: int = 1
    learning_rates: tuple[float, ...] = ()  # Empty: that of the published recipe.

    def grid(self, dataset: str) -> Grid:
        grid = replace(published(self.seeds), dataset=dataset)
        return replace(grid, learning_rates=self.learning_rates, validations=None) if self.learning_rates else grid


PRESETS = (
    Preset("Quick look", "Each model once, with the published recipe."),
    Preset("Five seeds", "Each model five times: usually enough to tell which one is better.", seeds=5),
    Preset(
        "A sweep",
        "Each model with learning rates 0.01, 0.03 and 0.1: which one suits it best?",
        learning_rates=(0.01, 0.03, 0.1),
    ),
)


def offer(library: Library) -> None:
    """The presets, each with the time that it takes here."""
    dataset, slots = st.session_state["dataset"], train_start.slots(library)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Presets:", width="content")
        for preset in PRESETS:
            grid = preset.grid(dataset)
            seconds = estimate_seconds(library, grid.recipes(), DATASETS[dataset].train, slots)
            time = "" if seconds is None else f" · {duration(seconds)}"
            st.button(
                f"{preset.name}{time}",
                help=f"{preset.purpose} Nothing starts until you press Train.",
                key=f"preset-{preset.name}",
                on_click=fill_in,
                args=(grid,),
            )
