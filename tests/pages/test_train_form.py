"""The form of the Train page by AppTest: what is asked for, and what its address carries."""

from __future__ import annotations

import pytest
from helpers.answers import is_one_sentence
from helpers.making import finished_run, running_run, three_models
from helpers.ui import TRAIN, again, open_results, says, texts, visit
from streamlit.testing.v1 import AppTest

from fmnist.data.catalog import DATASETS
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.training import launcher
from fmnist.training.estimate import duration, estimate_seconds
from fmnist.ui.train_link import filled_in

FURTHER = {
    "weight_decay": 0.1,
    "shift": 2,
    "validation": 100,
    "schedule": "cosine",
    "mirror": True,
    "keep": "best",
}
"""What the published recipe does without, under the names of a recipe."""


def test_train_queues_each_chosen_model_and_seed_once(small_sample, started, store):
    at = train_page_for_sample()
    at.button_group(key="models").set_value(["0", "2"])
    at.number_input(key="seeds").set_value(2)
    at.text_input(key="epochs").set_value("1")
    at.button_group(key="optimizer").set_value(["adam"])
    at.text_input(key="rate").set_value("0.01")
    for key, value in (("decay", "0.1"), ("shift", "2"), ("validation", "100")):
        at.text_input(key=key).set_value(value)
    for key, choice in (("schedule", "cosine"), ("mirror", "yes"), ("keep", "best")):
        at.button_group(key=key).set_value([choice])
    again(at)
    at.button(key="train").click()
    again(at)
    wanted = [
        Recipe(model, seed, "sample", epochs=1, learning_rate=0.01, optimizer="adam", **FURTHER)
        for model in "02"
        for seed in (0, 1)
    ]
    queued = store.runs("queued")
    assert sorted((run.recipe for run in queued), key=lambda recipe: (recipe.model, recipe.seed)) == wanted
    assert [run.key for run in queued] == [run.recipe.key(small_sample.fingerprint) for run in queued]
    assert set(started) == {store.path}
    assert says(at, "Queued: Model 0, seed 0")
    at.button(key="train").click()
    again(at)
    assert len(store.runs()) == 4


def test_what_a_dead_trainer_has_left_behind_goes_on_at_the_first_press(small_sample, started, store):
    id = running_run(store, Recipe("0", 0, "sample"), small_sample)
    at = train_page_for_sample()
    with store._write() as db:  # It was marked when the page was drawn: as if its trainer died only now.
        db.execute("UPDATE runs SET status = 'running' WHERE id = ?", (id,))
    at.button_group(key="models").set_value(["0"])
    at.button(key="train").click()
    again(at)
    assert store.run(id).status == "queued" and started
    assert says(at, "Queued: Model 0, seed 0 (resumes after epoch 1 of 3)")


def test_what_is_trained_already_is_shown_at_once_beside_what_is_still_to_be_trained(small_sample, store):
    finished_run(store, Recipe("0", 0, "sample"), small_sample)
    finished_run(store, Recipe("1", 0, "sample"), small_sample)
    at = train_page_for_sample()
    at.button_group(key="models").set_value(["0"])
    at.number_input(key="seeds").set_value(3)
    again(at)
    assert says(at, "1 of 3 is already trained: its result is shown at once.")
    at.button(key="train").click()
    again(at)
    assert says(at, "Finished: Model 0, seed 0 **")
    assert says(at, "Queued: Model 0, seed 1, Model 0, seed 2")
    assert open_results(at)["run"].tolist() == ["Model 0, seed 0"]


def test_what_is_trained_already_is_not_trained_again_unless_asked(small_sample, started, store):
    three_models(store, small_sample, dataset="sample")
    at = train_page_for_sample()
    assert says(at, "Everything here is already trained with this recipe. See Compare.")
    at.button(key="train").click()
    again(at)
    assert len(store.runs()) == 3
    assert says(at, "Everything here is already trained: Dashboard")
    at.toggle(key="again").set_value(True)
    again(at)
    assert says(at, "3 runs, roughly")
    at.button(key="train").click()
    again(at)
    assert started
    assert len(store.runs("queued")) == 3


def test_what_is_left_of_a_recipe_is_promised(small_sample, started, store):
    three_models(store, small_sample, dataset="sample")
    at = train_page_for_sample()
    at.number_input(key="seeds").set_value(3)
    again(at)
    assert says(at, "3 of 9 are already trained: their results are shown at once. 6 runs, roughly")


def test_without_a_model_nothing_can_be_trained(small_sample):
    at = train_page_for_sample()
    at.button_group(key="models").set_value([])
    again(at)
    assert at.button(key="train").disabled
    assert says(at, "Choose at least one model.")


