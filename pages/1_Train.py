"""Train: choose models and a recipe, press Train, and watch the curves."""

from dataclasses import replace

import streamlit as st

from fmnist import settings
from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError
from fmnist.grid import FACTORS, Grid, as_text, decimals, whole_numbers
from fmnist.models import custom
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import DEVICES, OPTIMIZERS, Recipe, RecipeError
from fmnist.store.library import Library
from fmnist.store.queue import TooManyRuns
from fmnist.store.run import ACTIVE, RESUMABLE, UNFINISHED, Run, Status
from fmnist.training import estimate, launcher
from fmnist.training.plan import Plan
from fmnist.training.progress import TrainingProgress
from fmnist.ui import cluster_panel, live_chart, login, widgets
from fmnist.ui.export_panel import export_panel

PUBLISHED = Recipe("0")
# Between two looks into the store: until a training shows its first point, while it goes on, and while there is none.
FIRST_SECONDS, LIVE_SECONDS, IDLE_SECONDS = 0.15, 0.5, 4.0
MAX_ROWS = 8
MAX_CURVES = 12  # More lines in one picture can't be told apart.
MAX_RESULTS = 50
MAX_LISTED = 200
CHOOSE_FIRST = "Choose rows of the table first."
LONGEST_LIST = 300  # characters
NUMBERS = (
    ("Epochs", PUBLISHED.epochs, "epochs"),
    ("Learning rate", PUBLISHED.learning_rate, "rate"),
    ("Batch size", PUBLISHED.batch_size, "batch"),
)
ICONS = {
    Status.FAILED: ":material/error:",
    Status.CANCELLED: ":material/stop_circle:",
    Status.INTERRUPTED: ":material/power_off:",
}


def say_read_only() -> None:
    """What stands in the place of the form."""
    st.info(
        "**This dashboard is for looking.** What is trained appears here while it is trained, and on the other pages "
        "when it is done. Whoever runs it trains with `python -m fmnist train`, or in a dashboard of their own "
        "on the same results.",
        icon=":material/visibility:",
    )


def ask(library: Library) -> None:
    """The recipe, what it will take, and the button."""
    left, middle, right = st.columns([5, 4, 2], gap="medium", vertical_alignment="bottom")
    models = left.pills(
        "Models",
        list(ARCHITECTURES),
        selection_mode="multi",
        default=ARCHITECTURES.project,
        key="models",
        format_func=lambda id: ARCHITECTURES[id].name,
        persist_state="session",
    )
    dataset = middle.segmented_control(
        "Data",
        list(DATASETS),
        format_func=lambda name: DATASETS[name].title,
        default=PUBLISHED.dataset,
        required=True,
        wrap=True,
        key="dataset",
        persist_state="session",
        help="The sample data are generated drawings of clothes, for a machine without network.",
    )
    seeds = right.number_input(
        "Seeds",
        1,
        widgets.MAX_SEEDS,
        1,
        key="seeds",
        persist_state="session",
        help="How often each model is trained, from other initial weights and in another order. "
        "One run proves little: accuracy moves by some points from seed to seed.",
    )
    for fault in custom.faults():
        st.error(widgets.escape(fault.text), icon=":material/code_off:")
    grid = ask_recipe(models, dataset, seeds)
    try:
        images = widgets.dataset(dataset, library.own)
    except DataError as error:
        widgets.offer_data(library.own, dataset, error)
        st.button(
            "Train",
            type="primary",
            disabled=True,
            help=f"Get {DATASETS[dataset].title} first, or choose the sample data.",
        )
        return
    cluster = settings.ray_address()
    plan = Plan(library, grid, images, launcher.slots_of(library.own, cluster)) if grid else None
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        pressed = st.button("Train", type="primary", icon=":material/play_arrow:", disabled=not plan, key="train")
        if plan and plan.trained and st.toggle("Train again what is trained already", key="again"):
            plan = replace(plan, again=True)
        if plan:
            st.caption(plan.say())
    if plan and plan.grid.is_sweep:
        show_grid(plan)
    if plan and pressed:
        try:
            queued = library.own.enqueue(
                plan.keyed, library.own.data_root(dataset), again=plan.again, cluster=cluster, asker=login.asker()
            )
        except TooManyRuns as error:
            st.warning(str(error), icon=":material/front_hand:")
            return
        if any(needed for _, needed in queued):
            launcher.start(library.own)
            st.session_state["pressed"] = True
            st.rerun()
        st.success("All of this is trained already: Home, Compare and Confusion show it.", icon=":material/bolt:")


