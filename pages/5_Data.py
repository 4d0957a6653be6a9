"""Data: what the models learn from."""

import numpy as np
import streamlit as st

from fmnist import settings
from fmnist.compare import charts, next_steps
from fmnist.data.catalog import DATASETS, DEFAULT
from fmnist.data.description import describe
from fmnist.data.files import DataError, Dataset, TestSet
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.ui import next_step, resources
from fmnist.ui.address import settle_one
from fmnist.ui.chart_display import chart_config
from fmnist.ui.data_download import offer_data
from fmnist.ui.data_examples import show_examples
from fmnist.ui.data_peculiarities import known_of, show_peculiarities
from fmnist.ui.image_tiles import image_tiles
from fmnist.ui.page import page
from fmnist.ui.scope import say_where_from
from fmnist.ui.train_link import filled_in
from fmnist.words import listed


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
            st.caption(DATASETS[name].about)
            offer_data(library.own, name, missing)
            lead_on(name, "")
            return
    show_images(library, images)
    if missing:
        info = images.info
        offer_data(
            library.own,
            name,
            missing,
            f"**These are {info.title}'s test images, which come with the project.** The download adds the "
            f"{info.train:,} images that the models learn from: Train needs them, and Predict needs them to find "
            f"the training images nearest to a picture.",
        )
    means = mean_images(images)
    lead_on(name, next_steps.most_alike(means, images.info.classes))


def lead_on(name: str, found: str) -> None:
    """The last line: to a training on these data, or to what was trained where none may be started."""
    if settings.read_only():
        next_step.show(
            "Confusion", f"{found}: see whether the models mix them up." if found else "See what the models mix up."
        )
        return
    there = {}  # On other data than those that Train has at first, its form is filled in.
    if name != DEFAULT:
        there = filled_in([Recipe(model, dataset=name) for model in ARCHITECTURES.project], seeds=1)
    sentence = f"{found}: train, and see whether a model tells them apart." if found else "Train a model on them."
    next_step.show("Train", sentence, there)


def mean_images(images: TestSet) -> np.ndarray:
    """The average image of each class, of the training set where it is there; uint8 (10, 28, 28)."""
    if isinstance(images, Dataset):
        return resources.mean_images(images.fingerprint, "Training", images.train_images, images.train_labels)
    return resources.mean_images(images.fingerprint, "Test", images.test_images, images.test_labels)


def show_images(library: Library, images: TestSet) -> None:
    """What the data set is, and its images: those to train on and those to test on, or the latter alone."""
    splits = {"Test": (images.test_images, images.test_labels)}
    if isinstance(images, Dataset):
        splits = {"Training": (images.train_images, images.train_labels)} | splits
    first, classes = next(iter(splits)), images.info.classes
    st.markdown(f"## {describe(images)}")
    st.caption(images.info.about)
    say_where_from(images.name, [])
    names = ["Examples", *(["Peculiarities"] if known_of(images.name) else []), "Average pictures", "Counts"]
    for name, tab in zip(names, st.tabs(names, key="part", bind="query-params"), strict=True):
        if not tab.open:  # Only the open one is worked out.
            continue
        with tab:
            match name:
                case "Examples":
                    show_examples(splits, classes)
                case "Peculiarities":
                    show_peculiarities(library, images, first, *splits[first])
                case "Average pictures":
                    st.markdown(f"The average picture of each class ({first.lower()} images).")
                    image_tiles(mean_images(images), classes, "ten")
                case "Counts":
                    show_counts(
                        {split: np.bincount(labels, minlength=10) for split, (_, labels) in splits.items()}, classes
                    )


def show_counts(counts: dict[str, np.ndarray], classes: tuple[str, ...]) -> None:
    """How many images there are of each class.

    Args:
        counts: int (10,) of the training images, the test images or both.
    """
    first = next(iter(counts.values()))
    st.plotly_chart(
        charts.counts(counts, classes),
        key="counts",
        config=chart_config("counts"),
        alt="Images per class: " + listed(f"{name} {count:,}" for name, count in zip(classes, first, strict=True)),
    )


with page("Data", "What do the models learn from?", charts=False):
    show()