def test_the_recipe_is_a_line_that_says_whether_it_is_the_published_one(small_sample):
    at = train_page_for_sample()
    published = "SGD, learning rate 0.1, batches of 32, 3 epochs"
    assert recipe_line(at) == f"**Recipe** · {published} · the published recipe · :primary[Change]"
    at.text_input(key="epochs").set_value("7")
    at.selectbox(key="device").set_value("cpu")
    again(at)
    assert recipe_line(at) == f"**Recipe** · {published[:-8]}7 epochs, on CPU · :primary[Change]"
    at.text_input(key="epochs").set_value("seven")
    assert recipe_line(again(at)) == "**Recipe** · :primary[Change]"


def recipe_line(at: AppTest) -> str:
    """The recipe, as the page says it above its inputs."""
    [line] = [expander.label for expander in at.expander if expander.label.startswith("**Recipe**")]
    return line


@pytest.mark.parametrize(
    "name, seeds, rates", [("Quick look", 1, [0.1]), ("Five seeds", 5, [0.1]), ("A sweep", 1, [0.01, 0.03, 0.1])]
)
def test_a_preset_fills_in_the_form_and_starts_nothing(name, seeds, rates, small_sample, started, store):
    three_models(store, small_sample, dataset="sample", seed=99)  # So that it is known how long the data take.
    at = train_page_for_sample()
    at.button_group(key="models").set_value(["1"])
    at.text_input(key="epochs").set_value("9")
    at.text_input(key="batch").set_value("64")
    at.number_input(key="seeds").set_value(2)
    at.selectbox(key="device").set_value("cpu")
    again(at)
    button = at.button(key=f"preset-{name}")
    held_out = 2_000 if len(rates) > 1 else 0
    recipes = [
        Recipe(model, seed, "sample", learning_rate=rate, validation=held_out)
        for model in "012"
        for seed in range(seeds)
        for rate in rates
    ]
    library, slots = Library(store, None), launcher.slots_of(store, None)
    assert button.label == f"{name} · {duration(estimate_seconds(library, recipes, DATASETS['sample'].train, slots))}"
    button.click()
    again(at)
    assert not store.runs("queued")
    assert ("the published recipe" in recipe_line(at)) == (len(rates) == 1)
    assert ("2,000 held out" in recipe_line(at)) == (len(rates) > 1) and at.text_input(key="validation").value == "auto"
    at.button(key="train").click()
    again(at)
    assert {run.recipe for run in store.runs("queued")} == {*recipes}


def test_lists_make_a_sweep_whose_grid_is_shown_before_it_starts(small_sample, started, store):
    three_models(store, small_sample, dataset="sample")
    at = train_page_for_sample()
    assert "grid" not in {expander.key for expander in at.expander if hasattr(expander, "key")}
    at.button_group(key="models").set_value(["0", "2"])
    at.text_input(key="rate").set_value("0.1, 1e-2, .01")
    at.text_input(key="batch").set_value("32 64")
    at.number_input(key="seeds").set_value(2)
    at.text_input(key="validation").set_value("0")
    again(at)
    assert says(at, "2 models × 2 learning rates × 2 batch sizes × 2 seeds = 16 runs. 2 of 16 are already trained")
    assert says(at, "14 runs, roughly")
    assert not store.runs("queued")
    at.session_state["grid"] = True
    again(at)
    table = next(table.value for table in at.dataframe if "trained" in table.value)
    assert len(table) == 8 and {*table["seeds"]} == {2} and table["trained"].sum() == 2
    assert table["seconds"].notna().all()
    at.button(key="train").click()
    again(at)
    queued = {run.recipe for run in store.runs("queued")}
    assert len(queued) == 14
    assert {(r.model, r.learning_rate, r.batch_size) for r in queued} == {
        (model, rate, size) for model in "02" for rate in (0.1, 0.01) for size in (32, 64)
    }
    assert says(at, "Queued: Model 0, lr 0.1, batch 64, seed 0, ")


@pytest.mark.parametrize(
    "key, text, words",
    [
        ("rate", "0.1, fast", "is not a number"),
        ("rate", "", "A value is missing"),
        ("rate", "0.1, 0", "The learning rate must be greater than 0"),
        ("batch", "32, 1.5", "is not a whole number"),
        ("epochs", "0", "The number of epochs must be a whole number from 1"),
        ("rate", "<b>", "is not a number"),
    ],
)
def test_a_list_that_cannot_be_used_is_explained_in_a_sentence(key, text, words, small_sample, started, store):
    at = train_page_for_sample()
    at.text_input(key=key).set_value(text)
    again(at)
    [error] = texts(at, "error")
    assert words in error and is_one_sentence(error)
    assert at.button(key="train").disabled


def test_a_grid_that_is_too_large_is_refused_in_a_sentence(small_sample):
    at = train_page_for_sample()
    at.number_input(key="seeds").set_value(20)
    at.text_input(key="rate").set_value(", ".join(f"0.{n}" for n in range(10, 40)))
    again(at)
    [error] = texts(at, "error")
    assert "1,800 runs" in error and is_one_sentence(error)
    assert at.button(key="train").disabled


def test_a_sweep_without_an_optimiser_cannot_be_trained(small_sample):
    at = train_page_for_sample()
    at.button_group(key="optimizer").set_value([])
    again(at)
    assert says(at, "Choose at least one optimiser.") and at.button(key="train").disabled


