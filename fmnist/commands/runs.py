"""runs: list, show, resume, delete or import runs."""

from __future__ import annotations

from pathlib import Path

import click

from fmnist.commands import CommandError, options, say
from fmnist.commands.addresses import MAX_ID, existing, split
from fmnist.commands.options import Places
from fmnist.commands.progress import train_queued
from fmnist.commands.results import FIELDS, facts, report, row, standing
from fmnist.commands.tables import Column, print_json, print_rows, room, table
from fmnist.store.run import ACTIVE, Status
from fmnist.training import launcher

LISTED = (
    Column("id", lambda run: run.address, right=True),
    Column("status", lambda run: run.status.word),
    Column("name", lambda run: run.name, shortens=True),
    Column("data", lambda run: run.recipe.info.title),
    Column("recipe", lambda run: run.recipe.describe(), shortens=True),
    Column("result", standing),
)


@options.command("list")
@click.option("--status", type=options.STATUS_LIST, help="Only with this status, such as failed,interrupted.")
@click.option("--model", "--models", "models", type=options.MODELS, help="Only of these models, such as 0,2.")
@click.option("--dataset", "datasets", type=options.DATASET_LIST, help="Only on these data sets.")
@click.option("--seed", "--seeds", "seeds", type=options.SEEDS, help="Only with these seeds, such as 0-4.")
@click.option("--reference", is_flag=True, help="Include the reference runs that come with the project.")
@options.format_option("table", "csv", "json")
def list_runs(
    places: Places,
    status: list[str] | None,
    models: list[str] | None,
    datasets: list[str] | None,
    seeds: list[int] | None,
    reference: bool,
    format: str,
) -> None:
    """List runs, one per line."""
    stores = places.library.stores
    wanted = [
        run
        for source in (stores if reference else ("own",))
        for run in launcher.as_they_stand(stores[source], stores[source].runs())
        if status is None or run.status in status
        if models is None or run.recipe.model in models
        if datasets is None or run.recipe.dataset in datasets
        if seeds is None or run.recipe.seed in seeds
    ]
    if format == "json":
        print_json([facts(run) for run in wanted])
    elif format == "csv":
        print_rows([row(run) for run in wanted], FIELDS, format)
    elif wanted:
        print(table(wanted, LISTED, room(), header=False))


@options.command("show")
@click.argument("address", type=options.Read("RUN", split), metavar="RUN")
@options.format_option("json", "table")
def show(places: Places, address: tuple[str, int], format: str) -> None:
    """Show everything about a run, such as 12 or reference-3."""
    run = existing(places.library, *address)
    known = facts(*launcher.as_they_stand(places.library.stores[run.source], [run]))
    if format == "json":
        print_json(known)
        return
    rows = [(name, value) for name, value in known.items() if value is not None and not isinstance(value, dict)]
    if known["status"] == Status.DONE and known["multiply_adds"] is None:
        rows.append(("multiply_adds", "not counted"))
    for part in ("recipe", "result", "versions"):
        rows += [(f"{part} {name}", value) for name, value in (known[part] or {}).items()]
    columns = (Column("name", lambda row: row[0]), Column("value", lambda row: str(row[1]), shortens=True))
    print(table(rows, columns, room(), header=False))


@options.command("resume", changes=True)
@click.argument("ids", nargs=-1, type=options.RUN_IDS, metavar="[ID]...")
@options.ray_option
@options.quiet_option
@options.format_option("table", "csv", "json")
def resume(places: Places, ids: tuple[list[int], ...], cluster: str | None, quiet: bool, format: str) -> int:
    """Go on with interrupted or stopped runs, such as 3 or 5-8, from their last finished epoch.

    Without an ID all interrupted runs are resumed.
    """
    runs = places.library.own
    launcher.recover(runs)  # What a trainer that is gone has left behind is interrupted.
    wanted = [existing(places.library, "own", id) for id in _each_once(ids)] or runs.runs(Status.INTERRUPTED)
    for run in wanted:
        if run.status == Status.FAILED:
            raise CommandError(f"Run {run.id} failed, and would fail again: {run.error or 'no reason was given.'}")
        if run.stop:
            raise CommandError(f"Run {run.id} is being stopped: try again in a moment.")
    if not wanted:
        say("no run was interrupted.")
        return 0
    runs.resume(*(run.id for run in wanted), cluster=cluster)
    asked = [(run.id, run.status != Status.DONE) for run in wanted]
    train_queued(runs, [id for id, needed in asked if needed], cluster, quiet=quiet)
    return report(runs, asked, format, sweep=len({run.recipe.group() for run in wanted}) > 1)


@options.command("delete", changes=True)
@click.argument("ids", nargs=-1, required=True, type=options.RUN_IDS, metavar="ID...")
def delete(places: Places, ids: tuple[list[int], ...]) -> int:
    """Delete runs with their curves and weights, such as 3 or 5-8."""
    runs = places.library.own
    launcher.recover(runs)  # What a trainer that is gone has left behind is not running.
    code = 0
    for id in _each_once(ids):
        try:
            if runs.damage(id) if id <= MAX_ID else None:
                if not runs.delete(id):
                    raise CommandError(f"Run {id} is damaged and seems to be running: stop the trainer first.")
                print(f"Deleted run {id}, which was damaged.")
                continue
            run = existing(places.library, "own", id)
            if run.status in ACTIVE or not runs.delete(id):
                raise CommandError(f"Run {id} is {run.status}: stop it before you delete it.")
            print(f"Deleted run {id} ({run.name}).")
        except CommandError as error:  # The others are deleted all the same.
            say(str(error))
            code = 1
    return code


@options.command("import", changes=True)
@click.argument("file", type=options.FILE)
def import_store(places: Places, file: Path) -> None:
    """Import the finished runs of another store from its FILE, such as fmnist.db. The file is not changed."""
    from fmnist.commands.import_runs import import_runs  # imports torch

    print(import_runs(places.library, file, places.load).text)


def _each_once(ids: tuple[list[int], ...]) -> list[int]:
    return list(dict.fromkeys(id for part in ids for id in part))


runs = click.Group(
    "runs",
    help="List, show, resume, delete or import runs.",
    commands=[list_runs, show, resume, delete, import_store],
)