def forget_former_models() -> None:
    """A model that was chosen, and whose file was changed since, is now the changed one; if there still is one."""
    if "models" in st.session_state:
        now = (ARCHITECTURES.full_id(id.partition("@")[0]) for id in st.session_state["models"])
        st.session_state["models"] = [id for id in now if id in ARCHITECTURES]


def ask_recipe(models: list[str], dataset: str, seeds: int) -> Grid | None:
    """What to train; None if a value can't be used, which is said."""
    with st.expander("Recipe", icon=":material/tune:"):
        columns = st.columns(4)
        epochs, rates, batches = (
            column.text_input(label, as_text([default]), LONGEST_LIST, key, persist_state="session")
            for column, (label, default, key) in zip(columns, NUMBERS, strict=False)
        )
        device = columns[3].selectbox(
            "Device",
            list(DEVICES),
            format_func=DEVICES.get,
            key="device",
            persist_state="session",
            help="Automatic: CUDA if there is one, else the CPU.",
        )
        optimizers = st.pills(
            "Optimiser",
            list(OPTIMIZERS),
            selection_mode="multi",
            default=[PUBLISHED.optimizer],
            key="optimizer",
            format_func=OPTIMIZERS.get,
            persist_state="session",
        )
        st.caption(
            "The defaults are the published recipe: SGD, learning rate 0.1, batches of 32, 3 epochs. "
            "Several values, such as 0.01, 0.03, 0.1 for the learning rate, make a sweep: each combination is trained."
        )
    for chosen, what in ((models, "model"), (optimizers, "optimiser")):
        if not chosen:
            st.caption(f"Choose at least one {what}.")
            return None
    try:
        numbers = whole_numbers(epochs), whole_numbers(batches), decimals(rates)
        grid = Grid(models, range(seeds), *numbers, optimizers, dataset, device)
        first = grid.recipes()[0]
    except RecipeError as error:
        st.error(widgets.escape(str(error)))
        return None
    if not grid.is_sweep and first.group() != replace(PUBLISHED, model=first.model, dataset=dataset):
        st.caption(f":material/tune: Not the published recipe: {first.describe()}.")
    return grid


def show_grid(plan: Plan) -> None:
    """Each setting of a sweep, for who wants to see it before it starts."""
    expander = st.expander("The grid", icon=":material/grid_view:", key="grid", on_change="rerun")
    if not expander.open:  # Only then is it worked out.
        return
    table = plan.table()
    expander.dataframe(
        table,
        column_config={factor.field: factor.title for factor in FACTORS}
        | {
            "seeds": st.column_config.NumberColumn("Seeds"),
            "trained": st.column_config.NumberColumn("Trained already"),
            "seconds": st.column_config.NumberColumn("Expected", format="%.0f s"),
        },
        hide_index=True,
        key="grid-table",
        alt=f"The settings of the sweep: {plan.grid.describe()}",
    )


@widgets.explained()
def watch(library: Library) -> None:
    """What is being trained: drawn again and again, while something is."""
    batch = TrainingProgress(library)
    show_training(library, batch)
    # Only now, for a click that comes in with this run must not be lost.
    if pace(batch) != st.session_state["pace"]:
        st.rerun()  # The whole page: its pace, and what is trained already, have changed.


def pace(batch: TrainingProgress) -> float:
    """Seconds between two looks into the store."""
    if not batch.active:
        return IDLE_SECONDS
    waits = st.session_state.get("pressed") and not batch.begun
    return FIRST_SECONDS if waits else LIVE_SECONDS  # Who only watches can wait, and there may be many.


def show_training(library: Library, batch: TrainingProgress) -> None:
    alive = not batch.active or settings.read_only() or launcher.is_alive(library.own)
    if not alive:
        launcher.recover(library.own)
    cluster_panel.show(library, batch)
    if not batch.count():
        st.caption("Nothing is trained yet on this machine. The curves appear here.")
        return
    running, queued = batch.running(MAX_ROWS), batch.count(Status.QUEUED)
    st.subheader("Training now" if batch.active else "Last training", anchor=False)
    if batch.active and not alive and not running:
        say_no_trainer(library)
    if batch.count() > MAX_CURVES:
        show_whole(batch)
    for run in running:
        show_running(library, batch, run)
    if (more := batch.count(Status.RUNNING) - len(running)) > 0:
        st.caption(f"And {more} more are being trained.")
    if queued:
        show_queue(library, batch)
    show_unfinished(library, batch)
    shown = batch.with_curves(MAX_CURVES) or batch.queued(1)
    results = batch.results(MAX_RESULTS)
    for dataset in DATASETS:  # Two data sets never stand in one picture.
        if runs := [run for run in shown if run.recipe.dataset == dataset]:
            show_curves(library, batch, runs)
            show_results(batch, [run for run in results if run.recipe.dataset == dataset])
            widgets.say_where_from(dataset, [])


