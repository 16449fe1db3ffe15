"""The plots of the leaderboard. Each is drawn once, and written as PNG for the folder and as SVG for the page."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from scin.evaluate.document import TOO_FEW_TEXT, Picture
from scin.evaluate.leaderboard import CALIBRATED, Confusion, Evaluation, Reliability
from scin.evaluate.metrics import TOP_1, TOP_3, Figure, Figures

_DPI = 120
#: the only plot that fits on a phone
_NARROW = "reliability"
#: colours on white paper, and the same in a dark page; each has a contrast of at least 4.5 with its background
_INK, _SOFT, _FIRST, _SECOND = "#1b1d21", "#5b616c", "#1a56b8", "#b04a00"
_DARK = {_INK: "#e8eaee", _SOFT: "#a9b0bd", _FIRST: "#8ab4ff", _SECOND: "#ffab66"}
#: a cell of the heat map at a share of 1; below 1, so that its number stays readable
_OPAQUE = 0.6
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, and readable in the reader's own font
    "svg.hashsalt": "leaderboard",  # the same plot gives the same bytes
    "text.parse_math": False,  # a condition's name may hold a dollar sign
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _SOFT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _SOFT,
    "legend.frameon": False,
}
_WITHOUT_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


def draw_plots(found: Evaluation, out: Path, note: str) -> dict[str, Picture]:
    """Write ``<name>.png`` for each plot to ``out``, and return name → picture.

    They show the calibrated answers. If no case states a tone, there is no plot of tones. ``note`` names the index and
    the cases.
    """
    tones = {scale: groups for scale, groups in found.tones[CALIBRATED].items() if groups}
    with mpl.rc_context(_STYLE):
        canvases = {
            _NARROW: (_reliability(found, note), _say_reliability(found)),
            "confusion": (_confusion(found.confusion, note), _say_confusion(found.confusion)),
        }
        if tones:
            canvases["accuracy-by-tone"] = (_accuracy_by_tone(tones, note), _say_accuracy(tones))
        for name, (canvas, _) in canvases.items():
            canvas.savefig(out / f"{name}.png", dpi=_DPI, metadata={"Software": None})
        return {name: Picture(_svg(canvas), alt, name != _NARROW) for name, (canvas, alt) in canvases.items()}


def _svg(canvas: Canvas) -> str:
    """The plot without a background, in the colours that the reader's light or dark page needs."""
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", transparent=True, metadata=_WITHOUT_METADATA)
    document = buffer.getvalue()
    document = document[document.index("<svg") :]
    for number, colour in enumerate(_DARK):
        document = document.replace(colour, f"var(--c{number})")
    light, dark = (
        "".join(f"--c{number}:{colour};" for number, colour in enumerate(colours))
        for colours in (_DARK.keys(), _DARK.values())
    )
    style = f"<style>:root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    start = document.index(">") + 1
    return document[:start] + style + document[start:]


def _accuracy_by_tone(scales: Mapping[str, Mapping[str, Figures]], title: str) -> Canvas:
    widths = [max(1, len(groups)) + 1.5 for groups in scales.values()]
    canvas = Canvas(figsize=(0.36 * sum(widths) + 1.5, 4.4), layout="constrained")
    row = canvas.subplots(1, len(scales), sharey=True, squeeze=False, width_ratios=widths)[0]
    for axes, (scale, groups) in zip(row, scales.items(), strict=True):
        for shift, metric, colour in ((-0.14, TOP_1, _FIRST), (0.14, TOP_3, _SECOND)):
            known = [(place, f[metric]) for place, f in enumerate(groups.values()) if f[metric].value is not None]
            places = np.array([place + shift for place, _ in known])
            low, value, high = (
                np.array([getattr(figure, part) for _, figure in known]) for part in ("low", "value", "high")
            )
            form = {"fmt": "o" if metric == TOP_1 else "s", "markersize": 4, "capsize": 2, "color": colour}
            axes.errorbar(places, value, yerr=[value - low, high - value], label=metric, **form)
        for place, figures in enumerate(groups.values()):
            if figures[TOP_1].value is None:
                axes.text(place, 0.5, TOO_FEW_TEXT, rotation=90, ha="center", va="center", color=_SOFT, fontsize=8)
        labels = [f"{group}, n = {figures[TOP_1].n}" for group, figures in groups.items()]
        axes.set_xticks(range(len(groups)), labels, rotation=90, fontsize=8)
        axes.set(ylim=(0, 1.03), xlim=(-0.7, max(1, len(groups)) - 0.3))
        axes.set_title(scale.replace(" (", "\n("), fontsize=9)
        axes.grid(axis="y", alpha=0.3)
    canvas.axes[0].set_ylabel("accuracy, 95% interval")
    canvas.legend(*canvas.axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=2)
    canvas.suptitle(title, fontsize=10, x=0.01, ha="left")
    return canvas


