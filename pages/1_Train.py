"""Train: choose models and a recipe, press Train, and watch the curves."""

from dataclasses import replace

import streamlit as st

from fmnist import access, cluster_panel, live, login, own_models, trainer, widgets
from fmnist.data import DataError
from fmnist.datasets import DATASETS
from fmnist.export_panel import export_panel
from fmnist.library import Library, estimate_seconds
from fmnist.models import ARCHITECTURES
from fmnist.recipe import DEVICES, OPTIMIZERS, Recipe, RecipeError
from fmnist.store import ACTIVE, Run, TooManyRuns

PUBLISHED = Recipe("0")
# Between two looks into the store: until a training shows its first point, while it goes on, and while there is none.
FIRST_SECONDS, LIVE_SECONDS, IDLE_SECONDS = 0.15, 0.5, 4.0
MOST_ROWS = 8
MOST_LISTED = 200
CHOOSE_FIRST = "Choose rows of the table first."
UNFINISHED = {
    "failed": (":material/error:", "failed"),
    "cancelled": (":material/stop_circle:", "stopped"),
    "interrupted": (":material/power_off:", "interrupted"),
}


def say_read_only() -> None:
    """What stands in the place of the form."""
    st.info(
        "**This dashboard is for looking.** What is trained appears here while it is trained, and on the other pages "
        "when it is done. Whoever runs it trains with `python -m fmnist train`, or in a dashboard of their own "
        "on the same results.",
        icon=":material/visibility:",
    )


def ask(shelf: Library) -> None:
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
        widgets.MOST_SEEDS,
        1,
        key="seeds",
        persist_state="session",
        help="How often each model is trained, from other initial weights and in another order. "
        "One run proves little: accuracy moves by some points from seed to seed.",
    )
    for fault in own_models.faults():
        st.error(widgets.escape(fault.text), icon=":material/code_off:")
    recipes = ask_recipe(models, dataset, seeds)
    try:
        images = widgets.dataset(dataset, shelf.own)
    except DataError as error:
        widgets.offer_data(shelf.own, dataset, error)
        st.button(
            "Train",
            type="primary",
            disabled=True,
            help=f"Get {DATASETS[dataset].title} first, or choose the sample data.",
        )
        return
    keyed = [(recipe, recipe.key(images.fingerprint)) for recipe in recipes]
    trained = shelf.own.done_keys() & {key for _, key in keyed}
    again = False
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        pressed = st.button("Train", type="primary", icon=":material/play_arrow:", disabled=not keyed, key="train")
        if trained:
            again = st.toggle("Train again what is trained already", key="again")
        st.caption(promise(shelf, recipes, len(trained), again, len(images.train_images)))
    if pressed:
        cluster = trainer.cluster_address()
        try:
            queued = shelf.own.enqueue(
                keyed, shelf.own.data_root(dataset), again=again, cluster=cluster, asker=login.asker()
            )
        except TooManyRuns as error:
            st.warning(str(error), icon=":material/front_hand:")
            return
        if any(needed for _, needed in queued):
            trainer.start(shelf.own)
            st.session_state["pressed"] = True
            st.rerun()
        st.success("All of this is trained already: Home, Compare and Confusion show it.", icon=":material/bolt:")


def forget_former_models() -> None:
    """A model that was chosen, and whose file was changed since, is now the changed one; if there still is one."""
    if "models" in st.session_state:
        now = (ARCHITECTURES.full_id(id.partition("@")[0]) for id in st.session_state["models"])
        st.session_state["models"] = [id for id in now if id in ARCHITECTURES]


def ask_recipe(models: list[str], dataset: str, seeds: int) -> list[Recipe]:
    """The recipes for all models and seeds; none if a value can't be used, which is said."""
    with st.expander("Recipe", icon=":material/tune:"):
        columns = st.columns(5)
        epochs = columns[0].number_input("Epochs", 1, 1000, PUBLISHED.epochs, key="epochs", persist_state="session")
        rate = columns[1].number_input(
            "Learning rate", 0.0001, 10.0, PUBLISHED.learning_rate, format="%.4g", key="rate", persist_state="session"
        )
        batch = columns[2].number_input(
            "Batch size", 1, 10_000, PUBLISHED.batch_size, key="batch", persist_state="session"
        )
        optimizer = columns[3].selectbox(
            "Optimiser", list(OPTIMIZERS), format_func=OPTIMIZERS.get, key="optimizer", persist_state="session"
        )
        device = columns[4].selectbox(
            "Device",
            list(DEVICES),
            format_func=DEVICES.get,
            key="device",
            persist_state="session",
            help="Automatic: CUDA if there is one, else the CPU.",
        )
        st.caption("The defaults are the published recipe: SGD, learning rate 0.1, batches of 32, 3 epochs.")
    try:
        recipes = [
            Recipe(model, seed, dataset, epochs, batch, rate, optimizer, device)
            for seed in range(seeds)
            for model in sorted(models, key=ARCHITECTURES.place)
        ]
    except RecipeError as error:
        st.error(str(error))
        return []
    if not recipes:
        st.caption("Choose at least one model.")
    elif recipes[0].group() != replace(PUBLISHED, model=recipes[0].model, dataset=dataset):
        st.caption(f":material/tune: Not the published recipe: {recipes[0].describe()}.")
    return recipes


