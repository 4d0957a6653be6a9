"""Brings what a click has asked for into view, where it stands below or above what the window shows."""

from __future__ import annotations

import uuid

import streamlit as st

from fmnist.ui.component import component

ASKED = "asked-into-view"


def ask_for(target: str) -> None:
    """Called by a click: bring this into view as soon as it is drawn. Not called, nothing moves.

    Args:
        target: the key of a container.
    """
    st.session_state[ASKED] = target


def bring(target: str, *, images: bool = True) -> None:
    """At the end of a container with this key: have the browser scroll to it, if that was asked for.

    It stays where it is if its top and its first image are in view; without images, if it begins in the upper half.

    Args:
        images: whether it has images, which are waited for.
    """
    asked = ""
    if st.session_state.get(ASKED) == target:
        del st.session_state[ASKED]
        asked = uuid.uuid4().hex
    component("into_view")(
        key=f"into-view-{target}", data={"target": target, "asked": asked, "images": images}, height=1
    )
