"""Accuracy of probes on the embedding, against the number of modes and against training time."""
from __future__ import annotations

import h5py
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .source import all_datasets, scale_names, scale_values, title
from .style import LINES, MARKERS, TIME, shade, time_axis

SIZE = (10.5, 5)
MODES = ("mode", "modes")


def accuracies(file: h5py.File, dimension: tuple[str, ...]) -> list[h5py.Dataset]:
    return [item for item in all_datasets(file) if "accuracy" in item.name and item.dtype.kind == "f"
            and any(name in dimension for name in scale_names(item))]


def lacks(file: h5py.File) -> str:
    found = accuracies(file, (*MODES, "time"))
    return "" if found else "datasets called ...accuracy over the dimensions mode or time"


def lines(item: h5py.Dataset, dimension: tuple[str, ...]) -> tuple[np.ndarray, list[tuple[str, np.ndarray]]]:
    """Along one dimension; of the others the last entry, but of named ones (texts) all."""
    names = scale_names(item)
    along = next(i for i, name in enumerate(names) if name in dimension)
    values, found = np.moveaxis(item[()], along, 0), []
    others = [i for i in range(item.ndim) if i != along]
    label = item.name.strip("/").replace("/", " ").replace("_", " ")
    texts = [i for i in others if names[i] and scale_values(item, i).dtype.kind == "U"]
    keep = texts[0] if texts else None
    place = [slice(None)] + [slice(None) if i == keep else -1 for i in others]
    values = values[tuple(place)]
    x = np.asarray(scale_values(item, along), float)[:len(values)]
    if keep is None:
        found.append((label, values[:len(x)]))
    else:
        found += [(f"{label}, {name}", values[:len(x), i]) for i, name in enumerate(scale_values(item, keep))]
    return x, found


def draw_accuracies(axes: Axes, items: list[h5py.Dataset], dimension: tuple[str, ...]) -> float:
    number, lowest = 0, 1.0
    total = sum(len(lines(item, dimension)[1]) for item in items)
    for item in items:
        x, found = lines(item, dimension)
        for label, y in found:
            axes.plot(x, y, color=shade(number, total), linestyle=LINES[number % 4], linewidth=1.5, label=label,
                      marker=MARKERS[number % len(MARKERS)], markersize=4, markevery=max(1, len(x) // 25))
            lowest, number = min(lowest, np.nanmin(y, initial=1.0)), number + 1
    axes.set_ylabel("accuracy (fraction of samples)")
    axes.legend(loc="lower right")
    return lowest


def draw(figure: Figure, file: h5py.File) -> None:
    kinds = [(dimension, items) for dimension in (MODES, ("time",)) if (items := accuracies(file, dimension))]
    axes = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    lowest = 1.0
    for panel, (dimension, items) in zip(axes, kinds):
        lowest = min(lowest, draw_accuracies(panel, items, dimension))
        if dimension == MODES:
            panel.set_xlabel("number of modes used, $k$")
            panel.set_title("at the end of training", fontsize=10)
            panel.xaxis.get_major_locator().set_params(integer=True)
        else:
            times = np.concatenate([lines(item, dimension)[0] for item in items])
            time_axis(panel, np.sort(times), np.empty(0))
            panel.set_xlabel(TIME)
    axes[0].set_ylim(max(0, lowest - 0.05), None)
    figure.suptitle(title(file, "probe accuracy"))