def promise(shelf: Library, recipes: list[Recipe], trained: int, again: bool, images: int) -> str:
    """What pressing Train will take."""
    todo = len(recipes) - (0 if again else trained)
    if not recipes:
        return ""
    kept = f"{trained} of {len(recipes)} trained already, shown at once. " if trained and not again else ""
    if not todo:
        return "All of it is trained already with this recipe; the results are kept."
    seconds = estimate_seconds(shelf, recipes, images)
    if seconds is None:
        return kept
    return f"{kept}{todo} {'run' if todo == 1 else 'runs'}, roughly {widgets.duration(seconds * todo / len(recipes))}."


@widgets.explained()
def watch(shelf: Library) -> None:
    """What is being trained: drawn again and again, while something is."""
    batch = shelf.own.newest_batch()
    show_training(shelf, batch)
    # Only now, for a click that comes in with this run must not be lost.
    if pace(batch) != st.session_state["pace"]:
        st.rerun()  # The whole page: its pace, and what is trained already, have changed.


def pace(batch: list[Run]) -> float:
    """Seconds between two looks into the store."""
    if not any(run.status in ACTIVE for run in batch):
        return IDLE_SECONDS
    waits = st.session_state.get("pressed") and not any(run.step for run in batch)
    return FIRST_SECONDS if waits else LIVE_SECONDS  # Who only watches can wait, and there may be many.


def show_training(shelf: Library, batch: list[Run]) -> None:
    active = any(run.status in ACTIVE for run in batch)
    alive = trainer.is_alive(shelf.own) if active and not access.read_only() else True
    cluster_panel.show(shelf, batch)
    if not batch:
        st.caption("Nothing is trained yet on this machine. The curves appear here.")
        return
    running = [run for run in batch if run.status == "running"]
    queued = [run for run in batch if run.status == "queued"]
    st.subheader("Training now" if active else "Last training", anchor=False)
    if active and not alive and not running:
        say_no_trainer(shelf)
    for run in running:
        show_running(shelf, run)
    if queued:
        show_queue(shelf, queued)
    for run in [run for run in batch if run.status in ("interrupted", "cancelled", "failed")][:MOST_ROWS]:
        show_unfinished(shelf, run)
    for dataset in DATASETS:  # Two data sets never stand in one picture.
        if runs := [run for run in batch if run.recipe.dataset == dataset]:
            show_curves(shelf, runs)
            show_results([run for run in runs if run.status == "done"])
            widgets.say_where_from(dataset, [])


def say_no_trainer(shelf: Library) -> None:
    """Runs are queued, and nobody takes them: either the trainer is just starting, or it can't."""
    words = trainer.last_words(shelf.own.path)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f":material/hourglass_top: The trainer is starting. {widgets.escape(words)}")
        if st.button("Start it again", key="start-trainer"):
            trainer.start(shelf.own)