def _say_accuracy(scales: Mapping[str, Mapping[str, Figures]]) -> str:
    return "Accuracy by skin tone. " + " ".join(
        f"{scale}: " + ", ".join(f"{group} {_say(f[TOP_1])}" for group, f in groups.items()) + "."
        for scale, groups in scales.items()
    )


def _say(figure: Figure) -> str:
    return TOO_FEW_TEXT if figure.value is None else f"{TOP_1} {figure.value:.2f}"


def _reliability(found: Evaluation, note: str) -> Canvas:
    canvas = Canvas(figsize=(5.2, 5.2), layout="constrained")
    axes = canvas.subplots()
    axes.plot([0, 1], [0, 1], "--", color=_SOFT, linewidth=1)
    _plot_bins(axes, found.before, "before calibration", _SECOND, "s")
    _plot_bins(axes, found.after, "calibrated", _FIRST, "o")
    axes.set(xlim=(0, 1), ylim=(0, 1.03), xlabel="probability of the first condition", ylabel="how often it leads")
    axes.legend(loc="upper left")
    axes.set_title(note, fontsize=10, loc="left")
    return canvas


def _plot_bins(axes: Axes, found: Reliability, name: str, colour: str, marker: str) -> None:
    confidence, accuracy, cases = np.array([(bin_.confidence, bin_.accuracy, bin_.n) for bin_ in found.bins]).T
    label = f"{name}, error {found.expected_calibration_error:.3f}"
    axes.plot(confidence, accuracy, "-", color=colour, marker=marker, markersize=3, label=label)
    axes.scatter(confidence, accuracy, s=8 + 200 * cases / cases.sum(), color=colour, marker=marker, alpha=0.6)


def _say_reliability(found: Evaluation) -> str:
    parts = [
        f"{name}: "
        + ", ".join(f"{bin_.accuracy:.2f} at probability {bin_.confidence:.2f} (n = {bin_.n})" for bin_ in part.bins)
        for name, part in (("Before calibration", found.before), ("Calibrated", found.after))
    ]
    return "How often the first condition leads, against its probability. " + ". ".join(parts) + "."


def _confusion(found: Confusion, note: str) -> Canvas:
    names, counts = found.conditions, found.counts
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    canvas = Canvas(figsize=(8, 6.2), layout="constrained")
    axes = canvas.subplots()
    for (row, column), count in np.ndenumerate(counts):
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, color=_FIRST, alpha=_OPAQUE * shares[row, column], lw=0))
        colour = _INK if count else _SOFT
        axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(names) + 1), [*map(_short, names), "any other"], rotation=60, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), [_short(name) for name in names], fontsize=8)
    axes.set(xlim=(-0.5, len(names) + 0.5), ylim=(len(names) - 0.5, -0.5))
    axes.set(xlabel="ranked first by the index", ylabel="leading condition of the label")
    axes.set_title(note, fontsize=10, loc="left")
    return canvas


def _short(name: str, most: int = 32) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _say_confusion(found: Confusion) -> str:
    rows = [
        f"{name}: {row[place]} of {row.sum()}"
        for place, (name, row) in enumerate(zip(found.conditions, found.counts, strict=True))
    ]
    return "Heat map of the commonest conditions. Ranked first when they lead: " + ", ".join(rows) + "."
