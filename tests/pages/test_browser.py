"""The whole story in a real browser, on a real server, with a real trainer and the generated sample data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import numpy as np
import pytest
from helpers.browser import Server, Visitor, served, visited
from helpers.confusion import (
    SAMPLE,
    click_cell,
    confusion_of,
    is_in_view,
    place_of_cell,
    runs_of,
    shown_images,
    title,
    worst_cell,
)
from helpers.data_files import keep_as_sample
from helpers.hands import (
    PAGES,
    Hand,
    check_looks,
    choose,
    press,
    ready_to_train,
    starts_in_view,
    tab_to,
    train_link,
    train_while_both_watch,
)
from helpers.making import finished_run
from helpers.processes import kill_trainers, only_trainer, standing_still, wait_for

from fmnist.data.catalog import CLOTHES
from fmnist.data.files import Dataset
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.run import Run
from fmnist.store.store import Store
from fmnist.training import launcher

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

MAIN = "[data-testid=stMain]"
LAPTOP, PHONE = {"width": 1400, "height": 1100}, {"width": 390, "height": 844}

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory, small_data: Dataset) -> Iterator[Server]:
    """A server with no data but a small part of the sample data: an epoch has 11 steps."""
    folder = tmp_path_factory.mktemp("browser")
    keep_as_sample(small_data, folder / "runs")
    with served(folder / "runs", folder / "no-data") as started:
        yield started


@pytest.fixture
def runs(server: Server) -> Iterator[Store]:
    """What the server's store holds."""
    store = Store(server.runs / "fmnist.db")
    yield store
    store.close()


@pytest.fixture(scope="module")
def anns_browser(browser: Browser, server: Server) -> BrowserContext:
    return visited(browser, server, viewport=LAPTOP)


@pytest.fixture(scope="module")
def bens_browser(browser: Browser, server: Server) -> BrowserContext:
    return visited(browser, server, viewport=LAPTOP)


@pytest.fixture(scope="module")
def phones_browser(browser: Browser, server: Server) -> BrowserContext:
    return visited(browser, server, viewport=PHONE, has_touch=True, is_mobile=True)


@pytest.fixture(scope="module")
def anns_window(anns_browser: BrowserContext, server: Server) -> Iterator[Visitor]:
    visitor = Visitor(anns_browser, server)
    yield visitor
    visitor.close()


@pytest.fixture
def ann(anns_window: Visitor) -> Visitor:
    """Ann, who has one window all the time."""
    anns_window.page.set_viewport_size(LAPTOP)
    anns_window.page.emulate_media(color_scheme="light")
    anns_window.faults.clear()
    return anns_window


@pytest.fixture
def ben(bens_browser: BrowserContext, server: Server) -> Iterator[Visitor]:
    visitor = Visitor(bens_browser, server)
    yield visitor
    visitor.close()


@pytest.fixture(scope="module")
def trained(server: Server, anns_window: Visitor, bens_browser: BrowserContext) -> list[Run]:
    """Ann presses Train for all three models, and Ben, who came later, watches the same training."""
    ben = Visitor(bens_browser, server)
    store = Store(server.runs / "fmnist.db")
    train_while_both_watch(anns_window, ben, store)
    ben.close()
    finished = store.runs("done")
    store.close()
    assert [run.recipe.model for run in finished] == sorted(ARCHITECTURES)
    return finished


def test_no_page_is_wider_than_a_phone_before_and_after_the_first_training(runs, small_data, ann):
    """The first test here: nothing has been trained yet."""
    ann.page.set_viewport_size(PHONE)
    ann.page.emulate_media(color_scheme="dark")
    ann.open()
    with launcher.held(launcher.lock(runs.path)):  # A visit of Train starts no trainer, which would take the run.
        check_looks(ann, PAGES, "dark")
        run = finished_run(runs, Recipe("0", dataset="sample"), small_data, weights=True)
        check_looks(ann, [page + ("&" if "?" in page else "?") + SAMPLE for page in PAGES], "dark")
    ann.check()
    runs.delete(run.id, for_good=True)