def show_running(shelf: Library, run: Run) -> None:
    share = run.step / run.steps if run.steps else 0.0
    epoch = min(run.recipe.epochs, int(share * run.recipe.epochs) + 1)
    where = f" on {widgets.escape(run.node)}" if run.node else ""
    text = f"**{run.name}**{where} · preparing"
    if run.seconds_left is not None:
        text = (
            f"**{run.name}**{where} · epoch {epoch} of {run.recipe.epochs} · step {run.step:,} of {run.steps:,} · "
            f"{run.images_per_second:,.0f} images/s · {widgets.duration(run.seconds_left)} left"
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.progress(share, text)
        stop_button(shelf, [run], f"stop-{run.id}", "Stopping …" if run.stop else "Stop", disabled=run.stop)


def stop_button(shelf: Library, runs: list[Run], key: str, label: str, *, disabled: bool = False) -> None:
    if access.read_only():
        return
    if st.button(label, key=key, icon=":material/stop:", disabled=disabled, help="What was trained so far is kept."):
        shelf.own.request_stop([run.id for run in runs])
        st.rerun()  # Not the fragment alone: the click may come in with a run of the whole page.


def show_queue(shelf: Library, queued: list[Run]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        names = ", ".join(run.name for run in queued[:MOST_ROWS])
        more = f" and {len(queued) - MOST_ROWS} more" if len(queued) > MOST_ROWS else ""
        st.markdown(f":material/queue: Queued: {names}{more}")
        if len(queued) == 1:
            stop_button(shelf, queued, "stop-queued", "Take out")
        stop_button(shelf, shelf.own.runs(*ACTIVE), "stop-all", "Stop all")


def show_unfinished(shelf: Library, run: Run) -> None:
    icon, word = UNFINISHED[run.status]
    with st.container(horizontal=True, vertical_alignment="center"):
        text = f"{icon} **{run.name}** · {word}"
        if run.steps:
            text += f" at step {run.step:,} of {run.steps:,}"
        st.markdown(text + (f" · {widgets.escape(run.error)}" if run.error else ""))
        resumable = run.status != "failed" and not access.read_only()
        if resumable and st.button(
            "Resume", key=f"resume-{run.id}", icon=":material/replay:", help="Goes on from its last finished epoch."
        ):
            try:
                shelf.own.resume(run.id, cluster=trainer.cluster_address(), asker=login.asker())
            except TooManyRuns as error:
                st.toast(str(error), icon=":material/front_hand:")
                return
            trainer.start(shelf.own)
            st.rerun()


def show_results(runs: list[Run]) -> None:
    """The finished runs of this training."""
    if not runs:
        return
    st.dataframe(
        [
            {
                "run": run.name,
                "accuracy": 100 * run.result["test_accuracy"],
                "loss": run.result["test_loss"],
                "train": run.result["train_seconds"],
                "evaluate": run.result["eval_seconds"],
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
        alt="; ".join(f"{run.name} {run.result['test_accuracy']:.2%}" for run in runs),
    )


def show_curves(shelf: Library, runs: list[Run]) -> None:
    """Accuracy and loss of runs on the same data."""
    if live.curves(shelf, runs):
        st.caption(
            "Thin lines: training, the mean since the line's last point. Marks: all test images, after each epoch."
        )
    else:
        st.caption("The curves appear with the first steps.")


def show_all(shelf: Library) -> None:
    """Every run there is, to look back and to tidy up."""
    count, runs = shelf.own.count(), shelf.own.newest(MOST_LISTED)
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
                    "status": run.status,
                    "accuracy": 100 * run.result["test_accuracy"] if run.result else None,
                    "seconds": run.result["train_seconds"] if run.result else None,
                    "on": run.where,
                }
                for run in runs
            ],
            column_config={
                "accuracy": st.column_config.NumberColumn("Test accuracy", format="%.2f%%"),
                "seconds": st.column_config.NumberColumn("Training", format="%.1f s"),
            },
            hide_index=True,
            on_select="ignore" if access.read_only() else "rerun",
            selection_mode="multi-row",
            key="all-runs",
            alt="All runs",
        )
        if access.read_only():
            return
        picked = [runs[row] for row in chosen.selection.rows if row < len(runs)]
        finished = [run for run in picked if run.status == "done"]
        with st.container(horizontal=True):
            with st.popover("Export", icon=":material/download:", disabled=not finished, help=CHOOSE_FIRST):
                if finished:
                    export_panel(shelf, finished, "picked")
            if st.button("Delete", icon=":material/delete:", disabled=not picked, help=CHOOSE_FIRST):
                confirm_delete(shelf, picked)


@st.dialog("Delete runs")
@widgets.explained()
def confirm_delete(shelf: Library, runs: list[Run]) -> None:
    st.markdown(
        f"Delete {widgets.listed(run.name for run in runs[:MOST_ROWS])}"
        f"{' and more' if len(runs) > MOST_ROWS else ''} with curves and weights? This can't be undone."
    )
    if st.button("Delete", type="primary", icon=":material/delete:", key="really-delete"):
        kept = [run for run in runs if not shelf.own.delete(run.id)]
        if kept:
            st.warning(
                f"{widgets.listed(run.name for run in kept)} can't be deleted while it is trained: stop it first."
            )
        else:
            st.rerun()


with widgets.page("Train", "How do they learn?" if access.read_only() else "Train the models"):
    shelf = widgets.library()
    if access.read_only():
        say_read_only()
    else:
        widgets.fill_in_train()
        forget_former_models()
        ask(shelf)
    live.prepare()
    st.session_state["pace"] = pace(shelf.own.newest_batch())
    st.fragment(watch, run_every=st.session_state["pace"])(shelf)
    show_all(shelf)
    if not access.read_only():
        trainer.start(shelf.own)  # So that it has loaded what it needs when somebody presses Train.
