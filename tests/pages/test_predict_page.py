"""The Predict page by AppTest: images, pictures, drawings, and the answers to them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from helpers.answers import is_one_sentence
from helpers.making import finished_run, three_models
from helpers.pictures import canvas, carpet, encode, with_shirt
from helpers.ui import COMPARE, DATA, PREDICT, again, says, texts, visit
from PIL import Image
from scipy.special import softmax
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.local_script_runner import LocalScriptRunner

from fmnist.data.catalog import CLOTHES
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict import conversion, examples
from fmnist.predict.conversion import to_png
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.ui import predict_answers, predict_table, upload_limit

pytestmark = pytest.mark.usefixtures("bare_pages", "started")


def answers(at: AppTest) -> dict[str, str]:
    """The answer that stands over the bars of each model."""
    found = (re.fullmatch(r"(Model .*)  \n\*\*(.*)\*\*, \d+%", text) for text in texts(at, "markdown"))
    return {match[1]: match[2] for match in found if match}


def bars(at: AppTest) -> list[str]:
    """The tables of probabilities, as HTML."""
    return [part.proto.body for part in at.get("html") if 'class="bars"' in part.proto.body]


EVERY_MODEL = {architecture.name for architecture in ARCHITECTURES.values()}


def test_every_model_answers_for_a_test_image(store, small_data, fashion):
    for seed in (0, 1):
        three_models(store, small_data, weights=True, seed=seed)
    at = visit(PREDICT, how="Test image", index="7")
    assert at.number_input(key="index").value == 7
    assert says(at, f"The label is **{CLOTHES.classes[small_data.test_labels[7]]}**.")
    assert {*answers(at)} == EVERY_MODEL
    assert says(at, "2 runs agree") and says(at, " ms for 2 runs")
    at.button(key="surprise").click()
    again(at)
    assert 0 <= at.number_input(key="index").value < 100


def test_the_bars_of_a_model_are_its_probabilities_in_its_colour(store, small_data, fashion):
    runs = [*three_models(store, small_data, weights=True), *three_models(store, small_data, weights=True, seed=1)]
    at = visit(PREDICT, how="Test image", index="3")
    library = Library(store, None)
    groups = library.groups("fashion-mnist")
    from fmnist.predict import prediction

    for group, table in zip(groups, bars(at), strict=True):
        mean = prediction.probabilities(library, group, small_data.test_images[[3]]).mean(axis=0)[0]
        assert ARCHITECTURES[group.recipe.model].color in table
        assert re.findall(r"<td>(\d+%)</td>", table) == [f"{value:.0%}" for value in mean]
        assert re.findall(r"<b style=\"width: ([\d.]+%)", table) == [f"{value:.1%}" for value in mean]
        assert table.count('class="top"') == 1
    assert len(runs) == 6 and len(groups) == 3


def test_the_accuracy_and_calibration_beside_an_answer_are_those_of_what_answers(store, small_data, fashion):
    runs = [
        finished_run(store, Recipe("0", seed), small_data, accuracy=accuracy, weights=True)
        for seed, accuracy in enumerate((0.4, 0.42, 0.8))
    ]
    at = visit(PREDICT, how="Test image", index="3")
    shares = np.mean([softmax(store.logits(run.id).astype(float), axis=1) for run in runs], axis=0)
    right, sure = np.mean(shares.argmax(axis=1) == small_data.test_labels), shares.max(axis=1).mean()
    assert right not in {run.finished_result.test_accuracy for run in runs[1:]} | {0.54}
    assert says(at, f"Model 0, mean of 3 runs\\: {right:.1%} of the test images right, {sure:.1%} confident")
    [group] = Library(store, None).groups("fashion-mnist")
    at.selectbox(key=f"run-{group.id}").set_value("Seed 1")
    again(at)
    assert says(at, f"Model 0, seed 1\\: {runs[1].finished_result.test_accuracy:.1%} of the test images right")


def test_one_run_answers_alone_if_it_is_chosen(store, small_data, fashion):
    for seed in (0, 1):
        three_models(store, small_data, weights=True, seed=seed)
    at = visit(PREDICT, how="Test image", index="3")
    library = Library(store, None)
    group = library.groups("fashion-mnist")[0]
    at.selectbox(key=f"run-{group.id}").set_value("Seed 1")
    again(at)
    from fmnist.predict import prediction

    alone = prediction.probabilities(library, group, small_data.test_images[[3]])[1, 0]
    assert re.findall(r"<td>(\d+%)</td>", bars(at)[0]) == [f"{value:.0%}" for value in alone]
    assert answers(at)["Model 0"] == CLOTHES.classes[alone.argmax()]


def test_a_test_image_is_found_by_class_and_by_who_gets_it_wrong(store, small_data, fashion):
    [run, *_] = three_models(store, small_data, weights=True)
    labels, said = small_data.test_labels, np.argmax(store.logits(run.id), axis=1)
    at = visit(PREDICT, how="Test image", index="0")
    at.selectbox(key="class").set_value("Bag")
    again(at)
    assert labels[at.number_input(key="index").value] == CLOTHES.classes.index("Bag")
    groups = {group.title: group.id for group in Library(store, None).groups("fashion-mnist")}
    at.selectbox(key="wrong").set_value(groups["Model 0"])
    at.selectbox(key="class").set_value(None)
    again(at)
    for _ in range(3):
        index = at.number_input(key="index").value
        assert said[index] != labels[index]
        at.button(key="surprise").click()
        again(at)
    assert at.button(key="surprise").label == f"Another of these {np.count_nonzero(said != labels)}"


def test_a_filter_with_one_image_or_none_has_no_other_one(store, small_data, fashion):
    finished_run(store, Recipe("0"), small_data, accuracy=0.99, weights=True)
    [wrong] = np.flatnonzero(store.predictions(1, 3) != small_data.test_labels)
    label = small_data.test_labels[wrong]
    for name, words in ((CLOTHES.classes[label], "The only one"), (CLOTHES.classes[label - 1], "There is none")):
        at = visit(PREDICT, how="Test image", index="0", wrong="Model 0", **{"class": name})
        assert at.button(key="surprise").label == f"{words} of these", name


def test_a_link_holds_the_image_and_how_it_was_found(store, small_data, fashion):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Test image", index="9", **{"class": "Coat", "wrong": "Model 2"})
    groups = {group.title: group.id for group in Library(store, None).groups("fashion-mnist")}
    assert at.number_input(key="index").value == 9
    assert (at.selectbox(key="class").value, at.selectbox(key="wrong").value) == ("Coat", groups["Model 2"])


def test_what_if_the_image_were_different(store, small_data, fashion, caplog):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Test image", index="3")
    before = bars(at)
    assert at.button(key="what-reset").disabled and not says(at, "Changed by “What if”")
    at.slider(key="what-dx").set_value(9)
    at.slider(key="what-angle").set_value(90)
    at.button_group(key="what-made").set_value(["Mirrored", "Inverted"])
    again(at)
    assert bars(at) != before and says(at, "Changed by “What if”")
    library = Library(store, None)
    from fmnist.predict import prediction

    changed = conversion.change(small_data.test_images[3][:, ::-1], dx=9, angle=90, invert=True)
    mean = prediction.probabilities(library, library.groups("fashion-mnist")[0], changed[None])[0, 0]
    assert re.findall(r"<td>(\d+%)</td>", bars(at)[0]) == [f"{value:.0%}" for value in mean]
    at.button(key="what-reset").click()
    again(at)
    assert bars(at) == before and "default value" not in caplog.text


def upload(at: AppTest, **files: bytes) -> AppTest:
    at.file_uploader(key="file").set_value([(f"{name}.png", content, "image/png") for name, content in files.items()])
    return again(at)


def test_pictures_come_with_the_page(store, small_data, fashion):
    """A file of its own may be gone from the server, where runs of the page follow each other quickly, before a browser
    asks for it: it would be told 404, and show no picture."""
    three_models(store, small_data, weights=True)
    tested, uploaded = visit(PREDICT, how="Test image"), visit(PREDICT, how="Upload")
    upload(uploaded, one=encode(canvas((700, 500), box=(200, 100, 400, 400)), "PNG"))
    for at in (tested, uploaded):
        urls = [url for image in at.image for url in image.value]
        assert len(urls) == 2 and all(url.startswith("data:image/png;") for url in urls)


def test_pictures_that_are_too_large_together_are_left_out_and_counted(store, small_data, monkeypatch):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Upload")
    pictures = {name: to_png(small_data.test_images[place], 8) for place, name in enumerate(("a", "b", "c"))}
    monkeypatch.setattr("fmnist.ui.upload_limit.MAX_HELD", sum(map(len, pictures.values())) - 1)
    register = LocalScriptRunner.register_file

    def register_limited(runner: LocalScriptRunner, file: UploadedFileRec) -> None:
        """Each run of AppTest has a new manager; a server's has been limited by the first page that anybody opened."""
        if "add_file" not in vars(runner._uploaded_file_mgr):
            upload_limit._limit(runner._uploaded_file_mgr)
        register(runner, file)

    monkeypatch.setattr(LocalScriptRunner, "register_file", register_limited)
    upload(at, **pictures)
    assert says(at, "1 of the 3 pictures is left out: the limit is 100 MB for all of them together.")
    assert says(at, "2 of 2 pictures classified")
    upload(at, b=pictures["b"], c=pictures["c"])
    assert not says(at, "left out")


