"""Predict: draw, upload, photograph or pick an image, and see what every model makes of it."""

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from fmnist.compare import confusion
from fmnist.data.catalog import DATASETS, SAMPLE
from fmnist.data.files import DataError
from fmnist.predict import conversion, drawing
from fmnist.predict.picture_file import MAX_BYTES, ImageError, open_image
from fmnist.store.library import Group, Library, default_groups
from fmnist.ui import drawing_pad, predict_answers, widgets

PREVIEW = 280  # Pixels
TYPES = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"]
MAX_FILES = 200

Picked = tuple[Image.Image | None, int | None]
"""The picture, and its true class where it is known."""


def show(library: Library) -> None:
    dataset, sources = widgets.choose_scope(library)
    groups = default_groups(library.groups(dataset, *sources))
    if not groups:
        widgets.nothing_trained()
        return
    if dataset == SAMPLE:  # This has to be known before anything else; where the runs come from, has not.
        widgets.say_where_from(dataset, groups)
    how = st.segmented_control(
        "Image",
        list(SOURCES),
        default="Draw",
        required=True,
        key="how",
        bind="query-params",
        label_visibility="collapsed",
    )
    left, right = st.columns([2, 3], gap="large")
    with left:
        picture, truth = SOURCES[how](library, dataset, groups, right)
    with right:
        if picture is None:
            st.markdown("#### The models' answers appear here.")
        else:
            predict_answers.show(library, dataset, groups, picture, truth)
    if dataset != SAMPLE:
        widgets.say_where_from(dataset, groups)


def draw(library: Library, dataset: str, groups: list[Group], beside: object) -> Picked:
    """The drawing pad. What is drawn is kept while other pages are visited."""
    place = st.container()
    traced = trace(library, dataset)  # Below the pad, but the pad shows it.
    with place:
        strokes = drawing_pad.strokes(traced)
    if not strokes:
        st.caption(
            f"{DATASETS[dataset].subject.drawing} The lasso fills what you circle; a polygon ends at its first corner. "
            "By keyboard: arrow keys, space, Enter."
        )
    return (drawing.picture(strokes) if strokes else None), None


def trace(library: Library, dataset: str) -> str:
    """The mean image of a class to draw over, if one is asked for, as the address of a picture; else nothing."""
    classes, thing = DATASETS[dataset].classes, DATASETS[dataset].subject.thing
    label = st.selectbox(
        f"A {thing} to trace",
        classes,
        index=None,
        placeholder=f"Trace a {thing}",
        key="trace",
        label_visibility="collapsed",
        width=240,
    )
    if label is None:
        return ""
    try:
        known = widgets.dataset(dataset, library.own)
    except DataError as error:
        st.caption(widgets.escape(str(error)))
        return ""
    mean = widgets.mean_images(known.fingerprint, known)[classes.index(label)]
    return conversion.to_data_url(255 - mean, 10)


def upload(library: Library, dataset: str, groups: list[Group], beside: object) -> Picked:
    files = st.file_uploader(
        f"Photos, each of one {DATASETS[dataset].subject.thing} on a plain background",
        TYPES,
        accept_multiple_files=True,
        max_upload_size=MAX_BYTES // 2**20,
        key="file",
    )
    if len(files) < 2:
        return (opened(files[0]) if files else None), None
    if len(files) > MAX_FILES:
        st.warning(f"Only the first {MAX_FILES} of {len(files):,} pictures are answered.")
    with beside:
        chosen = table(library, dataset, groups, files[:MAX_FILES])
    return (None if chosen is None else opened(files[chosen])), None


def photograph(library: Library, dataset: str, groups: list[Group], beside: object) -> Picked:
    photo = st.camera_input(f"A photo of one {DATASETS[dataset].subject.thing} on a plain background", key="camera")
    return (opened(photo, preview=False) if photo else None), None


def opened(file: object, preview: bool = True) -> Image.Image | None:
    """An uploaded picture, shown; or what is wrong with it, said."""
    try:
        picture = open_image(file.getvalue())
    except ImageError as error:
        st.error(str(error), icon=":material/broken_image:")
        return None
    if preview:
        st.image(picture, width=PREVIEW, alt="The uploaded picture")
    return picture


