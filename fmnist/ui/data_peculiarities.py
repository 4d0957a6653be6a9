"""The tab "Peculiarities" of the Data page: what is worth knowing of FashionMNIST, in figures and pictures."""

from __future__ import annotations

import numpy as np
import streamlit as st

from fmnist.compare import overlap
from fmnist.compare.sentences import say_percent
from fmnist.data.catalog import CLOTHES, DEFAULT
from fmnist.data.files import TestSet
from fmnist.data.peculiarities import SHOES, TOPS, point_left
from fmnist.store.library import Library
from fmnist.ui.picture_strips import picture_rows
from fmnist.words import escape, listed

MAX_IMAGES = 24  # In a row.
MAX_MIX_UPS = 3


def known_of(dataset: str) -> bool:
    """Whether there is something to say of a data set."""
    return dataset == DEFAULT


def show_peculiarities(library: Library, images: TestSet, split: str, pixels: np.ndarray, labels: np.ndarray) -> None:
    """Which way shoes point, and which classes look alike.

    Args:
        images: FashionMNIST, or its test images alone: those of which the answers of the reference runs are known.
        split: whose images are counted, "Training" or "Test".
        pixels, labels: of these, uint8 (N, 28, 28) and integer (N,).
    """
    show_shoes(images.fingerprint, split, pixels, labels)
    show_overlap(library, images)


@st.cache_data(max_entries=4, show_spinner=False)
def pointing_left(fingerprint: str, split: str, _pixels: np.ndarray, _labels: np.ndarray) -> dict[str, np.ndarray]:
    """For each class of shoes, which of its images point left; counted once for all sessions."""
    return {name: point_left(_pixels[_labels == CLOTHES.classes.index(name)]) for name in SHOES}


def show_shoes(fingerprint: str, split: str, pixels: np.ndarray, labels: np.ndarray) -> None:
    """Nearly all shoes point left."""
    left = pointing_left(fingerprint, split, pixels, labels)
    known = {name: found for name, found in left.items() if len(found)}
    if not known:
        return
    every = np.concatenate(list(known.values()))
    shares = ", ".join(f"{name} {say_percent(float(found.mean()))}%" for name, found in known.items())
    st.markdown(
        f"**Shoes point left:** {every.mean():.0%} of {len(every):,} shoes have their heel on the right "
        f"({shares}). A shoe that points right is unusual to the models: draw one on Predict.",
        help="Worked out from the pixels: the heel is higher than the toe, so the right third of the image is "
        f"brighter in total than the left third. {split} images.",
    )
    rows = []
    for name, found in known.items():
        indices = np.flatnonzero(labels == CLOTHES.classes.index(name))
        rows.append((name, pixels[indices[found][:MAX_IMAGES]]))
        if name == min(known, key=lambda name: known[name].mean()) and not found.all():
            rows.append((f"{name}, all others", pixels[indices[~found][:MAX_IMAGES]]))
    picture_rows(rows)


def show_overlap(library: Library, images: TestSet) -> None:
    """Some classes look alike, and the reference runs mix them up."""
    tops = [CLOTHES.classes.index(name) for name in TOPS]
    found = overlap.among(library, images.name, images.test_labels, tops, MAX_MIX_UPS)
    if found is None:
        return
    cells, pairs = len(CLOTHES.classes) * (len(CLOTHES.classes) - 1), len(tops) * (len(tops) - 1)
    st.markdown(
        f"**{listed(TOPS)} look alike:** {found.share:.0%} of all errors of {escape(found.group.title)} in the "
        f"reference runs are mix-ups of these four, though they make up only {pairs} of the {cells} possible mix-ups.",
        help="The most accurate model of the reference runs, all of its runs together, on the test images.",
    )
    picture_rows(
        [
            (
                f"{CLOTHES.classes[one.true]} mistaken for {CLOTHES.classes[one.predicted]} ({one.share:.1%})",
                images.test_images[one.images[:MAX_IMAGES]],
            )
            for one in found.mix_ups
        ]
    )