def train_page_for_sample() -> AppTest:
    at = visit(TRAIN)
    at.button_group(key="dataset").set_value("sample")
    return again(at)


def test_an_address_fills_in_the_recipe(store, small_sample):
    asked = {"models": "1,2", "dataset": "sample", "seeds": "5", "epochs": "7", "rate": "0.05", "batch": "64"}
    at = visit(TRAIN, **asked, optimizer="adam")
    assert at.number_input(key="seeds").value == 5 and at.text_input(key="epochs").value == "7"
    assert "Adam, learning rate 0.05, batches of 64, 7 epochs" in recipe_line(at)


def test_an_address_fills_in_lists(store, small_sample):
    asked = {"models": "1,2", "dataset": "sample", "seeds": "1", "epochs": "1,3", "rate": "0.05, 0.5", "batch": "64"}
    at = visit(TRAIN, **asked, optimizer="adam,sgd", mirror="no,yes", validation="200")
    assert at.button_group(key="mirror").value == ["no", "yes"] and at.text_input(key="validation").value == "200"
    assert at.text_input(key="rate").value == "0.05, 0.5" and at.button_group(key="optimizer").value == ["adam", "sgd"]
    factors = "2 models × 2 optimisers × 2 learning rates × 2 numbers of epochs × 2 choices of mirroring"
    assert says(at, f"{factors} = 32 runs")


@pytest.mark.parametrize(
    "wrong",
    [
        {"models": "9"},
        {"seeds": "1000"},
        {"epochs": "many"},
        {"rate": "nan"},
        {"batch": ",".join(map(str, range(1, 999)))},
        {"mirror": "maybe"},
        {"schedule": "linear"},
        {"keep": "best"},  # No images are held out.
    ],
)
def test_an_address_that_makes_no_recipe_is_ignored_and_that_is_said(store, small_data, fashion, wrong):
    asked = {"models": "1", "dataset": "sample", "seeds": "5", "epochs": "7", "rate": "0.05", "batch": "64"}
    at = visit(TRAIN, **asked | wrong, optimizer="adam")
    assert at.number_input(key="seeds").value == 1 and at.text_input(key="epochs").value == "3"
    for _ in range(2):
        [said] = texts(at, "info")
        assert said.startswith("The address asks for something that can't be trained") and is_one_sentence(said)
        again(at)
    assert not texts(visit(TRAIN, **asked), "info")


def test_an_address_may_leave_out_what_is_as_always(store, small_sample):
    at = visit(TRAIN, rate="0.05", device="cpu")
    assert at.text_input(key="rate").value == "0.05" and at.selectbox(key="device").value == "cpu"
    assert at.button_group(key="models").value == ["0", "1", "2"] and at.number_input(key="seeds").value == 1


def test_the_address_has_the_form_so_that_a_reload_keeps_it(store, small_sample):
    at = visit(TRAIN)
    assert not at.query_params
    at.button_group(key="dataset").set_value("sample")
    at.button_group(key="models").set_value(["2", "0"])
    at.number_input(key="seeds").set_value(5)
    at.text_input(key="rate").set_value("0.01 .03")
    at.text_input(key="batch").set_value("many")
    at.button_group(key="optimizer").set_value(["adam", "sgd"])
    at.selectbox(key="device").set_value("cpu")
    again(at)
    words = dict(at.query_params)
    assert words == {
        "models": "0,2",
        "dataset": "sample",
        "seeds": "5",
        "rate": "0.01, 0.03",
        "optimizer": "adam,sgd",
        "device": "cpu",
    }
    new = visit(TRAIN, **words)
    assert new.query_params == at.query_params
    assert new.button_group(key="models").value == ["0", "2"] and new.button_group(key="dataset").value == "sample"
    assert new.text_input(key="rate").value == "0.01, 0.03" and new.text_input(key="batch").value == "32"
    assert says(new, "2 models × 2 optimisers × 2 learning rates × 5 seeds = 40 runs")
    new.button_group(key="models").set_value([])
    assert "models" not in again(new).query_params  # Nothing to train: a link to it would be of no use.


def test_the_form_is_kept_while_one_looks_at_another_page_and_a_link_replaces_it(store, small_sample):
    at = visit(TRAIN, rate="0.05", seeds="5")
    at.switch_page("pages/5_Data.py")
    again(at)
    at.switch_page(TRAIN)
    again(at)
    assert at.text_input(key="rate").value == "0.05" and at.query_params["rate"] == "0.05"
    at.switch_page("pages/5_Data.py")
    again(at)
    at.switch_page(TRAIN)
    at.query_params.update(filled_in([Recipe("1")], seeds=1))
    at._finished_page_script_hash = at._page_hash
    again(at)
    assert at.text_input(key="rate").value == "0.1" and at.button_group(key="models").value == ["1"]
    assert dict(at.query_params) == {"models": "1"}