def table(library: Library, dataset: str, groups: list[Group], files: list) -> int | None:
    """What all models make of many pictures, as a table to take along; the place of the one that is picked."""
    found = [converted(file.getvalue(), dataset) for file in files]
    usable = [image for image, _ in found if image is not None]
    rows = pd.DataFrame({"file": [file.name for file in files]})
    if usable:
        with st.spinner("Loading the models …"):
            from fmnist.predict import prediction

            known = [prediction.probabilities(library, group, np.stack(usable)).mean(axis=0) for group in groups]
        places = [place for place, (image, _) in enumerate(found) if image is not None]
        for group, mean in zip(groups, known, strict=True):
            answers = pd.Series([group.recipe.info.classes[label] for label in mean.argmax(axis=1)], places)
            rows[group.title] = answers
            rows[f"{group.title}, probability"] = pd.Series(mean.max(axis=1).round(4), places)
    rows["remarks"] = [" ".join(remarks) for _, remarks in found]
    st.markdown(f"#### {len(usable)} of {len(files)} pictures answered")
    refused = [(file.name, remarks[0]) for file, (image, remarks) in zip(files, found, strict=True) if image is None]
    if refused:
        said = [f"- {widgets.escape(name)}: {widgets.escape(why)}" for name, why in refused]
        st.error("\n".join(said), icon=":material/broken_image:")
    shown = rows.copy()
    shown.insert(0, "seen", [image if image is None else conversion.to_data_url(image, 2) for image, _ in found])
    percent = st.column_config.NumberColumn("", format="percent", width=64)
    event = st.dataframe(
        shown,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="many",
        alt=f"What each model makes of {len(files)} pictures",
        column_config={
            "seen": st.column_config.ImageColumn("Seen as", width=64),
            "file": "File",
            "remarks": "Remarks",
            **{f"{group.title}, probability": percent for group in groups},
        },
    )
    widgets.download_table("predictions", rows)
    if event.selection.rows:
        return event.selection.rows[0]
    st.caption("Pick a row to look closer.")
    return None


@st.cache_data(max_entries=4 * MAX_FILES, show_spinner="Converting the pictures …")
def converted(file: bytes, dataset: str) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The image, uint8 (28, 28), with remarks; or None, and what is wrong with the file."""
    try:
        result = conversion.convert(open_image(file), DATASETS[dataset].subject.framing)
    except ImageError as error:
        return None, (str(error),)
    return result.image, result.remarks


def pick(library: Library, dataset: str, groups: list[Group], beside: object) -> Picked:
    try:
        known = widgets.dataset(dataset, library.own)
    except DataError as error:
        widgets.offer_data(library.own, dataset, error)
        return None, None
    st.session_state.setdefault("index", 0)
    count, classes = len(known.test_images), known.info.classes
    by_title = {group.title: group for group in groups}

    def matching() -> np.ndarray:
        """The test images of the class, and wrong in the eyes of the model, that are asked for."""
        matches = np.ones(count, bool)
        if label := st.session_state["class"]:
            matches &= known.test_labels == classes.index(label)
        if title := st.session_state["wrong"]:
            matches &= said(library, by_title[title]) != known.test_labels
        return np.flatnonzero(matches)

    def surprise() -> None:
        choice = matching()
        if len(choice):
            st.session_state["index"] = int(np.random.default_rng().choice(choice))

    index = st.number_input(f"Test image, 0 to {count - 1:,}", 0, count - 1, key="index", bind="query-params")
    left, right = st.columns(2)
    with left:
        st.selectbox(
            "Only of class", classes, None, placeholder="Any", key="class", bind="query-params", on_change=surprise
        )
    with right:
        st.selectbox(
            "Only got wrong by",
            [title for title, group in by_title.items() if len(said(library, group)) == count],
            None,
            placeholder="No matter",
            key="wrong",
            bind="query-params",
            on_change=surprise,
        )
    matches = len(matching())
    label = "Surprise me" if matches == count else f"Another of these {matches:,}"
    st.button(label, icon=":material/casino:", on_click=surprise, disabled=not matches, key="surprise")
    image = known.test_images[index]
    st.image(conversion.to_png(image, 10), width=PREVIEW, alt=f"Test image {index}")
    return Image.fromarray(image), int(known.test_labels[index])


def said(library: Library, group: Group) -> np.ndarray:
    """The class that a model gives each test image, by the mean over its seeds; integer (N,)."""
    return library.remember(("said", group.id), lambda: confusion.at_the_end(library, group.runs)[1])


SOURCES = {"Draw": draw, "Upload": upload, "Camera": photograph, "Test image": pick}


with widgets.page("Predict", "What do they make of it?"):
    show(widgets.open_library())
