"""export: write finished runs in another format, or log them into a tracking server."""

from __future__ import annotations

import argparse
import os
from functools import lru_cache, partial
from pathlib import Path

from fmnist import background
from fmnist.commands import CommandError
from fmnist.commands.addresses import finished
from fmnist.commands.arguments import Commands, add_command
from fmnist.data import files as data_files
from fmnist.export import FORMATS, TRACKING_URI, chosen, folder
from fmnist.store.library import Library
from fmnist.store.store import Store


def add(commands: Commands) -> None:
    sub = add_command(commands, "export", export, "write finished runs in the formats of other programs")
    sub.add_argument("addresses", nargs="+", metavar="RUN", help="for example 12, or reference-3")
    sub.add_argument("--group", action="store_true", help="with all seeds of the same recipe")
    sub.add_argument("--to", choices=FORMATS, required=True, help="the format: docs/export.md explains each")
    sub.add_argument("--out", type=Path, metavar="PATH", help="the folder (default: fmnist-FORMAT-RUN, here)")
    sub.add_argument("--force", action="store_true", help="replace files of the same names")
    sub.add_argument(
        "--tracking-uri",
        default=os.environ.get(TRACKING_URI),
        metavar="URI",
        help=f"MLflow's (default: {TRACKING_URI})",
    )
    sub.add_argument("--experiment", default="fmnist", metavar="NAME", help="MLflow's (default: %(default)s)")


def export(options: argparse.Namespace) -> int:
    form = FORMATS[options.to]
    if form.tracking and not options.tracking_uri:
        raise CommandError(f"Where to? Name it with --tracking-uri, or in {TRACKING_URI}.")
    library = Library(Store(options.runs))
    runs = [finished(library, address) for address in dict.fromkeys(options.addresses)]
    if options.group:
        runs = chosen.widen(library, runs)
    function = form.load()
    load = lru_cache(lambda name: data_files.load(name, options.data, options.runs.parent))
    exported = chosen.Chosen(library, tuple(runs), load)
    if form.tracking:
        remarks = function(exported, options.tracking_uri, options.experiment)
    else:
        place = options.out or Path(f"fmnist-{form.id}-{runs[0].address}")
        files, remarks = folder.fill(place, partial(function, exported), replace=options.force)
        print(*files, sep="\n")
    for remark in remarks:
        background.say(remark)
    return 0
