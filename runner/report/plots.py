"""Plots of a run or of the seeds of an experiment, as small SVG files for Markdown pages.

matplotlib is imported inside the functions that draw, without pyplot and its global state. The same
curves give the same bytes: no date, fixed ids, text left as text. The colours are those of Okabe
and Ito (2008, "Color Universal Design"), told apart with any colour vision; each picture brings its
own background, so it reads the same on a light and on a dark page.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from runner import metrics
from runner.report.curves import Curve, Curves, Point
from runner.report.headline import candidates
from runner.report.svg import compact
from runner.spec.experiment import Experiment

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESULT = "plots/result.svg"
HEALTH = "plots/health.svg"

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_INK, _GRID, _MEAN = "#3d4450", "#e3e6ea", "#1b1f24"
_POINTS_PER_LINE = 200
_POINTS_PER_PICTURE = 600
_FEW = 8
_KEPT = 400
"""Pictures that are kept, of up to 20 KB: what one commit of the ledger draws, and as many more."""
_kept: dict[bytes, str] = {}
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "rollbook",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.edgecolor": "#9aa2ad",
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.linewidth": 0.8,
    "path.simplify": True,
}


class Panel(NamedTuple):
    """One pair of axes: a metric of every seed."""

    metric: str
    title: str
    label: str


HEALTH_PANELS: tuple[Panel, ...] = (
    Panel("policy/entropy", "Entropy of the policy", "nat per token"),
    Panel("kl/reference", "KL to the reference model", "nat per token"),
    Panel("response/length", "Length of answers", "tokens"),
    Panel("gradient/norm", "Gradient norm", "before clipping"),
)
_REWARD = Panel("reward/mean", "Reward in training", "mean score")
_TRAIN_LOSS = Panel("train/loss", "Training loss", "nat per token")
_PREFERENCE = Panel("preference/accuracy", "Chosen answers preferred", "share of pairs")
_VAL_LOSS = Panel("val/loss", "Validation loss", "nat per token")
_RESULT_PANELS = (_REWARD, _PREFERENCE, _VAL_LOSS, _TRAIN_LOSS)

Seeds = Mapping[int, Curves]
"""The curves of each seed of one point of an experiment."""


def draw_plots(spec: Experiment, seeds: Seeds) -> dict[str, str]:
    """Return the SVG files of a page by path, only with what was measured.

    Empty when nothing was, or when matplotlib (the extra `rollbook[report]`) is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        return {}
    files = {RESULT: result_panels(spec, seeds), HEALTH: health_panels(seeds)}
    return {path: _drawn(panels, seeds) for path, panels in files.items() if panels}


def _drawn(panels: Sequence[Panel], seeds: Seeds) -> str:
    """Return the SVG of panels; drawn once, since a run of one seed has its experiment's plots too.

    A commit of the ledger that comes too late is made again, with the same plots.
    """
    key = hashlib.sha256(repr((panels, sorted(seeds.items()))).encode()).digest()
    if key not in _kept:
        while len(_kept) >= _KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = to_svg(draw(panels, seeds))
    return _kept[key]


def result_panels(spec: Experiment, seeds: Seeds) -> tuple[Panel, ...]:
    """Return the panels of what the experiment is about: accuracy and reward, or the losses.

    What was measured on a validation set is one of them, also where another metric heads the page.
    """
    measured = _measured(seeds)
    found = [name for name in candidates(spec) if name in measured]
    validated = [name for name in found if name.startswith("val/")]
    wanted = dict.fromkeys((*map(_panel, (*found[:1], *validated[:1])), *_RESULT_PANELS))
    return tuple(panel for panel in wanted if panel.metric in measured)[:2]


def health_panels(seeds: Seeds) -> tuple[Panel, ...]:
    """Return the panels of a run's health that were measured."""
    measured = _measured(seeds)
    return tuple(panel for panel in HEALTH_PANELS if panel.metric in measured)


def _measured(seeds: Seeds) -> set[str]:
    """Return the names of metrics of which some seed has at least one finite value."""
    return {
        name
        for curves in seeds.values()
        for name, curve in curves.by_name.items()
        if curve.finite() is not None
    }