def say_no_trainer(library: Library) -> None:
    """Runs are queued, and nobody takes them: either the trainer is just starting, or it can't."""
    words = launcher.last_words(library.own.path)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f":material/hourglass_top: The trainer is starting. {widgets.escape(words)}")
        if st.button("Start it again", key="start-trainer"):
            launcher.start(library.own)


def show_whole(batch: TrainingProgress) -> None:
    """How far a training of many runs is, as a whole."""
    order = (Status.DONE, Status.RUNNING, Status.QUEUED, *UNFINISHED)
    counts = [f"{count:,} {status.word}" for status in order if (count := batch.count(status))]
    text = f"**{batch.ended:,} of {batch.count():,} runs** · {' · '.join(counts)}"
    if batch.active and (seconds := seconds_left(batch)) is not None:
        text += f" · roughly {widgets.duration(seconds)} left"
    st.progress(batch.ended / batch.count(), text)


def seconds_left(batch: TrainingProgress) -> float | None:
    """For all of a batch; None where it is not known."""

    def images(dataset: str) -> int | None:
        try:
            return len(widgets.dataset(dataset, batch.library.own).train_images)
        except DataError:
            return None

    return batch.seconds_left(images, launcher.slots_of(batch.library.own, settings.ray_address()))


def show_running(library: Library, batch: TrainingProgress, run: Run) -> None:
    share = run.step / run.steps if run.steps else 0.0
    epoch = min(run.recipe.epochs, int(share * run.recipe.epochs) + 1)
    where = f" on {widgets.escape(run.node)}" if run.node else ""
    text = f"**{batch.name(run)}**{where} · preparing"
    left = estimate.seconds_left(run)
    if left is not None:
        text = (
            f"**{batch.name(run)}**{where} · epoch {epoch} of {run.recipe.epochs} · "
            f"step {run.step:,} of {run.steps:,} · "
            f"{run.images_per_second:,.0f} images/s · {widgets.duration(left)} left"
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.progress(share, text)
        stop_button(library, [run.id], f"stop-{run.id}", "Stopping …" if run.stop else "Stop", disabled=run.stop)


def stop_button(library: Library, ids: list[int], key: str, label: str, *, disabled: bool = False) -> None:
    if settings.read_only():
        return
    if st.button(label, key=key, icon=":material/stop:", disabled=disabled, help="What was trained so far is kept."):
        library.own.request_stop(ids)
        st.rerun()  # Not the fragment alone: the click may come in with a run of the whole page.


def show_queue(library: Library, batch: TrainingProgress) -> None:
    queued = batch.ids(Status.QUEUED)
    with st.container(horizontal=True, vertical_alignment="center"):
        names = ", ".join(batch.name(run) for run in batch.queued(MAX_ROWS))
        more = f" and {len(queued) - MAX_ROWS:,} more" if len(queued) > MAX_ROWS else ""
        st.markdown(f":material/queue: Queued: {names}{more}")
        if len(queued) == 1:
            stop_button(library, queued, "stop-queued", "Take out")
        stop_button(library, batch.ids(*ACTIVE), "stop-all", "Stop all")


def show_unfinished(library: Library, batch: TrainingProgress) -> None:
    """What was stopped or went wrong."""
    runs = batch.unfinished(MAX_ROWS)
    for run in runs:
        with st.container(horizontal=True, vertical_alignment="center"):
            text = f"{ICONS[run.status]} **{batch.name(run)}** · {run.status.word}"
            if run.steps:
                text += f" at step {run.step:,} of {run.steps:,}"
            st.markdown(text + (f" · {widgets.escape(run.error)}" if run.error else ""))
            if run.status in RESUMABLE:
                resume_button(library, [run.id], f"resume-{run.id}", "Resume")
    resumable = batch.ids(*RESUMABLE)
    with st.container(horizontal=True, vertical_alignment="center"):
        if (more := batch.count(*UNFINISHED) - len(runs)) > 0:
            st.caption(f"And {more:,} more that were stopped or went wrong.")
        if len(resumable) > 1:
            resume_button(library, resumable, "resume-all", f"Resume all {len(resumable):,}")


def resume_button(library: Library, ids: list[int], key: str, label: str) -> None:
    if settings.read_only():
        return
    if st.button(label, key=key, icon=":material/replay:", help="Goes on from the last finished epoch."):
        try:
            library.own.resume(*ids, cluster=settings.ray_address(), asker=login.asker())
        except TooManyRuns as error:
            st.toast(str(error), icon=":material/front_hand:")
            return
        launcher.start(library.own)
        st.rerun()


def show_results(batch: TrainingProgress, runs: list[Run]) -> None:
    """The finished runs of this training."""
    if not runs:
        return
    st.dataframe(
        [
            {
                "run": batch.name(run),
                "accuracy": 100 * run.finished_result.test_accuracy,
                "loss": run.finished_result.test_loss,
                "train": run.finished_result.train_seconds,
                "evaluate": run.finished_result.eval_seconds,
                "trouble": run.trouble,
            }
            for run in runs
        ],
        column_config={
            "run": "Finished",
            "accuracy": st.column_config.NumberColumn("Test accuracy", format="%.2f%%"),
            "loss": st.column_config.NumberColumn("Test loss", format="%.3f"),
            "train": st.column_config.NumberColumn("Training", format="%.1f s"),
            "evaluate": st.column_config.NumberColumn("Evaluation", format="%.2f s"),
            "trouble": st.column_config.TextColumn("Remarks", width="medium"),
        },
        hide_index=True,
        key=f"results-{runs[0].recipe.dataset}",
        alt="; ".join(f"{batch.name(run)} {run.finished_result.test_accuracy:.2%}" for run in runs),
    )
    if (done := batch.count(Status.DONE)) > MAX_RESULTS:
        st.caption(f"The {MAX_RESULTS} that finished last, of {done:,}: Compare shows all of them.")


def show_curves(library: Library, batch: TrainingProgress, runs: list[Run]) -> None:
    """Accuracy and loss of runs on the same data."""
    if live_chart.curves(library, runs, batch.factors):
        queued = batch.count(Status.QUEUED)
        which = f"The {MAX_CURVES} newest of the runs. " if batch.count() - queued > MAX_CURVES else ""
        st.caption(
            f"{which}Thin lines: training, the mean since the line's last point. "
            "Marks: all test images, after each epoch."
        )
    else:
        st.caption("The curves appear with the first steps.")


def show_all(library: Library) -> None:
    """Every run there is, to look back and to tidy up."""
    count, runs = library.own.count(), library.own.newest(MAX_LISTED)
    if not runs:
        return
    with st.expander(f"All runs ({count:,})", icon=":material/history:"):
        if count > len(runs):
            st.caption(f"The newest {len(runs):,} of {count:,} runs.")
        chosen = st.dataframe(
            [
                {
                    "run": run.id,
                    "model": run.name,
                    "data": run.recipe.info.title,
                    "recipe": run.recipe.describe(),
                    "status": run.status.word,
                    "accuracy": 100 * run.result.test_accuracy if run.result else None,
                    "seconds": run.result.train_seconds if run.result else None,
                    "on": run.where,
                }
                for run in runs
            ],
            column_config={
                "accuracy": st.column_config.NumberColumn("Test accuracy", format="%.2f%%"),
                "seconds": st.column_config.NumberColumn("Training", format="%.1f s"),
            },
            hide_index=True,
            on_select="ignore" if settings.read_only() else "rerun",
            selection_mode="multi-row",
            key="all-runs",
            alt="All runs",
        )
        if settings.read_only():
            return
        picked = [runs[row] for row in chosen.selection.rows if row < len(runs)]
        finished = [run for run in picked if run.status == Status.DONE]
        with st.container(horizontal=True):
            with st.popover("Export", icon=":material/download:", disabled=not finished, help=CHOOSE_FIRST):
                if finished:
                    export_panel(library, finished, "picked")
            if st.button("Delete", icon=":material/delete:", disabled=not picked, help=CHOOSE_FIRST):
                confirm_delete(library, picked)


@st.dialog("Delete runs")
@widgets.explained()
def confirm_delete(library: Library, runs: list[Run]) -> None:
    st.markdown(
        f"Delete {widgets.listed(run.name for run in runs[:MAX_ROWS])}"
        f"{' and more' if len(runs) > MAX_ROWS else ''} with curves and weights? This can't be undone."
    )
    if st.button("Delete", type="primary", icon=":material/delete:", key="really-delete"):
        kept = [run for run in runs if not library.own.delete(run.id)]
        if kept:
            st.warning(
                f"{widgets.listed(run.name for run in kept)} can't be deleted while it is trained: stop it first."
            )
        else:
            st.rerun()


with widgets.page("Train", "How do they learn?" if settings.read_only() else "Train the models"):
    library = widgets.open_library()
    if settings.read_only():
        say_read_only()
    else:
        widgets.fill_in_train()
        forget_former_models()
        ask(library)
    live_chart.prepare()
    st.session_state["pace"] = pace(TrainingProgress(library))
    st.fragment(watch, run_every=st.session_state["pace"])(library)
    show_all(library)
    if not settings.read_only():
        launcher.start(library.own)  # So that it has loaded what it needs when somebody presses Train.
