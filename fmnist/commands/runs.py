"""runs: list, show, name, resume, delete, restore or import runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from fmnist.commands import CommandError, options, say
from fmnist.commands.addresses import MAX_ID, existing
from fmnist.commands.options import Places
from fmnist.commands.progress import train_queued
from fmnist.commands.results import FIELDS, facts, report, standing
from fmnist.commands.results import row as row_of
from fmnist.commands.tables import Column, print_json, print_rows, room, table
from fmnist.store.label import MAX_NAME, MAX_NOTE, NO_LABEL, Label, LabelError
from fmnist.store.run import ACTIVE, Run, Status
from fmnist.store.search import matching, text_of
from fmnist.training import launcher


@dataclass(frozen=True)
class Labelled:
    """A run with the name and the note that a user gave it."""

    run: Run
    label: Label


LISTED = (
    Column("id", lambda row: row.run.address, right=True),
    Column("status", lambda row: row.run.status.word),
    Column("model", lambda row: row.run.name, shortens=True),
    Column("data", lambda row: row.run.recipe.info.title),
    Column("recipe", lambda row: row.run.recipe.describe(), shortens=True),
    Column("result", lambda row: standing(row.run)),
    Column("name", lambda row: row.label.name, shortens=True),
)


@options.command("list")
@click.option("--status", type=options.STATUS_LIST, help="Only with this status, such as failed,interrupted.")
@click.option("--model", "--models", "models", type=options.MODELS, help="Only of these models, such as 0,2.")
@click.option("--dataset", "datasets", type=options.DATASET_LIST, help="Only on these data sets.")
@click.option("--seed", "--seeds", "seeds", type=options.SEEDS, help="Only with these seeds, such as 0-4.")
@click.option("--search", default="", help="Only those whose name, note, model or recipe contains this text.")
@click.option("--reference", is_flag=True, help="Include the reference runs that come with the project.")
@options.format_option("table", "csv", "json")
def list_runs(
    places: Places,
    status: list[str] | None,
    models: list[str] | None,
    datasets: list[str] | None,
    seeds: list[int] | None,
    search: str,
    reference: bool,
    format: str,
) -> None:
    """List runs, one per line."""
    stores = places.library.stores
    wanted = [
        Labelled(run, labels.get(run.id, NO_LABEL))
        for source in (stores if reference else ("own",))
        for labels in [stores[source].labels()]
        for run in launcher.as_they_stand(stores[source], stores[source].runs())
        if status is None or run.status in status
        if models is None or run.recipe.model in models
        if datasets is None or run.recipe.dataset in datasets
        if seeds is None or run.recipe.seed in seeds
    ]
    if search.strip():
        found = matching({number: text_of(row.run, row.label) for number, row in enumerate(wanted)}, search)
        wanted = [wanted[number] for number in found]
    if format == "json":
        print_json([facts(row.run, row.label) for row in wanted])
    elif format == "csv":
        print_rows([row_of(row.run, row.label) for row in wanted], FIELDS, format)
    elif wanted:
        columns = LISTED if any(row.label.name for row in wanted) else LISTED[:-1]
        print(table(wanted, columns, room(), header=False))
    else:
        asked = search.strip() or any(wish is not None for wish in (status, models, datasets, seeds))
        say(f"no {'such ' if asked else ''}run is in {places.runs}.")


@options.command("show")
@click.argument("address", type=options.ADDRESS, metavar="RUN")
@options.format_option("json", "table")
def show(places: Places, address: tuple[str, int], format: str) -> None:
    """Show everything about a run, such as 12 or reference-3."""
    run = existing(places.library, *address)
    store = places.library.stores[run.source]
    [run] = launcher.as_they_stand(store, [run])
    known = facts(run, store.label(run.id))
    if format == "json":
        print_json(known)
        return
    rows = [(name, value) for name, value in known.items() if value not in (None, "") and not isinstance(value, dict)]
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
    """Resume interrupted or stopped runs, such as 3 or 5-8, from their last finished epoch.

    Without an ID, all interrupted runs are resumed.
    """
    runs = places.library.own
    launcher.recover(runs)  # What a scheduler that is gone has left behind is interrupted.
    wanted = [existing(places.library, "own", id) for id in _each_once(ids)] or runs.runs(Status.INTERRUPTED)
    for run in wanted:
        if run.status == Status.FAILED:
            raise CommandError(f"Run {run.id} failed, and would fail again: {run.error or 'no reason was given.'}")
        if run.stop:
            raise CommandError(f"Run {run.id} is being stopped: try again in a moment.")
    if not wanted:
        say("no run is interrupted.")
        return report(runs, [], format, sweep=False)
    moved = launcher.moved_data(wanted, lambda _: places.data)
    runs.resume(*(run.id for run in wanted), cluster=cluster, data_roots=moved)
    asked = [(run.id, run.status != Status.DONE) for run in wanted]
    train_queued(runs, [id for id, needed in asked if needed], cluster, quiet=quiet)
    return report(runs, asked, format, sweep=len({run.recipe.group() for run in wanted}) > 1)


@options.command("rename", changes=True)
@click.argument("ids", nargs=1, type=options.RUN_IDS, metavar="ID")
@click.option("--name", help=f"A name of at most {MAX_NAME} characters; '' removes it.")
@click.option("--note", help=f"A note of at most {MAX_NOTE} characters; '' removes it.")
def rename(places: Places, ids: list[int], name: str | None, note: str | None) -> None:
    """Give a run a name, a note or both. What is not given stays as it is."""
    if name is None and note is None:
        raise click.UsageError("Give --name, --note or both.")
    if len(ids) > 1:
        raise click.UsageError("Rename one run at a time.")
    runs, run = places.library.own, existing(places.library, "own", ids[0])
    before = runs.label(run.id)
    label = Label(before.name if name is None else name, before.note if note is None else note)
    try:
        runs.set_label(run.id, label, before)
    except LabelError as error:
        raise CommandError(str(error)) from None
    texts = filter(None, runs.label(run.id).texts)
    print(f"Run {run.id} ({run.name}): {' · '.join(texts) or 'no name, no note'}")


@options.command("delete", changes=True)
@click.argument("ids", nargs=-1, required=True, type=options.RUN_IDS, metavar="ID...")
@click.option("--for-good", is_flag=True, help="Free the space at once: they can't be restored.")
def delete(places: Places, ids: tuple[list[int], ...], for_good: bool) -> int:
    """Delete runs with their curves and weights, such as 3 or 5-8.

    For a day, or until the next deletion, `runs restore` brings them back.
    """
    runs = places.library.own
    launcher.recover(runs)  # What a scheduler that is gone has left behind is not running.
    told: dict[int, str] = {}
    refused = []
    for id in _each_once(ids):
        try:
            if runs.damage(id) if id <= MAX_ID else None:
                told[id] = f"Deleted run {id}, which was damaged."
                continue
            run = existing(places.library, "own", id)
            told[id] = f"Deleted run {id} ({run.name})."
            if run.status in ACTIVE:
                raise CommandError(f"Run {id} is {run.status}: stop it before you delete it.")
        except CommandError as error:  # The others are deleted all the same.
            told.pop(id, None)
            refused.append(str(error))
    deleted = runs.delete(*told, for_good=for_good)
    refused += [f"Run {id} seems to be running: stop it before you delete it." for id in told if id not in deleted]
    for id in deleted:
        print(told[id])
    for line in refused:
        say(line)
    return int(bool(refused))


@options.command("restore", changes=True)
def restore(places: Places) -> None:
    """Restore the runs that were deleted last."""
    ids = places.library.own.undo_deletion()
    if not ids:
        raise CommandError("There is no deletion to undo.")
    print(f"{'Run' if len(ids) == 1 else 'Runs'} {options.as_ranges(ids)}: restored.")


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
    help="List, show, rename, resume, delete, restore or import runs.",
    commands=[list_runs, show, rename, resume, delete, restore, import_store],
)
