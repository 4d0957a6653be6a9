"""export: write finished runs in another format, or log them into a tracking server."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from fmnist.commands import CommandError, options, say
from fmnist.commands.addresses import finished
from fmnist.commands.options import Places, say_recounted
from fmnist.export import FORMATS, TRACKING_URI, chosen, folder


@options.command("export")
@click.argument("addresses", nargs=-1, required=True, type=options.ADDRESS, metavar="RUN...")
@click.option("--group", is_flag=True, help="Include the runs with other seeds of the same recipe.")
@click.option("--to", type=click.Choice(list(FORMATS)), required=True, help="The format: docs/export.md explains each.")
@click.option(
    "--out", type=options.FILE, help="The folder to write to.  [default: fmnist-FORMAT-RUN in the current folder]"
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@click.option("--tracking-uri", envvar=TRACKING_URI, show_envvar=True, metavar="URI", help="MLflow's server or folder.")
@click.option("--experiment", default="fmnist", show_default=True, metavar="NAME", help="MLflow's experiment.")
def export(
    places: Places,
    addresses: tuple[tuple[str, int], ...],
    group: bool,
    to: str,
    out: Path | None,
    force: bool,
    tracking_uri: str | None,
    experiment: str,
) -> None:
    """Export finished runs, such as 12 or reference-3, for other programs."""
    form = FORMATS[to]
    if form.tracking and not tracking_uri:
        raise CommandError(f"Log where? Give the server with --tracking-uri or in {TRACKING_URI}.")
    say_recounted(places)
    runs = [finished(places.library, *address) for address in dict.fromkeys(addresses)]
    if group:
        runs = chosen.widen(places.library, runs)
    function = form.load()
    exported = chosen.Chosen(places.library, tuple(runs), places.load)
    if form.tracking:
        remarks = function(exported, tracking_uri, experiment)
    else:
        place = out or Path(f"fmnist-{form.id}-{runs[0].address}")
        files, remarks = folder.fill(place, partial(function, exported), replace=force)
        print(*files, sep="\n")
    for remark in remarks:
        say(remark)
