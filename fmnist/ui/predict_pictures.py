"""Where the Predict page gets its picture: drawn, uploaded, photographed, or one of the test images."""

from __future__ import annotations

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError
from fmnist.predict import conversion
from fmnist.predict.picture_file import MAX_BYTES, ImageError, open_image
from fmnist.store.library import Group, Library
from fmnist.ui import kept_photo, kept_uploads, predict_drawing, predict_examples, resources
from fmnist.ui.address import drop_unless_offered, names_of, settle_one
from fmnist.ui.data_download import offer_data
from fmnist.ui.predict_answers import Picked
from fmnist.ui.predict_table import MAX_FILES, table
from fmnist.ui.upload_limit import MAX_HELD
from fmnist.words import escape

PREVIEW = 280  # Pixels, both ways at most: on a phone the verdict is to be in view below it.
TYPES = ["jpg", "jpeg", "png", "webp", "avif", "gif", "bmp", "tif", "tiff", "jpe", "jfif"]


def draw(library: Library, dataset: str, groups: list[Group], beside: DeltaGenerator) -> Picked:
    """What is drawn on the pad."""
    return predict_drawing.draw(library, dataset)


def upload(library: Library, dataset: str, groups: list[Group], beside: DeltaGenerator) -> Picked:
    """One uploaded picture, or one of many that the table answers."""
    files, lost = kept_uploads.uploaded(f"Photos, each of {DATASETS[dataset].subject.photo}", TYPES, MAX_BYTES // 2**20)
    if lost:
        st.warning(
            f"{lost:,} of the {len(files) + lost:,} pictures {'is' if lost == 1 else 'are'} left out: the limit is "
            f"{MAX_HELD // 2**20} MB for all of them together. Upload fewer at a time, or smaller ones.",
            icon=":material/photo_size_select_large:",
        )
    if files:
        predict_examples.forget_photo()
    elif predict_examples.is_photo_asked(dataset):
        return Picked(predict_examples.photo(library, dataset), st.empty())
    if len(files) < 2:
        return Picked(opened(files[0].data) if files else None, st.empty())
    if len(files) > MAX_FILES:
        st.warning(f"Only the first {MAX_FILES} of {len(files):,} pictures are classified.")
    with beside:
        chosen = table(library, dataset, groups, files[:MAX_FILES])
    if chosen is None:
        return Picked(None, st.empty(), tabled=True)
    return Picked(opened(files[chosen].data), st.empty())


def photograph(library: Library, dataset: str, groups: list[Group], beside: DeltaGenerator) -> Picked:
    """A picture from the camera."""
    photo, is_shown = kept_photo.taken(f"A photo of {DATASETS[dataset].subject.photo}")
    return Picked(opened(photo, preview=not is_shown) if photo else None, st.empty())


def opened(file: bytes, preview: bool = True) -> Image.Image | None:
    """A picture file, shown; or what is wrong with it, said."""
    try:
        picture = open_image(file)
    except ImageError as error:
        st.error(escape(str(error)), icon=":material/broken_image:")
        return None
    if preview:
        width = max(1, round(PREVIEW * min(1, picture.width / picture.height)))
        st.image(conversion.preview_url(picture, width), width=width, alt="The uploaded picture")
    return picture


def pick(library: Library, dataset: str, groups: list[Group], beside: DeltaGenerator) -> Picked:
    """A test image: by its number, or by chance among those of a class or that a model gets wrong."""
    try:
        known = resources.test_set(dataset, library.own)
    except DataError as error:
        offer_data(library.own, dataset, error)
        return Picked(None, st.empty())
    place = st.container()  # The picture and, on a phone, the verdict under it: above what chooses another one.
    count, classes = len(known.test_images), known.info.classes
    if st.session_state.setdefault("index", 0) >= count:  # Of a larger data set: else it would stay in the address.
        st.session_state["index"] = 0
    wrong_by = {group.id: group for group in groups if len(predict_examples.said(library, group)) == count}
    names = {id: names_of(group.key, group.title, group.recipe.learning_rate) for id, group in wrong_by.items()}
    settle_one("wrong", names, None)
    drop_unless_offered("class", classes)

    def matching() -> np.ndarray:
        """The test images of the class, and wrong in the eyes of the model, that are asked for."""
        matches = np.ones(count, bool)
        if label := st.session_state["class"]:
            matches &= known.test_labels == classes.index(label)
        if group := wrong_by.get(st.session_state["wrong"]):
            matches &= predict_examples.said(library, group) != known.test_labels
        return np.flatnonzero(matches)

    def surprise() -> None:
        choice = matching()
        if len(choice):
            st.session_state["index"] = int(np.random.default_rng().choice(choice))

    if not st.query_params.get("index", "0").isdecimal():  # Streamlit itself fails at "inf".
        del st.query_params["index"]
        st.rerun()
    index = st.number_input(f"Test image, 0 to {count - 1:,}", 0, count - 1, key="index", bind="query-params")
    left, right = st.columns(2)
    with left:
        st.selectbox(
            "Only of class", classes, None, placeholder="Any", key="class", bind="query-params", on_change=surprise
        )
    with right:
        st.selectbox(
            "Only images misclassified by",
            list(wrong_by),
            None,
            placeholder="No filter",
            key="wrong",
            format_func=lambda id: wrong_by[id].title,
            on_change=surprise,
        )
    matches = len(matching())
    label = "Surprise me" if matches == count else f"Another of these {matches:,}"
    if matches < 2:
        label = "The only one of these" if matches else "There is none of these"
    st.button(label, icon=":material/casino:", on_click=surprise, disabled=not matches, key="surprise")
    image = known.test_images[index]
    place.image(conversion.to_data_url(image, 10), width=PREVIEW, alt=f"Test image {index}")
    return Picked(Image.fromarray(image), place.empty(), int(known.test_labels[index]))


SOURCES = {"Draw": draw, "Upload": upload, "Camera": photograph, "Test image": pick}


def is_kept(source: str) -> bool:
    """Whether a picture of this source is still there after a visit to another page."""
    return source in ("Draw", "Upload") or (source == "Camera" and kept_photo.is_there())
