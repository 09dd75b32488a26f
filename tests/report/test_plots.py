from __future__ import annotations

import json
import sys
from xml.etree import ElementTree

import pytest
from report_values import make_curves, make_lines, make_spec

from runner.report.curves import Curves, read_curves
from runner.report.plots import draw_plots, health_panels, mean_curve, result_panels

LARGEST = 15_000


def names(panels: tuple[object, ...]) -> list[str]:
    return [getattr(panel, "metric") for panel in panels]  # noqa: B009


@pytest.mark.parametrize("seeds", [1, 3, 8])
def test_plots_are_small_xml_and_the_same_bytes_every_time(seeds: int) -> None:
    curves = {seed: make_curves(seed, steps=1000) for seed in range(seeds)}
    plots = draw_plots(make_spec(), curves)
    assert set(plots) == {"plots/result.svg", "plots/health.svg"}
    for svg in plots.values():
        assert len(svg.encode()) < LARGEST
        assert ElementTree.fromstring(svg).tag.endswith("svg")  # noqa: S314
    assert draw_plots(make_spec(), curves) == plots


def test_text_stays_text_and_nothing_says_when_it_was_drawn() -> None:
    svg = draw_plots(make_spec(), {1: make_curves(), 2: make_curves(2)})["plots/result.svg"]
    for words in ("Accuracy on sums", "Reward in training", "step", "seed 1", "seed 2", "mean"):
        assert f">{words}</text>" in svg
    assert "<metadata" not in svg
    assert "font-family" in svg


def test_only_what_was_measured_is_drawn() -> None:
    lines = [
        '{"step": 1, "metrics": {"train/loss": 3}}',
        '{"step": 2, "metrics": {"train/loss": 2}}',
    ]
    curves = read_curves([lines])
    assert list(draw_plots(make_spec(), {1: curves})) == ["plots/result.svg"]
    assert draw_plots(make_spec(), {1: Curves()}) == {}


def test_panels() -> None:
    seeds = {1: make_curves()}
    assert names(result_panels(make_spec(), seeds)) == ["val/sums/accuracy", "reward/mean"]
    assert names(health_panels(seeds)) == [
        "policy/entropy",
        "kl/reference",
        "response/length",
        "gradient/norm",
    ]


def test_values_that_are_no_numbers_are_left_out() -> None:
    rows = [json.loads(line) for line in make_lines()]
    rows[4]["metrics"]["reward/mean"] = None
    curves = read_curves([map(json.dumps, rows)])
    assert "nan" not in draw_plots(make_spec(), {1: curves})["plots/result.svg"]


def test_a_mean_is_taken_where_all_seeds_were_measured() -> None:
    short = make_curves(1, steps=20).by_name["reward/mean"]
    other = make_curves(2, steps=10).by_name["reward/mean"]
    mean = mean_curve([short, other])
    assert mean is not None
    assert mean.steps == tuple(range(1, 11))
    assert mean_curve([short]) is None


def test_a_hostile_name_is_text() -> None:
    spec = make_spec(expect=[{'"<script>$x$"': "last > 0"}])
    lines = ['{"step": 1, "metrics": {}, "raw": {"<script>$x$": 1}}']
    svg = draw_plots(spec, {1: read_curves([lines])})["plots/result.svg"]
    assert "&lt;script&gt;$x$</text>" in svg


def test_no_pyplot() -> None:
    draw_plots(make_spec(), {1: make_curves()})
    assert "matplotlib.pyplot" not in sys.modules
