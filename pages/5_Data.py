"""Data: what the models learn from."""

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from fmnist import settings
from fmnist.compare import charts, next_steps
from fmnist.data.catalog import DATASETS, DEFAULT
from fmnist.data.files import DataError, Dataset, TestSet
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.ui import next_step, resources
from fmnist.ui.address import settle_one
from fmnist.ui.chart_display import chart_config
from fmnist.ui.data_download import offer_data
from fmnist.ui.image_tiles import image_tiles
from fmnist.ui.page import page
from fmnist.ui.scope import say_where_from
from fmnist.ui.train_link import filled_in
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
    missing: DataError | None = None
    images: TestSet
    try:
        images = resources.dataset(name, library.own)
    except DataError as error:
        missing = error
        try:
            images = resources.test_set(name, library.own)
        except DataError:
            offer_data(library.own, name, missing)
            lead_on(name, "")
            return
    show_images(images)
    if missing:
        info = images.info
        offer_data(
            library.own,
            name,
            missing,
            f"**These are {info.title}'s test images, which come with the project.** The download adds the "
            f"{info.train:,} images that the models learn from: to train on them, and to see which of them are nearest "
            "to a picture on Predict.",
        )
    means = mean_images(images)
    lead_on(name, next_steps.most_alike(means, images.info.classes))


def lead_on(name: str, found: str) -> None:
    """The last line: to a training on these data, or to what was trained where none may be started."""
    if settings.read_only():
        next_step.show(
            "Confusion", f"{found}: see whether the models mix them up." if found else "See what they mix up."
        )
        return
    there = {}  # On other data than those that Train has at first, its form is filled in.
    if name != DEFAULT:
        there = filled_in([Recipe(model, dataset=name) for model in ARCHITECTURES.project], seeds=1)
    sentence = f"{found}: train, and see whether a model tells them apart." if found else "Train a model on them."
    next_step.show("Train", sentence, there)


def mean_images(images: TestSet) -> np.ndarray:
    """The mean image of each class, of the training set where it is there; uint8 (10, 28, 28)."""
    if isinstance(images, Dataset):
        return resources.mean_images(images.fingerprint, "Training", images.train_images, images.train_labels)
    return resources.mean_images(images.fingerprint, "Test", images.test_images, images.test_labels)


def show_images(images: TestSet) -> None:
    """The training images and the test images, or the latter alone."""
    splits = {"Test": (images.test_images, images.test_labels)}
    if isinstance(images, Dataset):
        splits = {"Training": (images.train_images, images.train_labels)} | splits
    counts = {split: np.bincount(labels, minlength=10) for split, (_, labels) in splits.items()}
    alike = all(len({*numbers}) == 1 for numbers in counts.values())
    of_each = " and ".join(f"{numbers[0]:,}" for numbers in counts.values())
    per_class = f"{of_each} of each class" if alike else "ten classes"
    what = f"{len(images.test_images):,} images to be tested on"
    if isinstance(images, Dataset):
        what = f"{len(images.train_images):,} images to learn from and {len(images.test_images):,} to be tested on"
    st.markdown(f"## {what}: grey, 28 × 28 pixels, {per_class}.")
    say_where_from(images.name, [])
    classes, first = images.info.classes, next(iter(splits))
    st.markdown(f"**The mean image of each class** ({first.lower()} set)")
    image_tiles(mean_images(images), classes, "ten")
    gallery, chart = st.tabs(["Gallery", "Counts"])
    with gallery:
        show_gallery(splits, classes)
    with chart:
        st.plotly_chart(
            charts.counts(counts, classes),
            key="counts",
            config=chart_config("counts"),
            alt="Images per class: "
            + listed(f"{name} {count:,}" for name, count in zip(classes, counts[first], strict=True)),
        )


def show_gallery(splits: Mapping[str, tuple[np.ndarray, np.ndarray]], classes: Sequence[str]) -> None:
    """The images of one class, a page at a time.

    Args:
        splits: images uint8 (N, 28, 28) and their labels, by what is told them apart: "Training", "Test".
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox("Class", classes, key="class", bind="query-params", width=240)
        split = next(iter(splits))
        if len(splits) > 1:
            split = st.segmented_control(
                "Set", list(splits), default=split, required=True, key="split", bind="query-params"
            )
        pixels, labels = splits[split]
        found = np.flatnonzero(labels == classes.index(label))
        last = max(1, -(-len(found) // PER_PAGE))
        number = st.number_input(f"Page, 1 to {last}", 1, last, 1, key=f"page-{split}", width=160)
    shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
    image_tiles(pixels[shown], [f"#{index}" for index in shown], "small")


with page("Data", "What do they learn from?"):
    show()