def test_the_accuracies_stand_on_every_page_of_results(trained, ann):
    page = ann.turn_to(f"?{SAMPLE}")
    best = max(trained, key=lambda run: run.result.test_accuracy)
    page.get_by_text(f"{best.result.test_accuracy:.1%}").first.wait_for()
    page.get_by_role("tab", name="All numbers").click()
    cells = page.get_by_test_id("stDataFrame").locator("[role=gridcell]")

    def has_all() -> bool:
        numbers = [float(text) for text in cells.all_text_contents() if re.fullmatch(r"[\d.]+", text)]
        accuracies = [100 * run.result.test_accuracy for run in trained]
        return all(any(abs(number - accuracy) < 0.01 for number in numbers) for accuracy in accuracies)

    wait_for(has_all)
    page = ann.turn_to(f"Compare?{SAMPLE}")
    for run in trained:
        accuracy = run.result.test_accuracy
        page.locator(".js-plotly-plot").get_by_text(f"{accuracy:.1%}", exact=True).first.wait_for()
    page = ann.turn_to(confusion_of(trained))
    for run in trained:
        page.get_by_text(f"{run.result.test_accuracy:.2%} right").first.wait_for()
    ann.check()


def test_a_click_on_a_cell_shows_its_images_and_the_link_shows_them_to_others(trained, runs, small_data, ann, ben):
    second = runs.logits(trained[1].id)
    row, column, images = worst_cell(second, small_data)
    page = ann.open(confusion_of(trained))
    page.set_viewport_size({"width": 1400, "height": 900})
    page.locator("figure").first.wait_for()
    ann.settled()
    assert page.locator(MAIN).evaluate("main => main.scrollTop") == 0, "it has moved though nobody has clicked"
    click_cell(page, 1, row, column)
    words = f"{title(trained[1])}: {CLOTHES.classes[row]} mistaken for {CLOTHES.classes[column]}, {len(images)} image"
    page.get_by_text(words).wait_for()
    wait_for(lambda: shown_images(page) == images)
    wait_for(lambda: is_in_view(page, "figure"))
    with ann.answered():
        click_cell(page, 1, row, column)  # The cell stays when it is clicked again.
    assert shown_images(page) == images
    page.get_by_text("Share of the predicted class", exact=True).click()
    page.get_by_text("means a larger share of the predicted class, on the same scale in every matrix").wait_for()
    ann.settled()
    page.get_by_role("button", name=f"#{images[0]} · ").click()
    page.get_by_text(f"Test image {images[0]}: {CLOTHES.classes[row]}").wait_for()
    wait_for(lambda: is_in_view(page, f"img[alt^='Test image {images[0]},']"))
    ann.settled()
    copied = ben.open(page.url.removeprefix(f"{ann.server.url}/"))
    copied.get_by_text(f"Test image {images[0]}: {CLOTHES.classes[row]}").wait_for()
    wait_for(lambda: shown_images(copied) == images)
    ben.settled()
    for window in (page, copied):
        window.get_by_text(words).wait_for()
        assert shown_images(window) == images
        cells = window.get_by_role("radiogroup", name="Show in cells")
        cells.get_by_role("radio", name="Share of the predicted class", checked=True).wait_for()
    copied.get_by_role("link", name="Open it in Predict").click()
    copied.get_by_text("What the models see").wait_for()
    copied.get_by_text(f"The label is {CLOTHES.classes[row]}.").locator("visible=true").wait_for()
    wait_for(lambda: copied.get_by_label("Test image, 0 to 99").input_value() == str(images[0]))
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Compare").click()
    page.get_by_text("How do the models compare?").wait_for()
    page.get_by_text("What went wrong").wait_for()
    ann.settled()
    assert "data=sample" in query(page), "what was chosen on the page before is not in the address"
    ann.check()
    ben.check()


def test_the_browser_goes_back_and_forward_between_what_was_chosen(trained, ann):
    page = ann.open(f"Confusion?data=sample&{runs_of(trained)}")
    box = page.get_by_role("combobox", name="Of")

    def check(run: Run, address: list[str]) -> None:
        wait_for(lambda: box.input_value() == title(run))
        wait_for(lambda: query(page) == ["data=sample", *unquote(runs_of(trained)).split("&"), *address])

    check(trained[0], [])
    for run in trained[1:]:
        with ann.answered():
            choose(page, "Of", title(run))
        check(run, [f"of={run.id}"])
    for step, run, address in (
        (page.go_back, trained[1], [f"of={trained[1].id}"]),
        (page.go_back, trained[0], []),
        (page.go_forward, trained[1], [f"of={trained[1].id}"]),
    ):
        with ann.answered():
            step()
        check(run, address)
    ann.check()


