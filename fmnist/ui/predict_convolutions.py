"""What each channel of a convolution finds, as the tab "What convolutions see" of the Predict page shows it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from fmnist.models.registry import ARCHITECTURES
from fmnist.store.library import Group, Library
from fmnist.ui.image_tiles import image_tiles
from fmnist.ui.page import explained
from fmnist.words import escape

MAX_CHANNELS = 60


def show_convolutions(library: Library, groups: list[Group], image: np.ndarray) -> None:
    """What each channel of each convolution finds in the image, layer by layer."""
    from fmnist.predict import attribution, prediction

    seeing = [group for group in groups if attribution.has_convolutions(prediction.load_model(library, group.runs[0]))]
    if not seeing:
        st.markdown("None of these models has convolutions.")
    for group in seeing:
        run = group.runs[0]
        if len(group.runs) > 1:
            run = st.selectbox(
                f"{escape(group.title)}, trained with",
                group.runs,
                format_func=lambda run: f"Seed {run.recipe.seed}",
                key=f"why-seed-{group.id}",
                width=280,
                help="Each run has learned different channels.",
            )
        model = prediction.load_model(library, run)
        with explained(), ARCHITECTURES[group.recipe.model].blamed():
            layers = attribution.convolutions(model, image)
            for number, layer in enumerate(layers, start=1):
                _show_layer(f"{group.title}, convolution {number}", layer.window, layer.maps)
    if seeing:
        st.caption(
            "Each tile is one channel: it looks for one pattern everywhere in the image, and is light where it finds "
            "it. Black means that nothing was found; all tiles of a layer have the same scale. Later layers look at "
            "what earlier ones have found. Where the grid gets coarser, pooling has kept the largest value of each "
            "small square."
        )


def _show_layer(name: str, window: tuple[int, int], maps: np.ndarray) -> None:
    channels, rows, columns = maps.shape
    st.markdown(
        f"**{escape(name)}: {channels} × {rows} × {columns}** (channels × rows × columns), "
        f"each value from {window[0]} × {window[1]} of the layer before"
    )
    shown = np.maximum(maps[:MAX_CHANNELS], 0)
    tiles = np.rint(shown * (255 / (shown.max() or 1))).astype(np.uint8)
    captions = [f"{index}" + ("" if tile.any() else ": nothing") for index, tile in enumerate(tiles, start=1)]
    image_tiles(tiles, captions, "small")
    if channels > MAX_CHANNELS:
        st.caption(f"The first {MAX_CHANNELS} of {channels} channels.")
