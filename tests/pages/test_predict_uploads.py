"""Predict: pictures that are uploaded, one or many."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from helpers.answers import is_one_sentence
from helpers.making import finished_run, three_models
from helpers.pictures import canvas, carpet, encode, with_shirt
from helpers.ui import COMPARE, EVERY_MODEL, PREDICT, again, answers, bars, says, texts, visit
from PIL import Image
from scipy.special import softmax
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.local_script_runner import LocalScriptRunner

from fmnist.data.catalog import CLOTHES
from fmnist.predict.conversion import to_png
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.ui import predict_table, upload_limit

pytestmark = pytest.mark.usefixtures("bare_pages", "started")


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