def test_back_undoes_a_preset_of_train_at_once(ann):
    page = ann.open("Train?rate=0.05&seeds=2")
    summary = page.get_by_test_id("stExpander").first.locator("summary")

    def check(line: str, address: list[str]) -> None:
        summary.get_by_text(f"SGD, learning rate {line}").wait_for()
        wait_for(lambda: query(page) == address)

    check("0.05, batches of 32, 3 epochs · Change", ["rate=0.05", "seeds=2"])
    with ann.answered():
        page.get_by_role("button", name="Five seeds").click()
    check("0.1, batches of 32, 3 epochs · the published recipe · Change", ["seeds=5"])
    with ann.answered():
        page.go_back()
    check("0.05, batches of 32, 3 epochs · Change", ["rate=0.05", "seeds=2"])
    ann.check()


def test_a_cell_is_picked_and_an_image_enlarged_by_the_keyboard_alone(trained, runs, small_data, ann):
    row, column, images = worst_cell(runs.logits(trained[0].id), small_data)
    page = ann.open(confusion_of(trained))
    for label, choice in {
        "True class": CLOTHES.classes[row],
        "Predicted class": CLOTHES.classes[column],
        "Open an image": f"#{images[-1]}",
    }.items():
        tab_to(page, label)
        with ann.answered():
            page.keyboard.type(choice)
            page.keyboard.press("Enter")
    page.get_by_text(f"Test image {images[-1]}: {CLOTHES.classes[row]}").wait_for()
    wait_for(lambda: shown_images(page) == images)
    for model in ARCHITECTURES.values():
        page.locator(f"[data-testid=stPlotlyChart][aria-label^='{model.name}: ']").wait_for()
    ann.check()


def test_a_click_on_the_difference_shows_what_changed(trained, runs, small_data, ann):
    labels = small_data.test_labels
    before, after = (np.argmax(runs.logits(run.id), axis=1) for run in (trained[0], trained[2]))
    fixed = [int(image) for image in np.flatnonzero((before != labels) & (after == labels))]
    row, column = int(labels[fixed[0]]), int(before[fixed[0]])
    page = ann.open(f"Confusion?{SAMPLE}&cells=Difference&{urlencode({'to': title(trained[2])})}")
    ann.settled()  # A click on a chart that is drawn again meanwhile is lost.
    click_cell(page, 0, row, column)
    page.get_by_text(f"Fixed by {title(trained[2])}: ").wait_for()
    wait_for(lambda: {*shown_images(page)} == {i for i in fixed if (labels[i], before[i]) == (row, column)})
    ann.check()


def test_a_tap_on_a_cell_brings_its_images_into_view_on_a_phone(trained, runs, small_data, server, phones_browser):
    row, column, images = worst_cell(runs.logits(trained[0].id), small_data)
    visitor = Visitor(phones_browser, server)
    page = visitor.open(f"Confusion?{SAMPLE}&{runs_of(trained[:1])}&true=Bag&predicted=Bag")
    visitor.settled()
    page.touchscreen.tap(*place_of_cell(page, 0, row, column))
    wait_for(lambda: shown_images(page) == images)
    wait_for(lambda: is_in_view(page, "figure"))
    page.get_by_role("button", name=f"#{images[-1]} · ").tap()
    wait_for(lambda: is_in_view(page, f"img[alt^='Test image {images[-1]},']"))
    visitor.check()
    visitor.close()


def test_two_browsers_that_press_train_at_once_train_each_recipe_once(server, runs, ann, ben):
    for visitor in (ann, ben):
        ready_to_train(visitor, train_link("0,1,2", epochs=1))
    for visitor in (ann, ben):
        press(visitor.page, "Train")
    wait_for(lambda: len(one_epoch(runs, "done")) == len(ARCHITECTURES), timeout=300)
    for visitor in (ann, ben):
        visitor.page.get_by_text("Last training").wait_for()
        visitor.settled()
        visitor.check()
    assert sorted(run.recipe.model for run in one_epoch(runs)) == sorted(ARCHITECTURES)
    assert only_trainer(server.runs)


def one_epoch(store: Store, *statuses: str) -> list[Run]:
    return [run for run in store.runs(*statuses) if run.recipe.epochs == 1]