def test_uploads_stay_over_other_sources_and_pages_until_they_are_removed(store, small_data, monkeypatch):
    manager = MemoryUploadedFileManager("/upload")  # A server has one; AppTest makes one for each run.
    monkeypatch.setattr("streamlit.testing.v1.local_script_runner.MemoryUploadedFileManager", lambda endpoint: manager)
    three_models(store, small_data, weights=True)
    a, b, c = (to_png(small_data.test_images[place], 8) for place in range(3))
    at = upload(visit(PREDICT, how="Upload"), a=a)
    alone = answers(at)
    assert {*alone} == EVERY_MODEL and not says(at, "Kept from before")
    for source in ("Draw", "Upload"):
        at.session_state["how"] = source
        again(at)
    assert answers(at) == alone and says(at, "Kept from before: **a.png**")
    upload(at, b=b)
    assert says(at, "2 of 2 pictures classified")
    table = at.dataframe[0].value
    at.switch_page(COMPARE)
    again(at)
    at.switch_page(PREDICT)
    again(at)
    assert at.session_state["how"] == "Upload" and says(at, "Kept from before: **a.png**, **b.png**")
    pd.testing.assert_frame_equal(at.dataframe[0].value, table)
    upload(at, c=c)
    assert at.dataframe[0].value["file"].tolist() == ["a.png", "b.png", "c.png"]
    at.button(key="remove-uploads").click()
    again(at)
    assert {*answers(at)} == EVERY_MODEL and not says(at, "Kept from before")
    assert [file.name for file in manager.file_storage["test session id"].values()] == ["c.png"]


