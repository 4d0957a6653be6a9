"""The pages' way to take runs elsewhere: a choice of formats, and a file to save."""

from __future__ import annotations

import io
import os
import tempfile
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from fmnist import settings
from fmnist.background import BackgroundProcess
from fmnist.compare import report
from fmnist.compare.comparison import Comparison
from fmnist.export import FORMATS, TRACKING_URI, ExportError, Format, csv_file
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.ui.chart_display import choose_picture_format
from fmnist.words import escape, reason

MAX_RUNS = 40
"""At once from a page: the answers of so many runs are some 30 MB, which lie in the server's memory."""
MAX_SECONDS = 300
KEPT = "exported"


@st.cache_resource
def _turn() -> threading.Lock:
    """Of all sessions one exports at a time: each takes a processor and, for some formats, PyTorch's memory."""
    return threading.Lock()


def download_table(name: str, table: pd.DataFrame, label: str = "Download as CSV") -> None:
    """A button for a table as a CSV file."""
    st.download_button(
        label,
        csv_file.as_file(table),
        f"{name}.csv",
        "text/csv",
        icon=":material/table:",
        on_click="ignore",
        key=f"download-{name}-{label}",
    )


def download_menu(library: Library, compared: Comparison, *, with_images: bool) -> None:
    """A menu to download what is shown, and the runs behind it.

    Args:
        with_images: whether the test labels are there.
    """
    with st.popover("Download", icon=":material/download:"):
        st.download_button(
            "Report with interactive charts (HTML)",
            lambda: report.write(compared, with_images=with_images),  # Made when it is asked for.
            "comparison.html",
            "text/html",
            icon=":material/article:",
            on_click="ignore",
            help="One file that opens offline. Each of its charts can be saved as PNG or SVG.",
        )
        download_table("comparison", compared.table(), "Numbers (CSV)")
        choose_picture_format()
        st.divider()
        st.markdown("**The runs themselves**, for other programs")
        export_panel(library, [run for group in compared.groups for run in group.runs], "compared")


def export_panel(library: Library, runs: Sequence[Run], key: str) -> None:
    """Choose a format, have it made, save it.

    It is made by the command line in a process of its own: the server stays without PyTorch and what else an export
    needs, and what goes wrong is said. (A download that Streamlit makes at the click can only say that it failed.)

    Args:
        runs: finished ones.
        key: of this panel, for its widgets.
    """
    form = FORMATS[
        st.selectbox("Format", list(FORMATS), format_func=lambda id: FORMATS[id].name, key=f"{key}-format", width=320)
    ]
    st.caption(form.makes)
    if form.missing:
        st.caption(f":material/extension_off: {escape(form.missing)}")
        return
    if form.tracking and settings.read_only():
        st.caption("This dashboard is view-only: it can't log runs elsewhere.")
        return
    if form.tracking and not os.environ.get(TRACKING_URI):
        st.caption(
            f"Start the dashboard with {TRACKING_URI} set to log from here. You can't enter an address on this page, "
            f"because the dashboard's machine would connect to it. From a terminal:"
        )
        st.code(f"{_command(form, runs[:MAX_RUNS])} --tracking-uri URI", language="sh", wrap_lines=True)
        return
    if len(runs) > MAX_RUNS:
        st.caption(f"This page exports at most {MAX_RUNS} runs at once; the command line takes any number:")
        st.code(_command(form, runs), language="sh", wrap_lines=True)
        return
    many = f"{len(runs)} runs" if len(runs) > 1 else "1 run"
    label = f"Log {many}" if form.tracking else f"Prepare {many} to download"
    if st.button(label, key=f"{key}-make", icon=":material/deployed_code:"):
        st.session_state.pop(KEPT, None)
        try:
            with st.spinner("Preparing the files …"):
                content, name, remarks = _export(library, form, runs)
        except ExportError as error:
            st.error(escape(str(error)), icon=":material/error:")
            return
        st.session_state[KEPT] = (_identity(form, runs), content, name, remarks)
    identity, content, name, remarks = st.session_state.get(KEPT, ("", b"", "", []))
    if identity != _identity(form, runs):
        return
    if content:
        st.download_button(
            f"Save {name} ({_size(len(content))})",
            content,
            name,
            icon=":material/download:",
            type="primary",
            on_click="ignore",
            key=f"{key}-save",
        )
    for remark in remarks:
        st.caption(escape(remark))


def _identity(form: Format, runs: Sequence[Run]) -> str:
    return " ".join([form.id, *(f"{run.address}:{run.key}" for run in runs)])


def _command(form: Format, runs: Sequence[Run]) -> str:
    return settings.command(f"export {' '.join(run.address for run in runs)} --to {form.id}")


def _export(library: Library, form: Format, runs: Sequence[Run]) -> tuple[bytes, str, list[str]]:
    """The file (nothing where it was logged), its name, and what there is to say.

    Raises:
        ExportError: as the command line says it.
    """
    try:
        place = tempfile.TemporaryDirectory(prefix="fmnist-export-")
    except OSError as error:
        raise ExportError(
            f"The server has no folder for temporary files ({reason(error)}): set one with TMPDIR."
        ) from error
    with place as temporary, _turn():
        folder = Path(temporary) / "files"
        command = [*settings.module("fmnist"), "export", *(run.address for run in runs), "--to", form.id]
        root = library.own.data_root(runs[0].recipe.dataset)
        command += ["--out", str(folder), "--runs", str(library.own.path), "--data", str(root)]
        try:
            process = BackgroundProcess(*command)
        except OSError as error:
            raise ExportError(f"No process can be started for the export ({reason(error)}): try again.") from error
        try:
            code = process.wait(MAX_SECONDS)
        finally:
            process.stop()
        if code is None:
            raise ExportError(f"It took more than {MAX_SECONDS} s and was stopped: choose fewer runs.")
        if code:
            raise ExportError(process.fault("The export ended unexpectedly: try it from the command line."))
        return *_as_one_file(folder, form, runs), process.sentences


def _as_one_file(folder: Path, form: Format, runs: Sequence[Run]) -> tuple[bytes, str]:
    """What lies in a folder, and a name for it; several files as a .zip. Nothing where there is none."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if len(files) <= 1:
        return (files[0].read_bytes(), files[0].name) if files else (b"", "")
    name = f"fmnist-{form.id}-{runs[0].address}"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, Path(name) / path.relative_to(folder))
    return packed.getvalue(), f"{name}.zip"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count > 1e6 else f"{max(1, round(count / 1e3))} kB"
