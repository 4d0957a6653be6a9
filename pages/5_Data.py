"""Data: what the models learn from."""

import numpy as np
import streamlit as st

from fmnist.compare import charts
from fmnist.data.catalog import DATASETS, DEFAULT
from fmnist.data.files import DataError, Dataset
from fmnist.ui import resources
from fmnist.ui.address import settle_one
from fmnist.ui.chart_display import chart_config
from fmnist.ui.data_download import offer_data
from fmnist.ui.image_tiles import image_tiles
from fmnist.ui.page import page
from fmnist.ui.scope import say_where_from
from fmnist.words import listed

PER_PAGE = 36


def show() -> None:
    library = resources.open_library()
    settle_one("data", {name: [name, info.title] for name, info in DATASETS.items()}, DEFAULT)
    name = st.segmented_control(
        "Data",
        list(DATASETS),
        format_func=lambda name: DATASETS[name].title,
        required=True,
        wrap=True,
        key="data",
        label_visibility="collapsed",
    )
    assert name is not None, "it is required"
    try:
        images = resources.dataset(name, library.own)
    except DataError as error:
        offer_data(library.own, name, error)
        return
    classes = images.info.classes
    train, test = (np.bincount(labels, minlength=10) for labels in (images.train_labels, images.test_labels))
    per_class = f"{train[0]:,} and {test[0]:,} of each class" if len({*train}) == len({*test}) == 1 else "ten classes"
    st.markdown(
        f"#### {len(images.train_images):,} images to learn from and {len(images.test_images):,} to be tested on: "
        f"grey, 28 × 28 pixels, {per_class}."
    )
    say_where_from(name, [])
    st.markdown("**The mean image of each class** (training set)")
    image_tiles(resources.mean_images(images.fingerprint, images), classes, "ten")
    gallery, counts = st.tabs(["Gallery", "Counts"])
    with gallery:
        show_gallery(images)
    with counts:
        st.plotly_chart(
            charts.counts(train, test, classes),
            key="counts",
            config=chart_config("counts"),
            alt="Images per class: " + listed(f"{name} {count:,}" for name, count in zip(classes, train, strict=True)),
        )


def show_gallery(images: Dataset) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox("Class", images.info.classes, key="class", bind="query-params", width=240)
        split = st.segmented_control(
            "Set", ["Training", "Test"], default="Training", required=True, key="split", bind="query-params"
        )
        labels = images.train_labels if split == "Training" else images.test_labels
        pixels = images.train_images if split == "Training" else images.test_images
        found = np.flatnonzero(labels == images.info.classes.index(label))
        last = max(1, -(-len(found) // PER_PAGE))
        number = st.number_input(f"Page, 1 to {last}", 1, last, 1, key=f"page-{split}", width=160)
    shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
    image_tiles(pixels[shown], [f"#{index}" for index in shown], "small")


with page("Data", "What do they learn from?"):
    show()
