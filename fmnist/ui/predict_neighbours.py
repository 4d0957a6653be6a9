"""The training images that are most like a picture, as the Predict page shows them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from fmnist.data.files import DataError
from fmnist.data.framing import SIDE
from fmnist.predict import unfamiliar
from fmnist.store.library import Group, Library
from fmnist.ui import resources
from fmnist.ui.data_download import offer_data
from fmnist.ui.image_tiles import image_tiles
from fmnist.words import listed

NEIGHBOURS = 10


def show_nearest(library: Library, groups: list[Group], image: np.ndarray) -> None:
    """The training images that are most like the image, with their labels."""
    try:
        known = resources.dataset(groups[0].recipe.dataset, library.own)
    except DataError as error:
        info = groups[0].recipe.info
        needed = f"This searches the {info.train:,} training images, which are not on this machine yet."
        offer_data(library.own, info.id, error, needed)
        return
    places, distances = unfamiliar.nearest(known.train_images, image, NEIGHBOURS)
    labels = known.train_labels[places]
    image_tiles(
        known.train_images[places],
        [
            f"{known.info.classes[label]}\n{off:.0%} different"
            for label, off in zip(labels, distances / (SIDE * 255), strict=True)
        ],
        "small",
    )
    st.markdown(_say_labels(labels, known.info.classes))
    st.caption(
        f"The closest of {len(known.train_images):,} training images, pixel by pixel. The percentage is the root "
        f"mean square difference; 100% is the difference between black and white. The models do not look these up: "
        f"they have learned from all of them. If even the nearest ones look different, or have other "
        "labels, the answer is little more than a guess."
    )


def _say_labels(labels: Sequence[int], classes: Sequence[str]) -> str:
    """How many of the neighbours are of which class: "7 of the nearest 10 are Coat, 3 Pullover."."""
    values, counts = np.unique(labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    said = [f"{counts[place]} **{classes[values[place]]}**" for place in order]
    return f"Of the {len(labels)} nearest: {listed(said)}."
