"""Confusion: what each model takes for what, the images behind every cell, and who is right where."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fmnist import metrics
from fmnist.compare import confusion, confusion_charts
from fmnist.compare.confusion import Answers, Item
from fmnist.data.files import DataError, Dataset
from fmnist.store.library import Group, Library, default_groups, identity
from fmnist.ui import image_tiles, widgets

MAX_ITEMS = 3
LISTED_PAIRS = 5
END = "the end"
CELLS = {
    "counts": "Images",
    "shares": "Share of the true class",
    "predicted": "Share of the predicted class",
    "difference": "Difference",
}
SUSPECTS = "Possible wrong labels"
TOGETHER = (
    "Of all seeds together, the answer is the class with the highest mean probability (after an earlier epoch: what "
    "most of them say); behind it stands how many of them say so."
)

Cell = tuple[int, int]
"""A true and a predicted class."""


def show(library: Library) -> None:
    dataset, sources = widgets.choose_scope(library, both=True)
    groups = library.groups(dataset, *sources)
    if not groups:
        widgets.nothing_trained()
        return
    try:
        images = widgets.dataset(dataset, library.own)
    except DataError as error:
        st.markdown("A confusion matrix needs the test set's labels and images.")
        widgets.offer_data(library.own, dataset, error)
        return
    answer = st.container()  # What is found stands above what is chosen.
    items = choose_items(groups, f"runs-{dataset}-{'-'.join(sources)}")
    if not items:
        st.info("Choose a run to see its confusion matrix.", icon=":material/grid_on:")
        return
    shown = answers_of(library, items, images)
    if not shown:
        return
    answer.markdown(f"#### {summary(shown)}")
    with answer:
        widgets.say_where_from(dataset, [answers.item.group for answers in shown])
    side_by_side, patterns = st.tabs(["Matrices", "Who is right where"], key="view", bind="query-params")
    if side_by_side.open:  # Only the open one is worked out.
        with side_by_side:
            show_matrices(library, shown, images)
    if patterns.open:
        with patterns:
            show_patterns(library, shown, groups, images)


# --- What is compared ---


def choose_items(groups: list[Group], key: str) -> list[Item]:
    """Up to three runs, groups or epochs."""
    known = {item.id: item for item in confusion.items(groups)}
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    chosen = left.multiselect(
        "Compared",
        list(known),
        default=[group.runs[0].address for group in default_groups(groups)][:MAX_ITEMS],
        max_selections=MAX_ITEMS,
        key=key,
        format_func=lambda id: known[id].title,
        bind="query-params",
        placeholder="Choose up to three: runs, or all seeds of a model",
    )
    items = [known[id] for id in chosen]
    longest = max((item.epochs for item in items), default=1)
    if longest == 1:
        return items
    with right:
        return choose_epochs(items, [*range(1, longest), END])


def choose_epochs(items: list[Item], epochs: list[int | str]) -> list[Item]:
    """The items after an epoch; one that is chosen alone also after others."""
    alone = len(items) == 1
    left, right = st.columns(2, gap="medium") if alone else (st.container(), None)
    epoch = left.select_slider(
        "After epoch",
        epochs,
        value=END,
        key="epoch",
        bind="query-params",
        help="See how confusions vanish while a model learns. One that has fewer epochs stays at its end.",
    )
    beside = []
    if alone:
        beside = right.multiselect(
            "Beside it, after epoch",
            epochs,
            max_selections=MAX_ITEMS - 1,
            key="beside",
            bind="query-params",
            placeholder="Another epoch",
        )
    after = sorted({None if epoch == END else epoch for epoch in [*beside, epoch]}, key=lambda epoch: epoch or np.inf)
    return [item.after(epoch) for item in items for epoch in after]


def answers_of(library: Library, items: list[Item], images: Dataset) -> list[Answers]:
    """What the items say of the test images; those of which that is not known are named, and left out."""
    found = {
        item.title: library.remember(
            ("answers", item.id),
            lambda: confusion.answers(library, item, images.test_labels),  # noqa: B023
        )
        for item in items
    }
    if missing := [title for title, answers in found.items() if answers is None]:
        st.info(
            f"No answers are kept of {widgets.escape(widgets.listed(missing))}.", icon=":material/history_toggle_off:"
        )
    return [answers for answers in found.values() if answers]


def summary(shown: Sequence[Answers]) -> str:
    """The worst confusion of the most accurate one, in a sentence."""
    best = confusion.most_accurate(shown)
    pairs = metrics.most_confused(best.matrix, 1)
    if not pairs:
        return f"**{best.item.title}** makes no error."
    [(true, predicted, count)] = pairs
    classes = best.item.info.classes
    what = "images" if best.seeds == 1 else f"answers of {best.seeds} seeds"
    return (
        f"**{best.item.title}** most often takes **{classes[true]}** for **{classes[predicted]}**: "
        f"{count:,} of {best.of_class(true):,} {what}."
    )


# --- Matrices ---


def show_matrices(library: Library, shown: list[Answers], images: Dataset) -> None:
    cells = st.segmented_control(
        "Cells say",
        list(CELLS) if len(shown) > 1 else list(CELLS)[:-1],
        default="counts",
        required=True,
        key="cells",
        bind="query-params",
        format_func=CELLS.get,
        wrap=True,
        on_change=from_the_start,
    )
    if cells == "difference":
        show_difference(library, *choose_pair(shown), images)
        return
    above = st.container()  # The matrices mark the cell that is chosen below them.
    of = "predicted" if cells == "predicted" else "true"
    st.caption(
        "Rows are the true class, columns the predicted one; "
        f"{'lighter' if widgets.is_dark() else 'darker'} is a larger share of the {of} class, on one scale for all. "
        "All seeds of a model are counted together. Click a cell to see its images, or choose it here:"
    )
    one, two, three = st.columns(3)
    cell = choose_cell([one, two], images.info.classes)
    titles = {answers.item.title: answers for answers in shown}
    chosen = titles[three.selectbox("Of", list(titles), key="of", bind="query-params", on_change=from_the_start)]
    for column, answers in zip(above.columns(len(shown)), shown, strict=True):
        with column:
            show_matrix(library, answers, of, cells != "counts", cell)
    with st.popover("Take it along", icon=":material/download:"):
        widgets.download_table("confusion", confusion.as_table(shown), "Matrices (CSV)")
        widgets.choose_picture_format()
    if cell:
        show_cell(library, chosen, cell, shown, images)


def choose_cell(columns: Sequence[DeltaGenerator], classes: Sequence[str]) -> Cell | None:
    """The cell that was clicked, is in the address, or is chosen here, as (true, predicted)."""
    true, said = (
        column.selectbox(name, classes, index=None, key=key, bind="query-params", on_change=from_the_start)
        for column, (name, key) in zip(
            columns, {"True class": "true", "Predicted class": "predicted"}.items(), strict=True
        )
    )
    return (classes.index(true), classes.index(said)) if true and said else None


def picked(key: str, classes: Sequence[str], **others: str) -> None:
    """Take over the cell that was clicked in a matrix; clicking it again sends an empty selection, and it stays."""
    points = st.session_state[key].selection.points
    if points:
        row, column = points[0]["customdata"]
        st.session_state.update(true=classes[row], predicted=classes[column], **others)
        from_the_start()


def from_the_start() -> None:
    """Other images are asked for: they are shown from the first on."""
    st.session_state["shown"] = 0
    image_tiles.nothing_large()


def show_matrix(library: Library, answers: Answers, of: str, as_shares: bool, cell: Cell | None) -> None:
    item, matrix, classes = answers.item, answers.matrix, answers.item.info.classes
    seeds = f" on average over {answers.seeds} seeds" if answers.seeds > 1 else ""
    st.markdown(f"**{item.title}** · {answers.accuracy:.2%} right{seeds}")
    pairs = metrics.most_confused(matrix, LISTED_PAIRS)
    in_words = [f"{classes[true]} taken for {classes[said]}: {count:,}" for true, said, count in pairs]
    look = {"of": of, "as_shares": as_shares, "cell": cell, "dark": widgets.is_dark()}
    shares = metrics.row_shares if of == "true" else metrics.column_shares
    st.plotly_chart(
        library.remember(
            ("matrix", item.id, *look.values()),
            lambda: confusion_charts.confusion(matrix, shares(matrix), item.info, **look),
        ),
        key=f"matrix-{item.id}",
        on_select=lambda: picked(f"matrix-{item.id}", classes, of=item.title),
        selection_mode="points",
        config=widgets.picture_config("confusion"),
        alt=f"Confusion matrix of {item.title}. " + "; ".join(in_words),
    )
    st.markdown("Most confused:\n" + "\n".join(f"- {line}" for line in in_words) if in_words else "No error.")
    troubles = [f"seed {run.recipe.seed} {trouble}" for run in item.runs if (trouble := run.trouble)]
    if troubles and item.epoch is None:
        st.caption(f":orange[:material/warning: {'; '.join(troubles)}]")


def show_cell(library: Library, chosen: Answers, cell: Cell, shown: list[Answers], images: Dataset) -> None:
    """The test images of a cell of one matrix, the surest answers first, with what each of those shown says."""
    (row, column), classes = cell, images.info.classes
    found = library.remember(
        ("cell", chosen.item.id, cell), lambda: confusion.cell_images(library, chosen, images.test_labels, cell)
    )
    what = f"**{classes[row]}** " + (f"taken for **{classes[column]}**" if row != column else "recognised")
    times = f" {chosen.matrix[cell]:,} times on" if chosen.seeds > 1 else ","
    st.markdown(f"{chosen.item.title}: {what}{times} {amount(found)}, {order([chosen])}.")
    image_tiles.show(library, found, shown, images, lambda part: seeds_that_say(library, chosen, part, column))


def amount(found: np.ndarray) -> str:
    return f"{len(found):,} {'image' if len(found) == 1 else 'images'}"


def order(judges: Sequence[Answers]) -> str:
    """In which order images stand."""
    if any(answers.item.epoch for answers in judges):
        return "in order of their number: how sure a model is, is known of its end alone"
    return "the surest first"


def seeds_that_say(library: Library, chosen: Answers, part: np.ndarray, label: int) -> list[str]:
    """For each image of a cell: how many seeds put it there, and how surely; nothing for a single run."""
    if chosen.seeds == 1:
        return [""] * len(part)
    known = confusion.mean_probabilities(library, chosen.item, part)
    sure = [""] * len(part) if known is None else [f", {value:.0%}" for value in known[:, label]]
    votes = chosen.seeds_saying(label, part)
    return [
        f"{chosen.item.info.classes[label]}: {count} of {chosen.seeds} seeds{said}"
        for count, said in zip(votes, sure, strict=True)
    ]


# --- The difference of two matrices ---


def choose_pair(shown: list[Answers]) -> tuple[Answers, Answers]:
    titles = {answers.item.title: answers for answers in shown}
    before, after = (
        column.selectbox(name, list(titles), index, key=name.lower(), bind="query-params", on_change=from_the_start)
        for index, (column, name) in enumerate(zip(st.columns(2), ("From", "To"), strict=True))
    )
    return titles[before], titles[after]


def show_difference(library: Library, before: Answers, after: Answers, images: Dataset) -> None:
    """What the second does otherwise than the first, cell by cell and image by image."""
    change = confusion.difference(before, after)
    st.markdown(gain(before, after))
    left, right = st.columns([3, 2], gap="medium")
    each = " for each seed" if before.seeds + after.seeds > 2 else ""
    st.caption(
        f"Blue: more images in this cell than before{each}, orange: fewer. On the diagonal more is better, beside it "
        "fewer. Click a cell to see which images changed, or choose it here:"
    )
    info = images.info
    cell = choose_cell(st.columns(2), info.classes)
    in_words = [
        f"{info.classes[true]} {'recognised' if true == said else f'taken for {info.classes[said]}'}: "
        f"{confusion_charts.signed(count)}"
        for true, said, count in confusion.most_changed(change, LISTED_PAIRS)
    ]
    look = {"cell": cell, "dark": widgets.is_dark()}
    left.plotly_chart(
        library.remember(
            ("difference", before.item.id, after.item.id, *look.values()),
            lambda: confusion_charts.confusion_difference(change, info, **look),
        ),
        key="difference",
        on_select=lambda: picked("difference", info.classes),
        selection_mode="points",
        config=widgets.picture_config("confusion"),
        alt=f"Confusion matrix of {after.item.title} minus that of {before.item.title}. " + "; ".join(in_words),
    )
    right.markdown("Most changed:\n" + "\n".join(f"- {line}" for line in in_words) if in_words else "Nothing changed.")
    if cell:
        show_flips(library, before, after, cell, images)


def gain(before: Answers, after: Answers) -> str:
    """How many images more or fewer the second recognises, in a sentence."""
    images = confusion.images_gained(before, after)
    count = confusion_charts.signed(abs(images)).removeprefix("+")
    each = " with each seed, on average" if before.seeds + after.seeds > 2 else ""
    if not count:
        return f"**{after.item.title}** recognises as many images as **{before.item.title}**{each}."
    verb = f"{count} {'more' if images > 0 else 'fewer'} images"
    return f"**{after.item.title}** recognises {verb} than **{before.item.title}**{each}."


def show_flips(library: Library, before: Answers, after: Answers, cell: Cell, images: Dataset) -> None:
    """The images of a cell that changed from one to the other, and those that did not."""
    parts = library.remember(
        ("flips", before.item.id, after.item.id, cell),
        lambda: confusion.flips(library, before, after, images.test_labels, cell),
    )
    words = {
        "fixed": f"Put right by {after.item.title}",
        "broken": f"Broken by {after.item.title}",
        "alike": "Recognised by both" if cell[0] == cell[1] else "Wrong alike",
        "moved": "Wrong in both, otherwise",
    }
    options = [name for name in words if name != "moved" or cell[0] != cell[1]]
    st.markdown(" · ".join(f"{words[name]}: **{len(parts[name]):,}**" for name in options))
    part = st.segmented_control(
        "Images",
        options,
        default="fixed",
        required=True,
        key="flip",
        bind="query-params",
        format_func=words.get,
        on_change=from_the_start,
    )
    found, both = parts[part], [before] if before is after else [before, after]
    together = f" {TOGETHER}" if before.seeds + after.seeds > 2 else ""
    st.caption(f"{amount(found)}, {order(both)}.{together}")
    image_tiles.show(library, found, both, images)


# --- Who is right where ---


def show_patterns(library: Library, shown: list[Answers], groups: list[Group], images: Dataset) -> None:
    """Images by who recognises them, and those whose label may be wrong."""
    patterns = patterns_of(library, shown, images)
    chosen = st.selectbox("Images", [*patterns, SUSPECTS], key="pattern", bind="query-params", on_change=from_the_start)
    if chosen == SUSPECTS:
        show_suspects(library, default_groups(groups), images)
        return
    pattern = patterns[chosen]
    found, asked = library.remember(("pattern", chosen, tuple(answers.item.id for answers in shown)), pattern.find)
    if not asked:
        st.info("Not all seeds have kept their answers after this epoch.", icon=":material/history_toggle_off:")
        return
    together = f" {TOGETHER}" if any(answers.seeds > 1 for answers in asked) else ""
    st.markdown(f"**{chosen}:** {len(found):,} of {len(images.test_labels):,} images.")
    if pattern.is_division:
        st.caption(f"The most divided first. Under each image: how many seeds say what.{together}")
        image_tiles.show(library, found, asked, images, lambda part: tallies(asked[0], part))
    else:
        st.caption(f"{order(asked).capitalize()}.{together}")
        image_tiles.show(library, found, asked, images)


@dataclass(frozen=True)
class Pattern:
    """What can be asked about those compared."""

    find: Callable[[], tuple[np.ndarray, list[Answers]]]
    """Finds images, in the order in which they are shown, and says whose answers stand below them."""
    is_division: bool = False
    """Whether it is about the seeds of one group that disagree."""


def patterns_of(library: Library, shown: list[Answers], images: Dataset) -> dict[str, Pattern]:
    """What can be asked about those compared, by its name."""
    labels = images.test_labels

    def sorted_by_sureness(found: Callable[[], np.ndarray]) -> Pattern:
        return Pattern(lambda: (confusion.surest_answers_first(library, shown, found()), shown))

    def disagreement(item: Item) -> Pattern:
        def find() -> tuple[np.ndarray, list[Answers]]:
            answers = confusion.answers(library, item, labels)
            return (confusion.seeds_disagree(answers), [answers]) if answers else (np.zeros(0, int), [])

        return Pattern(find, is_division=True)

    alone = len(shown) == 1
    found = {}
    for which, answers in enumerate(shown):
        name = f"{answers.item.title} is right" if alone else f"Only {answers.item.title} is right"
        found[name] = sorted_by_sureness(lambda which=which: confusion.only_right(shown, labels, which))
    wrong = f"{shown[0].item.title} is wrong" if alone else "All are wrong"
    found[wrong] = sorted_by_sureness(lambda: confusion.all_wrong(shown, labels))
    if not alone:
        found["All are wrong in the same way"] = sorted_by_sureness(
            lambda: confusion.all_wrong(shown, labels, alike=True)
        )
    for item in {answers.item.group.id: answers.item for answers in shown}.values():
        if len(item.group.runs) > 1:
            seeds = confusion.all_seeds(item.group).after(item.epoch)
            found[f"Seeds disagree: {seeds.title}"] = disagreement(seeds)
    return found


def tallies(answers: Answers, part: np.ndarray) -> list[str]:
    """For each image what the seeds say: "3 × Coat, 2 × Shirt"."""
    classes = answers.item.info.classes
    return [", ".join(f"{votes} × {classes[label]}" for label, votes in answers.tally(image)) for image in part]


def show_suspects(library: Library, groups: list[Group], images: Dataset) -> None:
    """Test images of which all models and seeds surely say the same other label."""
    runs = confusion.alive(groups)
    table = library.remember(
        ("suspects", identity(groups)),
        lambda: confusion.possible_wrong_labels((library.logits(run) for run in runs), images.test_labels),
    )
    st.markdown(f"**{SUSPECTS}:** {len(table):,} of {len(images.test_labels):,} images.")
    st.caption(
        f"{len(runs)} runs of {widgets.listed(group.title for group in groups)} were asked, all seeds but dead ones. "
        f"They all say the same, each with a probability of {confusion.SURE:.0%} or more, and it is not the label. "
        "Models can be wrong together: look at the image before you believe them."
    )
    if table.empty:
        return
    named = table.assign(
        **{name: [images.info.classes[label] for label in table[name]] for name in ("label", "answer")}
    )
    st.dataframe(
        named,
        column_config={
            "image": st.column_config.NumberColumn("Test image", format="%d"),
            "label": "Its label",
            "answer": "What all say",
            "probability": st.column_config.NumberColumn("At least with", format="percent"),
        },
        hide_index=True,
        alt="Images whose label may be wrong, the surest first",
    )
    widgets.download_table("possible-wrong-labels", named)
    everyone = [
        library.remember(("answers", item.id), lambda: confusion.answers(library, item, images.test_labels))  # noqa: B023
        for item in map(confusion.all_seeds, groups)
    ]
    image_tiles.show(library, table["image"].to_numpy(), everyone, images)


with widgets.page("Confusion", "What do they mix up?"):
    show(widgets.open_library())