def test_an_uploaded_picture_is_answered(store, small_data):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Upload")
    assert says(at, "The models' answers appear here.")
    upload(at, boot=to_png(small_data.test_images[0], 8))
    assert {*answers(at)} == EVERY_MODEL


def test_another_one_of_several_items_can_be_chosen(store, small_data):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Upload", conversion="true")
    both = with_shirt(canvas((500, 240), box=(300, 40, 380, 200)), (10, 20))
    upload(at, both=encode(both, "PNG"))
    assert says(at, "There are 2 items in the picture")
    seen = [bars(at)]
    for item in (1, -1):
        next(part for part in at.get("button_group") if part.key.startswith("item-")).set_value(item)
        seen.append(bars(again(at)))
    assert seen[0] != seen[1] != seen[2] != seen[0]
    upload(at, one=encode(canvas(), "PNG"))
    assert not any((part.key or "").startswith("item-") for part in at.get("button_group"))


def test_what_was_cut_out_of_a_busy_background_is_shown(store, small_data):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Upload", conversion="true")
    upload(at, photo=encode(with_shirt(carpet(), (20, 10)), "PNG"))
    assert says(at, "The background is busy, and was cut away")
    assert any("<figcaption>Cut out</figcaption>" in part.proto.body for part in at.get("html"))
    before = bars(at)
    at.button_group(key="steps").set_value(["trim", "proportions", "negate", "stretch"])
    again(at)
    assert says(at, "The background is busy: a plain white one") and bars(at) != before
    assert not any("<figcaption>Cut out</figcaption>" in part.proto.body for part in at.get("html"))


def test_the_steps_of_the_conversion_are_shown_with_a_plain_resize(store, small_data):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Upload", conversion="true")
    upload(at, boot=to_png(255 - small_data.test_images[0], 8))
    strip = next(part.proto.body for part in at.get("html") if 'class="steps"' in part.proto.body)
    names = re.findall(r"<figcaption>(.*?)</figcaption>", strip)
    assert names == ["Picture", "Trimmed", "Resized", "Extended", "Inverted", "Grey", "More contrast", "Plain resize"]
    assert says(at, "From a plain resize, squashed and not inverted: ")
    before = bars(at)
    at.button_group(key="steps").set_value(["sharpen", "negate"])
    again(at)
    strip = next(part.proto.body for part in at.get("html") if 'class="steps"' in part.proto.body)
    names = re.findall(r"<figcaption>(.*?)</figcaption>", strip)
    assert names == ["Picture", "Squashed", "Sharpened", "Inverted", "Grey", "Plain resize"]
    assert bars(at) != before


