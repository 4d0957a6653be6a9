"""Which points of a long curve are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from fmnist.compare.thinning import MAX_POINTS, kept, settled, spread, width_of

LENGTHS = (1001, 1024, 4096, 22_500, 100_003)


def noise(points: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=points)


@pytest.mark.parametrize("points", [0, 1, 2, 999, MAX_POINTS])
def test_every_point_of_a_short_curve_is_drawn(points):
    assert kept(noise(points), noise(points, 1)).tolist() == list(range(points))


@pytest.mark.parametrize("points", LENGTHS)
@pytest.mark.parametrize("curves", [1, 2, 3])
def test_a_long_curve_has_no_more_points_than_a_line_may_have_and_both_its_ends(points, curves):
    places = kept(*(noise(points, seed) for seed in range(curves)))
    assert MAX_POINTS / 8 < len(places) <= MAX_POINTS
    assert (np.diff(places) > 0).all()
    assert (places[0], places[-1]) == (0, points - 1)


@pytest.mark.parametrize("points", LENGTHS)
def test_every_bucket_keeps_its_lowest_and_its_highest_point_of_each_curve(points):
    curves = noise(points), noise(points, 1)
    places, width = kept(*curves), width_of(points, 2)
    for begin in range(0, points, width):
        inside = places[(places >= begin) & (places < begin + width)]
        for curve in curves:
            bucket = curve[begin : begin + width]
            assert (curve[inside].min(), curve[inside].max()) == (bucket.min(), bucket.max())


def test_a_single_spike_is_drawn_wherever_it_is():
    for place in (0, 1, 9_999, 22_497, 22_499):
        for spike in (100.0, -100.0, np.inf):
            curve = noise(22_500)
            curve[place] = spike
            assert place in kept(curve)


def test_values_that_are_no_numbers_hide_no_spike():
    curve = noise(22_500)
    curve[100:20_000:3] = np.nan
    curve[5_000], curve[5_001] = 50.0, -50.0
    assert {5_000, 5_001} <= set(kept(curve).tolist())
    assert len(kept(np.full(5_000, np.nan))) <= MAX_POINTS


@pytest.mark.parametrize("shorter", [500, 1000, 9_000, 9_024, 12_345, 20_001])
def test_what_is_kept_of_settled_points_stays_while_a_curve_grows(shorter):
    """Only so can new points alone be sent to a browser that has the others."""
    curve = noise(22_500)
    width = width_of(shorter)
    before, decided = kept(curve[:shorter]), settled(shorter)
    assert shorter - width <= decided < shorter
    for longer in range(shorter + 1, shorter + 3 * width + 2):
        if width_of(longer) == width:
            after = kept(curve[:longer])
            assert before[before < decided].tolist() == after[after < decided].tolist()


@pytest.mark.parametrize("count", [1, 59, 60, 61, 500, 10_000])
def test_of_many_values_those_are_drawn_that_have_the_same_distribution(count):
    values = noise(count)
    places = spread(values, 60)
    assert len(places) == min(count, 60) and (np.diff(places) > 0).all()
    drawn = values[places]
    assert (drawn.min(), drawn.max()) == (values.min(), values.max())
    for share in (0.1, 0.5, 0.9):
        assert abs((values <= np.quantile(drawn, share)).mean() - share) <= 1 / len(places)
