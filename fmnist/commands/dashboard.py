"""dashboard: start Streamlit on the dashboard's script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from fmnist import settings
from fmnist.commands import options
from fmnist.commands.options import Places


@options.command("dashboard", custom_models=False, begins=True)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- STREAMLIT OPTIONS]")
def dashboard(places: Places, arguments: tuple[str, ...]) -> int:
    """Show the dashboard in a browser, until Ctrl-C. What follows -- is passed to Streamlit: -- --server.port 8502."""
    environment = settings.environment() | {"FMNIST_RUNS": str(places.runs)}
    # Else the dashboard looks where a page was told to look.
    if options.is_named("data") or settings.named_data_root():
        environment["FMNIST_DATA"] = str(places.data)
    try:
        Path.home()
    except RuntimeError:  # Streamlit looks for its settings there, and ends where there is no such place.
        environment["HOME"] = str(places.runs.parent)
    # -P: whatever lies in the user's folder must not be imported instead of Streamlit and what it needs.
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(settings.dashboard_script()), *arguments]
    if os.name == "nt":
        return subprocess.run(command, env=environment).returncode
    os.execve(sys.executable, command, environment)