def test_many_pictures_are_answered_in_a_table(store, small_data):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Upload")
    upload(at, one=to_png(small_data.test_images[0], 8), two=b"not a picture", three=to_png(small_data.test_images[1]))
    assert says(at, "2 of 3 pictures classified")
    table = at.dataframe[0].value
    assert table["file"].tolist() == ["one.png", "two.png", "three.png"]
    assert table["Model 2"].isna().tolist() == [False, True, False]
    assert {*table["Model 2"].dropna()} <= {*CLOTHES.classes}
    assert table["Model 2, probability"].dropna().between(0.1, 1).all()
    assert is_one_sentence(table["remarks"][1])
    [shown] = [element.proto.column_order for element in at.dataframe]
    assert [*shown] == ["picture", "seen", *(f"Model {number}, answer" for number in range(3)), "file", "remarks"]
    assert table["Model 2, answer"][1] == "" and table["Model 2, answer"][0].startswith(table["Model 2"][0])
    assert not says(at, "The models' answers appear here.")
    [refused] = texts(at, "error")
    assert refused.startswith("- two.png: ")
    assert not answers(at)


def test_the_accuracy_beside_a_table_of_answers_is_that_of_what_answers(store, small_data, fashion):
    runs = [
        finished_run(store, Recipe("0", seed), small_data, accuracy=accuracy, weights=True)
        for seed, accuracy in enumerate((0.4, 0.42, 0.8))
    ]
    at = visit(PREDICT, how="Upload")
    upload(at, one=to_png(small_data.test_images[0], 8), two=to_png(small_data.test_images[1]))
    shares = np.mean([softmax(store.logits(run.id).astype(float), axis=1) for run in runs], axis=0)
    right = np.mean(shares.argmax(axis=1) == small_data.test_labels)
    assert says(at, f"Model 0, mean of 3 runs\\: {right:.1%} of the test images right")
    [group] = Library(store, None).groups("fashion-mnist")
    pictures = [to_png(small_data.test_images[0], 8), to_png(small_data.test_images[1])]
    pixels = np.stack([predict_table.converted(picture, "fashion-mnist")[0] for picture in pictures])
    from fmnist.predict import prediction

    [answer, _] = prediction.probabilities(Library(store, None), group, pixels).mean(axis=0)
    assert at.dataframe[0].value["Model 0, probability"][0] == answer.max()  # With every digit, as it is downloaded.


def test_pictures_that_no_model_answers_are_not_called_classified(store, small_data, monkeypatch):
    finished_run(store, Recipe("0"), small_data, weights=True)
    monkeypatch.setattr(predict_table, "_answers", lambda *_: ([], []))  # As of a custom model that raises something.
    at = visit(PREDICT, how="Upload")
    upload(at, one=to_png(small_data.test_images[0], 8), two=to_png(small_data.test_images[1]))
    assert says(at, "0 of 2 pictures classified")


def test_the_picture_that_was_picked_is_dropped_when_others_stand_there(store, small_data):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Upload")
    upload(at, **{name: to_png(small_data.test_images[place]) for place, name in enumerate(("a", "b", "c", "d", "e"))})
    [table] = [element.proto for element in at.dataframe if "many" in element.proto.id]
    at.session_state["many" + table.id.rpartition("many")[2]] = {"selection": {"rows": [4], "columns": [], "cells": []}}
    assert answers(again(at))
    upload(at, a=to_png(small_data.test_images[0]), c=to_png(small_data.test_images[2]))
    assert says(at, "Choose a row for a closer look.") and not answers(at)


def test_a_drawing_is_answered_and_what_is_none_is_refused_in_a_sentence(store, small_data):
    three_models(store, small_data, weights=True)
    assert says(visit(PREDICT), "Draw one piece of clothing, and fill it")
    box = {"kind": "box", "points": [[90, 40], [190, 240]], "shade": 34, "width": 24}
    at = drawn([box])
    assert {*answers(at)} == EVERY_MODEL
    assert not says(at, "Draw one piece of clothing")
    [error] = texts(drawn([box | {"kind": "spray"}]), "error")
    assert is_one_sentence(error)


@pytest.mark.parametrize("sent", [["version"], {"raw": 5}])
def test_what_a_canvas_sends_and_is_no_drawing_is_refused_and_nothing_is_lost(sent, store, small_data):
    three_models(store, small_data, weights=True)
    box = {"kind": "box", "points": [[90, 40], [190, 240]], "shade": 34, "width": 24}
    at = visit(DATA)
    at.session_state["drawing"], at.session_state["pad-chosen"] = [box], {"pad": "canvas", "side": 420}
    at.switch_page(PREDICT)
    again(at)
    at.session_state[at.session_state["canvas"].key] = {"drawing": sent}
    [error] = texts(again(at), "error")
    assert is_one_sentence(error) and {*answers(at)} == EVERY_MODEL