def test_training_outlives_the_server_and_can_be_resumed_when_it_dies_itself(server, runs, ann, ben):
    # With a rate of 0.1 it would go on from the run of the test before, and have a checkpoint at once.
    ready_to_train(ann, train_link("2", epochs=60, rate=0.05))
    ann.page.get_by_text("SGD, learning rate 0.05, batches of 32, 60 epochs · Change").wait_for()
    press(ann.page, "Train")
    wait_for(lambda: runs.runs("running"))
    [run] = runs.runs("running")

    def reached() -> int:
        return runs.run(run.id).step

    wait_for(lambda: runs.artifact(run.id, "checkpoint"))
    with standing_still(runs):
        step = reached()
        ann.page.get_by_text(f"step {step:,} of 660").wait_for()
        server.kill()
    wait_for(lambda: reached() > step)
    with standing_still(runs):
        step = reached()
        server.start()
        page = ben.open("Train")
        page.get_by_text(f"step {step:,} of 660").wait_for()
    wait_for(lambda: reached() > step)
    with standing_still(runs):
        page.get_by_text(f"step {reached():,} of 660").wait_for()
        kill_trainers(server.runs)
    page.get_by_text("interrupted at step").wait_for()
    assert runs.run(run.id).status == "interrupted"

    press(page, "Resume")
    wait_for(lambda: runs.run(run.id).status == "done", timeout=300)
    page.get_by_text("Last training").wait_for()
    page.get_by_text("interrupted at step").wait_for(state="detached")
    history = runs.history([run.id])
    assert history.loc[history["split"] == "test", "epoch"].tolist() == list(range(1, 61))
    ben.check()
    # Ann's tab was open all the time, and has found the new server.
    ann.page.get_by_text("Last training").wait_for()


@pytest.mark.parametrize("touch, epochs", [(False, 4), (True, 5)], ids=["by keyboard", "by touch on a phone"])
def test_the_main_job_and_each_answer_comes_into_view(
    touch, epochs, server, runs, small_data, anns_browser, phones_browser
):
    """Train, compare, open a mix-up and one of its images, and see what the models say of it. That one draws by touch
    and by keyboard, too, is tested in tests/ui/test_drawing_pad_without_mouse.py."""
    visitor = Visitor(phones_browser if touch else anns_browser, server)
    if not touch:
        visitor.page.set_viewport_size({"width": 1400, "height": 900})
    page = visitor.open(train_link("0", epochs))
    hand, main = Hand(page, touch), page.get_by_test_id("stMain")

    def comes_into_view(part: Locator) -> None:
        part.wait_for()
        wait_for(lambda: starts_in_view(part), timeout=20)

    hand.press(page.get_by_role("button", name="Train", exact=True).and_(page.locator(":enabled")))
    comes_into_view(page.get_by_role("heading", name=re.compile("Training now|Last training")))
    [run] = wait_for(lambda: [run for run in runs.runs("done") if run.recipe.epochs == epochs])
    page.get_by_text("Last training").wait_for()
    page.get_by_text("class by class").wait_for()
    hand.press(page.locator(".st-key-next-step a"))
    comes_into_view(main.get_by_role("heading", level=2).first)
    page.get_by_text("see which images").or_(page.get_by_text("see what it says instead")).wait_for()
    hand.press(page.locator(".st-key-next-step a"))
    comes_into_view(main.get_by_role("heading", level=2).first)
    row, column, images = worst_cell(runs.logits(run.id), small_data)
    page.locator("figure").first.wait_for()
    visitor.settled()
    hand.open_cell(row, column)
    wait_for(lambda: shown_images(page) == images)
    comes_into_view(page.locator("figure").first)
    hand.press(page.get_by_role("button", name=f"#{images[0]} · "))
    comes_into_view(page.locator(f"img[alt^='Test image {images[0]},']"))
    visitor.settled()
    hand.press(page.get_by_role("link", name="Open it in Predict"))
    verdict = main.get_by_role("heading", name=CLOTHES.classes[row]).locator("visible=true").first
    comes_into_view(verdict)
    visitor.check()
    visitor.close()


def query(page: Page) -> list[str]:
    return [f"{name}={value}" for name, value in parse_qsl(urlsplit(page.url).query)]
