"""Test images whose label may be wrong."""

from __future__ import annotations

import streamlit as st

from fmnist.compare import confusion
from fmnist.compare.possible_wrong_labels import SURE, possible_wrong_labels
from fmnist.data.files import TestSet
from fmnist.store.library import Group, Library, identity
from fmnist.ui import confusion_images
from fmnist.ui.confusion_items import known_answers
from fmnist.ui.export_panel import download_table
from fmnist.words import escape, listed

SUSPECTS = "Possible wrong labels"


def show_suspects(library: Library, groups: list[Group], images: TestSet) -> None:
    """Test images of which all models and seeds surely say the same other label."""
    runs = confusion.alive(groups)
    if not runs:
        st.info("All runs failed to learn: none of them can doubt a label.", icon=":material/block:")
        return
    table = library.remember(
        ("suspects", identity(groups)),
        lambda: possible_wrong_labels((library.logits(run) for run in runs), images.test_labels),
    )
    st.markdown(f"**{SUSPECTS}:** {len(table):,} of {len(images.test_labels):,} images.")
    titles = escape(listed(group.title for group in groups if confusion.alive([group])))
    failed = sum(len(group.runs) for group in groups) - len(runs)
    who = f"All {len(runs)} runs of {titles} give the same answer" if len(runs) > 1 else f"{titles} gives an answer"
    left_out = f" Left out: {failed} that failed to learn." if failed else ""
    st.caption(
        f"{who} with a probability of at least {SURE:.0%}, and it is not the label. "
        f"Models can be wrong together: look at the image before you believe them.{left_out}"
    )
    if table.empty:
        return
    named = table.assign(
        **{name: [images.info.classes[label] for label in table[name]] for name in ("label", "answer")}
    )
    st.dataframe(
        named,
        column_config={
            "image": st.column_config.NumberColumn("Test image", format="%d"),
            "label": "Label",
            "answer": "Answer of all runs",
            "probability": st.column_config.NumberColumn("Lowest probability", format="percent"),
        },
        hide_index=True,
        alt="Images whose label may be wrong, most confident first",
    )
    download_table("possible-wrong-labels", named)
    everyone = [known_answers(library, item, images) for item in map(confusion.all_seeds, groups)]
    confusion_images.show(library, table["image"].to_numpy(), [answers for answers in everyone if answers], images)