def drawn(strokes: list[dict]) -> AppTest:
    """The page Predict of somebody who has drawn this on an earlier visit."""
    at = visit(DATA)
    at.session_state["drawing"] = strokes
    at.switch_page(PREDICT)
    return again(at)


def test_before_any_input_the_answers_for_a_test_image_are_shown_by_what_is_stored(store, small_data, fashion):
    runs = three_models(store, small_data, weights=True)
    at = visit(PREDICT)
    assert says(at, "The models' answers appear here.") and says(at, "An example, test image 0: ")
    shares = [softmax(store.logits(run.id)[0].astype(float)) for run in runs]
    assert [re.findall(r"<td>(\d+%)</td>", table) for table in bars(at)] == [
        [f"{value:.0%}" for value in each] for each in shares
    ]
    assert not says(at, " ms")  # Nothing was computed.


def test_an_example_by_some_of_the_runs_does_not_speak_of_all(store, small_data, fashion, monkeypatch):
    monkeypatch.setattr(predict_answers, "MAX_SEEDS", 2)
    for seed in range(3):
        finished_run(store, Recipe("0", seed), small_data, accuracy=1)
    at = visit(PREDICT)
    assert says(at, "(all 2 training runs agree)") and says(at, "Of each model, at most 2 runs answer here.")


def test_examples_to_try(store, small_data, fashion):
    runs = three_models(store, small_data, weights=True)
    at = visit(PREDICT)
    at.button(key="example-A drawing").click()
    again(at)
    assert {*answers(at)} == EVERY_MODEL and at.session_state["drawing"] == examples.BOOT
    at.button(key="example-A photo").click()
    again(at)
    assert at.session_state["how"] == "Upload" and {*answers(at)} == EVERY_MODEL
    assert says(at, "An example, made from a test image")
    at.button(key="example-All models wrong").click()
    again(at)
    index = at.number_input(key="index").value
    assert all(np.argmax(store.logits(run.id)[index]) != small_data.test_labels[index] for run in runs)
    at.button(key="example-Not clothing").click()
    again(at)
    assert at.session_state["how"] == "Draw" and at.session_state["drawing"] == examples.LETTER


def test_an_outline_that_was_drawn_is_filled_unless_that_is_undone(store, small_data):
    three_models(store, small_data, weights=True)
    corners = [[90, 40], [190, 40], [190, 240], [90, 240], [90, 50]]
    at = drawn([{"kind": "brush", "points": corners, "shade": 34, "width": 14}])
    filled = bars(at)
    assert says(at, "Your outline is filled") and not says(at, "Draw one piece of clothing")
    at.button(key="outlines").click()
    again(at)
    assert says(at, "Your outline is not filled") and says(at, "Draw one piece of clothing")
    assert bars(at) != filled


def test_a_file_that_is_no_picture_is_refused_in_a_sentence(store, small_data):
    three_models(store, small_data, weights=True)
    at = upload(visit(PREDICT, how="Upload"), boot=b"not a picture at all")
    [error] = texts(at, "error")
    assert is_one_sentence(error)
    assert not answers(at)


def test_an_empty_picture_is_refused_in_a_sentence(store, small_data, tmp_path):
    three_models(store, small_data, weights=True)
    Image.new("RGB", (60, 60), "white").save(tmp_path / "white.png")
    at = upload(visit(PREDICT, how="Upload"), white=(tmp_path / "white.png").read_bytes())
    [error] = texts(at, "error")
    assert is_one_sentence(error)


@pytest.mark.parametrize("seconds, words", [(0.0004, "0.4 ms"), (0.0121, "12 ms"), (1.5, "1,500 ms")])
def test_a_short_time_in_words(seconds, words):
    assert predict_answers.milliseconds(seconds) == words


@pytest.mark.parametrize("index", ["inf", "-1e999", "x", "1.5"])
def test_a_number_in_the_address_that_is_none_opens_the_first_test_image(index, store, small_data, fashion):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Test image", index=index)
    assert at.number_input(key="index").value == 0


@pytest.mark.parametrize("shade", [34.0, "34", [34], None])
def test_a_choice_of_the_canvas_that_is_none_of_ours_changes_nothing(shade, store, small_data, fashion):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT)
    at.session_state["pad-chosen"] = {"pad": "canvas", "side": 420}
    at.session_state["canvas-choice"] = {"tool": "brush", "width": 24, "shade": shade}
    again(at)
    assert at.session_state["canvas-choice"]["shade"] == 34
