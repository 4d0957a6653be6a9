"""Uploaded pictures that stay while other sources and pages are visited.

Streamlit forgets what was uploaded as soon as its uploader is not drawn, though the server still holds the files, as
many as `upload_limit` lets it hold. So we remember which they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from fmnist.words import escape

NAMED = 3
"""Files whose names are said."""


@dataclass
class Known:
    """By their ids, what this session has uploaded and not removed.

    Attributes:
        earlier: before the uploader was drawn anew, which shows none of these.
        now: those that the uploader shows.
    """

    earlier: list[str] = field(default_factory=list)
    now: list[str] = field(default_factory=list)


def uploaded(label: str, types: Sequence[str], max_megabytes: int) -> tuple[list[UploadedFileRec], int]:
    """Show an uploader, and what was uploaded with it before; all files, and how many the server holds no longer."""
    known: Known = st.session_state.setdefault("uploads", Known())
    if "file" not in st.session_state:  # It is drawn anew, and empty.
        known.earlier, known.now = known.earlier + known.now, []
    st.file_uploader(label, types, accept_multiple_files=True, max_upload_size=max_megabytes, key="file")
    known.now = [file.file_id for file in st.session_state["file"]]  # With those that the server has forgotten.
    files = _held([*known.earlier, *known.now])
    if known.earlier:
        before = {*known.earlier}
        _offer_removal([file.name for file in files if file.file_id in before])
    return files, len(known.earlier) + len(known.now) - len(files)


def _offer_removal(names: Sequence[str]) -> None:
    if len(names) > NAMED:
        said = f"{len(names)} pictures"
    else:
        said = ", ".join(f"**{escape(name)}**" for name in names) or "no picture that is still held"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"Kept from before: {said}", width="content")
        st.button("Remove", type="tertiary", icon=":material/delete:", key="remove-uploads", on_click=_remove_earlier)


def _remove_earlier() -> None:
    known, context = st.session_state["uploads"], get_script_run_ctx()
    if context:
        for id in known.earlier:
            with suppress(AttributeError):  # Only the manager that keeps files in memory can remove one.
                context.uploaded_file_mgr.remove_file(context.session_id, id)  # type: ignore[attr-defined]
    known.earlier = []


def _held(ids: Sequence[str]) -> list[UploadedFileRec]:
    context = get_script_run_ctx()
    return context.uploaded_file_mgr.get_files(context.session_id, ids) if context else []
