"""What people do in a browser: press, choose, ask for a training, look at every page."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from helpers.browser import DRAWN, Visitor, points_drawn, wait_until_it_rests
from helpers.confusion import place_of_cell
from helpers.processes import standing_still, wait_for

from fmnist.data.catalog import CLOTHES
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.store import Store

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PAGES = ("", "Train", "Compare", "Confusion", "Predict", "Predict?how=Test+image", "Data")


@dataclass
class Hand:
    """How somebody uses a page: by the keyboard alone, or by touch."""

    page: Page
    touch: bool

    def press(self, part: Locator, key: str = "Enter") -> None:
        """Press a button or a link."""
        part.wait_for()
        if self.touch:
            part.scroll_into_view_if_needed()
            wait_until_it_rests(part)
            part.tap()
            return
        for _ in range(150):
            if part.evaluate("part => part.contains(part.getRootNode().activeElement)"):
                return self.page.keyboard.press(key)
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{part} is not reached by Tab")

    def open_cell(self, row: int, column: int) -> None:
        if self.touch:
            self.page.touchscreen.tap(*place_of_cell(self.page, 0, row, column))
            return
        for label, choice in {"True class": CLOTHES.classes[row], "Predicted class": CLOTHES.classes[column]}.items():
            tab_to(self.page, label)
            self.page.keyboard.type(choice)
            self.page.keyboard.press("Enter")


def tab_to(page: Page, label: str) -> None:
    """Press Tab until a widget has the focus."""
    page.get_by_role("combobox", name=label).wait_for()  # Tab goes round in what is drawn so far.
    for _ in range(80):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''")
        if label in focused:
            return
    raise AssertionError(f"{label} is not reached by Tab")


def choose(page: Page, label: str, option: str) -> None:
    box = page.get_by_role("combobox", name=label)
    box.scroll_into_view_if_needed()
    wait_until_it_rests(box)  # Scrolling would close the list again.
    box.click()
    page.get_by_role("option", name=option, exact=True).click()


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def starts_in_view(part: Locator) -> bool:
    """Whether the upper end of something can be seen: below what covers the window's top, and not at its very end."""
    top = part.evaluate("part => part.getBoundingClientRect().top")
    return 60 <= top <= part.page.viewport_size["height"] - 60


def train_link(models: str, epochs: int, rate: float = 0.1) -> str:
    """The address of Train with a recipe on sample data."""
    recipe = {"models": models, "dataset": "sample", "seeds": 1, "epochs": epochs, "rate": rate, "batch": 32}
    return f"Train?{urlencode(recipe | {'optimizer': 'sgd'})}"


def ready_to_train(visitor: Visitor, link: str) -> None:
    """The page Train, once its button can be pressed."""
    page = visitor.open(link)
    page.get_by_role("button", name="Train", exact=True).and_(page.locator(":enabled")).wait_for()
    visitor.settled()


def choose_recipe(visitor: Visitor, epochs: int) -> None:
    """On the page Train: the sample data, and so many epochs."""
    page = visitor.open("Train")
    page.get_by_test_id("stMain").get_by_text("Sample data", exact=True).click()
    page.get_by_role("button", name="Train", exact=True).and_(page.locator(":enabled")).wait_for()
    visitor.settled()
    page.get_by_text("Recipe", exact=True).click()
    field = page.get_by_label("Epochs")
    field.fill(str(epochs))
    field.press("Enter")
    page.get_by_text(f"SGD, learning rate 0.1, batches of 32, {epochs} epochs · Change").wait_for()
    visitor.settled()


def check_looks(visitor: Visitor, pages: list[str] | tuple[str, ...], *schemes: str) -> None:
    """Nothing overflows, and nothing is wrong, in any of these themes."""
    page = visitor.page
    for path in pages:
        visitor.turn_to(path)
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            visitor.settled()
            page.wait_for_function(DRAWN, polling=100)
            for kind in ("stException", "stAlertContentError"):
                assert page.get_by_test_id(kind).count() == 0, (path, page.get_by_test_id(kind).first.inner_text())
            widths = "[document.scrollingElement, document.querySelector('[data-testid=stMain]')]"
            assert page.evaluate(f"{widths}.every(part => part.scrollWidth <= innerWidth)"), f"/{path} in {scheme}"
            assert page.evaluate(f"{widths}.every(part => part.scrollWidth <= part.clientWidth)"), f"/{path}"


def train_while_both_watch(ann: Visitor, ben: Visitor, store: Store) -> None:
    """Ann trains all models; Ben comes later. Each sees curves that grow, until all points of all models are drawn."""
    choose_recipe(ann, epochs=10)
    press(ann.page, "Train")
    watchers = {ann: [], ben: []}

    def look() -> None:
        for visitor, seen in watchers.items():
            if (points := points_drawn(visitor.page)) and points not in seen:
                seen.append(points)

    def all_is_drawn(*visitors: Visitor) -> bool:
        look()
        return all(sum(points_drawn(visitor.page).values()) == stored_points(store) for visitor in visitors)

    def watched_to_the_end() -> bool:
        ann.page.wait_for_timeout(200)  # To look all the time would cost the training its processor.
        look()
        return all(visitor.page.get_by_text("Last training").is_visible() for visitor in watchers)

    wait_for(lambda: stored_points(store))
    with standing_still(store):
        ann.page.get_by_text("Training now").wait_for()
        wait_for(lambda: all_is_drawn(ann))
        before = stored_points(store)
    wait_for(lambda: stored_points(store) > before)
    with standing_still(store):
        ben.open("Train")
        ben.page.get_by_text("Training now").wait_for()
        wait_for(lambda: all_is_drawn(ann, ben))
    wait_for(watched_to_the_end, timeout=300)
    wait_for(lambda: all_is_drawn(ann, ben))
    assert len(watchers[ann]) > 2 and len(watchers[ben]) > 1, "the curves appeared, but did not grow"
    for visitor, seen in watchers.items():
        visitor.settled()
        assert all(total >= earlier.get(name, 0) for earlier, later in pairwise(seen) for name, total in later.items())
        assert {*points_drawn(visitor.page)} == {model.name for model in ARCHITECTURES.values()}
        visitor.check()


def stored_points(store: Store) -> int:
    """How many points the curves on the page Train have by now."""
    return len(store.history([run.id for run in store.runs()], "train"))