def _panel(name: str) -> Panel:
    """Return a panel for any metric, with the words of the known ones."""
    known = {panel.metric: panel for panel in (*HEALTH_PANELS, *_RESULT_PANELS)}
    if name in known:
        return known[name]
    metric = metrics.find(name)
    plain = name.strip('"')
    if name.startswith("val/") and name.count("/") == 2:
        _, dataset, kind = name.split("/")
        plain = f"{kind.capitalize().replace('_', ' ')} on {dataset}"
    return Panel(name, plain, metric.unit if metric else "")


def draw(panels: Sequence[Panel], seeds: Seeds) -> Figure:
    """Draw the panels side by side, two in a row: a thin line per seed and their mean in bold."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(
            figsize=(3.7 * columns, 2.3 * rows), layout="constrained", facecolor="white"
        )
        FigureCanvasAgg(figure)
        limit = max(8, min(_POINTS_PER_LINE, _POINTS_PER_PICTURE // (len(panels) * _lines(seeds))))
        for index, panel in enumerate(panels):
            axes = figure.add_subplot(rows, columns, index + 1)
            _draw_panel(axes, panel, seeds, limit)
            axes.set_xlim(*_step_range(panels, seeds))
            _dress(axes, panel, labelled=index >= len(panels) - columns)
        if len(seeds) > 1:
            _legend(figure)
    return figure


def _step_range(panels: Sequence[Panel], seeds: Seeds) -> tuple[float, float]:
    """Return the ends of the step axis, the same for all panels so that they can be compared."""
    found = [curves.get(panel.metric) for panel in panels for curves in seeds.values()]
    steps = [step for curve in found if curve for step in (curve.steps[0], curve.steps[-1])]
    margin = 0.03 * (max(steps) - min(steps)) or 0.5
    return min(steps) - margin, max(steps) + margin


def _lines(seeds: Seeds) -> int:
    return len(seeds) + (1 if len(seeds) > 1 else 0)


def _draw_panel(axes: Axes, panel: Panel, seeds: Seeds, limit: int) -> None:
    several = len(seeds) > 1
    thickness = {"linewidth": 0.9, "alpha": 0.85} if several else {"linewidth": 1.6}
    found: list[Curve] = []
    for index, seed in enumerate(sorted(seeds)):
        curve = seeds[seed].get(panel.metric)
        finite = curve.finite() if curve else None
        if finite:
            found.append(finite)
            colour = COLOURS[index % len(COLOURS)]
            _line(axes, finite, limit, color=colour, label=f"seed {seed}", **thickness)
    mean = mean_curve(found) if several else None
    if mean:
        _line(axes, mean, limit, color=_MEAN, linewidth=1.9, label="mean")


def _line(axes: Axes, curve: Curve, limit: int, **style: Any) -> None:
    """Draw one curve in at most `limit` points, with dots where it was measured at few steps."""
    dots: Any = {"marker": "o", "markersize": 3} if len(curve.points) <= _FEW else {}
    shown = curve.downsample(limit)
    axes.plot(shown.steps, shown.values, clip_on=False, **dots, **style)


def mean_curve(curves: Sequence[Curve]) -> Curve | None:
    """Return the mean over seeds at the steps that all of them measured; None when there is none.

    A mean of one curve, or over changing sets of seeds, would show steps that nothing took.
    """
    if len(curves) < 2:
        return None
    values = [dict(curve.points) for curve in curves]
    common = sorted(set.intersection(*(set(one) for one in values)))
    points = (Point(step, fmean(one[step] for one in values)) for step in common)
    return Curve(tuple(points)) if common else None


def _dress(axes: Axes, panel: Panel, *, labelled: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(panel.title, loc="left", parse_math=False)
    axes.set_ylabel(panel.label, fontsize=8)
    if labelled:
        axes.set_xlabel("step", fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(color=_GRID, linewidth=0.7, clip_on=False)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)


def _legend(figure: Figure) -> None:
    """One legend for all panels, of the panel with the most lines."""
    legends = (axes.get_legend_handles_labels() for axes in figure.axes)
    handles, labels = max(legends, key=lambda legend: len(legend[1]))
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(7, len(labels)),
        frameon=False,
        fontsize=8,
    )


def to_svg(figure: Figure) -> str:
    """Return a figure as SVG text: the same bytes for the same figure, without a date."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return compact(buffer.getvalue())
