"""What changes less the wider the network: mean and spread over seeds, with the fitted power of the width."""
from __future__ import annotations

import itertools

import h5py
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .source import all_datasets, scale_names, scale_values, title
from .style import LINES, MARKERS, shade


def studies(file: h5py.File) -> list[h5py.Dataset]:
    """Datasets over widths and seeds, and whatever else there is."""
    return [item for item in all_datasets(file)
            if item.dtype.kind == "f" and {"width", "seed"} <= set(scale_names(item))]


def lacks(file: h5py.File) -> str:
    return "" if studies(file) else "datasets over the dimensions width and seed"


def size(file: h5py.File) -> tuple[float, float]:
    panels = len(studies(file))
    return 5.2 * min(panels, 3) + 0.3, 4.6 * -(-panels // 3) + 0.4


def curves(study: h5py.Dataset) -> list[tuple[str, np.ndarray]]:
    """width x seed for every combination of the other dimensions, with its name."""
    names = scale_names(study)
    others = [i for i, name in enumerate(names) if name not in ("width", "seed")]
    values = np.moveaxis(study[()], [names.index("width"), names.index("seed")], [-2, -1])
    found = []
    for place in itertools.product(*(range(study.shape[i]) for i in others)):
        labels = []
        for i, at in zip(others, place):
            value = str(scale_values(study, i)[at]) if names[i] else str(at)
            labels.append(value if not value.lstrip("-").isdigit() else f"{names[i]} {value}")
        found.append((", ".join(labels), values[place]))
    return found


def fit(widths: np.ndarray, means: np.ndarray) -> tuple[float, float, float]:
    """log mean = log c + p log width by least squares: p, its standard error, c."""
    design = np.stack([np.ones(len(widths)), np.log(widths)], axis=1)
    solution, *_ = np.linalg.lstsq(design, np.log(means), rcond=None)
    rest = np.log(means) - design @ solution
    spread = np.sqrt(rest @ rest / max(len(widths) - 2, 1) / np.sum((design[:, 1] - design[:, 1].mean()) ** 2))
    return solution[1], spread, float(np.exp(solution[0]))


def draw_study(axes: Axes, study: h5py.Dataset) -> None:
    widths = scale_values(study, scale_names(study).index("width")).astype(float)
    lines = curves(study)
    for number, (label, values) in enumerate(lines):
        usable = np.isfinite(values) & (values > 0)
        shown = usable.any(axis=1)
        means = np.array([row[use].mean() if use.any() else np.nan for row, use in zip(values, usable)])
        spread = np.array([row[use].std(ddof=1) if use.sum() > 1 else 0 for row, use in zip(values, usable)])
        if shown.sum() < 1:
            continue
        color = shade(number, len(lines))
        if shown.sum() >= 3:
            power, error, factor = fit(widths[shown], means[shown])
            axes.plot(widths[shown], factor * widths[shown] ** power, color=color, linestyle=LINES[number % 4],
                      linewidth=1.2)
            label += f": $M^{{{power:.2f} \\pm {error:.2f}}}$"
        axes.errorbar(widths[shown], means[shown], np.minimum(spread[shown], 0.9 * means[shown]), color=color,
                      marker=MARKERS[number % len(MARKERS)], markersize=5, capsize=3, linestyle="none",
                      label=label.lstrip(": "))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("width $M$ (neurons)")
    units = str(study.attrs.get("units", "1"))
    axes.set_ylabel(study.name.lstrip("/") + (" (dimensionless)" if units == "1" else f" ({units})"))
    axes.set_title(str(study.attrs.get("description", "")), fontsize=9, wrap=True)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncol=1 if len(lines) < 4 else 2)


def draw(figure: Figure, file: h5py.File) -> None:
    found = studies(file)
    columns = min(len(found), 3)
    axes = figure.subplots(-(-len(found) // columns), columns, squeeze=False).ravel()
    for panel, study in zip(axes, found):
        draw_study(panel, study)
    for panel in axes[len(found):]:
        panel.set_axis_off()
    figure.suptitle(title(file, "mean over seeds, bars: their standard deviation"))
