"""A photo from the camera that stays while other sources and pages are visited, as uploads do (`kept_uploads`).

Streamlit forgets it as soon as its camera is not drawn. Whoever comes back finds the photo, and not the camera: that
would go on without being asked.
"""

from __future__ import annotations

import streamlit as st

CAMERA, PHOTO = "camera", "photo"


def taken(label: str) -> tuple[bytes | None, bool]:
    """Show the camera, or a button for it where there is a photo from before; the photo, and whether it is shown."""
    if CAMERA not in st.session_state and is_there():
        st.button("Take another photo", icon=":material/photo_camera:", on_click=_forget, key="another-photo")
        return st.session_state[PHOTO], False
    st.camera_input(label, key=CAMERA, on_change=_keep)
    return st.session_state.get(PHOTO), True


def is_there() -> bool:
    """Whether a photo was taken and not cleared."""
    return st.session_state.get(PHOTO) is not None


def _keep() -> None:
    photo = st.session_state[CAMERA]  # None where it was cleared.
    st.session_state[PHOTO] = photo.getvalue() if photo else None


def _forget() -> None:
    st.session_state[PHOTO] = None
