"""What all models make of many pictures at once, as a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from fmnist.data.catalog import DATASETS
from fmnist.predict import conversion
from fmnist.predict.picture_file import ImageError, open_image
from fmnist.store.library import Group, Library
from fmnist.ui.export_panel import download_table
from fmnist.ui.predict_accuracy import say_how_good
from fmnist.ui.row_choice import key_of_rows
from fmnist.words import escape

MAX_FILES = 200


def table(library: Library, dataset: str, groups: list[Group], files: Sequence[UploadedFile]) -> int | None:
    """What all models make of many pictures, as a table to download; the place of the one that is picked."""
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
            rows[f"{group.title}, probability"] = pd.Series(mean.max(axis=1), places)
    rows["remarks"] = [" ".join(remarks) for _, remarks in found]
    st.markdown(f"## {len(usable)} of {len(files)} pictures classified")
    refused = [(file.name, remarks[0]) for file, (image, remarks) in zip(files, found, strict=True) if image is None]
    if refused:
        said = [f"- {escape(name)}: {escape(why)}" for name, why in refused]
        st.error("\n".join(said), icon=":material/broken_image:")
    shown = rows.copy()
    shown.insert(0, "seen", [image if image is None else conversion.to_data_url(image, 2) for image, _ in found])
    percent = st.column_config.NumberColumn("", format="percent", width=64)
    event = st.dataframe(
        shown,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=key_of_rows("many", [file.file_id for file in files]),
        alt=f"What each model makes of {len(files)} pictures",
        column_config={
            "seen": st.column_config.ImageColumn("Seen as", width=64),
            "file": "File",
            "remarks": "Remarks",
            **{f"{group.title}, probability": percent for group in groups},
        },
    )
    download_table("predictions", rows)
    if event.selection.rows:
        return event.selection.rows[0]
    st.caption("Choose a row for a closer look.")
    if usable:
        say_how_good(library, dataset, groups)
    return None


@st.cache_data(max_entries=4 * MAX_FILES, show_spinner="Converting the pictures …")
def converted(file: bytes, dataset: str) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The image, uint8 (28, 28), with remarks; or None, and what is wrong with the file."""
    try:
        result = conversion.convert(open_image(file), DATASETS[dataset].subject.framing)
    except ImageError as error:
        return None, (str(error),)
    return result.image, result.remarks
