"""What all models make of many uploaded pictures at once, as a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from PIL import ImageOps
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from fmnist.data.catalog import DATASETS
from fmnist.predict import answer_table, conversion
from fmnist.predict.answer_table import Picture
from fmnist.predict.picture_file import ImageError, open_image
from fmnist.store.library import Group, Library
from fmnist.ui.export_panel import download_table
from fmnist.ui.page import explained
from fmnist.ui.predict_accuracy import say_how_good
from fmnist.ui.row_choice import key_of_rows
from fmnist.words import escape

MAX_FILES = 200
THUMBNAIL = 64
"""Pixels of the longer side of a picture in the table."""


def table(library: Library, dataset: str, groups: list[Group], files: Sequence[UploadedFileRec]) -> int | None:
    """What all models make of many pictures, as a table to download; the place of the one that is picked."""
    found = [converted(file.data, dataset) for file in files]
    pictures = [Picture(file.name, image, remarks) for file, (image, remarks, _) in zip(files, found, strict=True)]
    usable = [picture.image for picture in pictures if picture.image is not None]
    means: list[np.ndarray] = []
    if usable:
        with st.spinner("Loading the models …"):
            groups, means = _answers(library, groups, np.stack(usable))
            from fmnist.ui import predict_reasons

            pictures = answer_table.with_warnings(pictures, predict_reasons.familiarity(library, dataset))
    rows = pd.DataFrame(answer_table.rows(pictures, groups, means), columns=answer_table.columns(groups))
    classified = len(usable) if means else 0  # A custom model that is alone may raise something instead.
    st.markdown(f"## {classified} of {len(files)} pictures classified")
    if refused := [picture for picture in pictures if picture.image is None]:
        said = [f"- {escape(picture.name)}: {escape(picture.remarks[0])}" for picture in refused]
        st.error("\n".join(said), icon=":material/broken_image:")
    chosen = _show(rows, groups, files, pictures, [thumbnail for _, _, thumbnail in found])
    download_table("predictions", rows)
    if chosen is None:
        st.caption("Choose a row for a closer look.")
        if means:
            say_how_good(library, dataset, groups)
    return chosen


def answer_of(group: Group) -> str:
    """The name of the column that is shown of a model."""
    return f"{group.title}, answer"


def _show(
    rows: pd.DataFrame,
    groups: Sequence[Group],
    files: Sequence[UploadedFileRec],
    pictures: Sequence[Picture],
    thumbnails: Sequence[str | None],
) -> int | None:
    shown = rows.copy()
    shown["picture"] = [thumbnail or "" for thumbnail in thumbnails]
    shown["seen"] = ["" if one.image is None else conversion.to_data_url(one.image, 2) for one in pictures]
    for group in groups:  # In one column: three models, and what tells the pictures apart, are to be in view.
        probabilities = rows[answer_table.probability_of(group)]
        shown[answer_of(group)] = [
            f"{answer} {probability:.0%}" if pd.notna(answer) else ""
            for answer, probability in zip(rows[answer_table.answers_of(group)], probabilities, strict=True)
        ]
    event = st.dataframe(
        shown,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        row_height=48,
        key=key_of_rows("many", [file.file_id for file in files]),
        alt=f"What each model makes of {len(files)} pictures",
        column_order=["picture", "seen", *map(answer_of, groups), "file", "remarks"],
        column_config={
            "picture": st.column_config.ImageColumn("Picture", width=56),
            "seen": st.column_config.ImageColumn("Seen as", width=64),
            "file": st.column_config.TextColumn("File", width=160),
            "remarks": "Remarks",
            **{answer_of(group): st.column_config.TextColumn(group.title, width=116) for group in groups},
        },
    )
    return event.selection.rows[0] if event.selection.rows else None


def _answers(library: Library, groups: Sequence[Group], images: np.ndarray) -> tuple[list[Group], list[np.ndarray]]:
    """The groups that answer, and what each says of images uint8 (N, 28, 28): float (N, 10), over its seeds.

    Of a custom model that raises something instead, it is said.
    """
    answering, means = [], []
    for group in groups:
        with explained():
            runs = tuple(run.address for run in group.runs)
            means.append(_mean(str(library.own.path), runs, images.tobytes(), library, group))
            answering.append(group)
    return answering, means


@st.cache_data(max_entries=16, show_spinner=False)
def _mean(store: str, run_ids: tuple[str, ...], pixels: bytes, _library: Library, _group: Group) -> np.ndarray:
    from fmnist.predict import prediction

    images = np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28)
    return prediction.probabilities(_library, _group, images).mean(axis=0)


@st.cache_data(max_entries=4 * MAX_FILES, show_spinner="Converting the pictures …")
def converted(file: bytes, dataset: str) -> tuple[np.ndarray | None, tuple[str, ...], str | None]:
    """The image, uint8 (28, 28), with remarks and the address of the picture, small; of what can't be used None, with
    what is wrong."""
    try:
        picture = open_image(file)
    except ImageError as error:
        return None, (str(error),), None
    thumbnail = conversion.to_data_url(ImageOps.contain(picture, (THUMBNAIL, THUMBNAIL)))
    try:
        result = conversion.convert(picture, DATASETS[dataset].subject.framing)
    except ImageError as error:
        return None, (str(error),), thumbnail
    return result.image, result.remarks, thumbnail
