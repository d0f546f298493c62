"""Inside a network while it trains: spectra of embedding and hidden layer, weights, tangent kernel, probe."""
from __future__ import annotations

import h5py
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .source import has, numbers, title
from .style import LINES, MARKERS, TIME, shade, time_axis

KINDS = {"measured/covariance": "eigenvalues of the\nembedding's covariance",
         "measured/hidden": "eigenvalues of the\nhidden layer's covariance",
         "measured/weight_distance": "distance of the weights\nfrom their start",
         "ntk/change": "relative change of\nthe tangent kernel",
         "measured/probe_accuracy": "accuracy of\na linear probe"}
LOGARITHMIC = ("measured/covariance", "measured/hidden")


def lacks(file: h5py.File) -> str:
    return "" if found(file) else " or ".join("/" + name for name in KINDS)


def scale_of(name: str) -> str:
    return "ntk/time" if name.startswith("ntk") else "time"


def found(file: h5py.File) -> list[str]:
    return [name for name in KINDS if has(file, name, scale_of(name))]


def size(file: h5py.File) -> tuple[float, float]:
    return 8.5, 0.9 + 1.9 * len(found(file))


def draw_kind(axes: Axes, file: h5py.File, name: str) -> None:
    time = numbers(file, scale_of(name), 1)
    values = file[name][()].astype(float)[:len(time)]
    values = values.reshape(len(values), -1)
    time = time[:len(values)]
    count = values.shape[1]
    few = len(time) <= 60 and count <= 8
    for number in range(count):
        axes.plot(time, values[:, number], color=shade(number, count), linestyle=LINES[number % 2], linewidth=1.4,
                  marker=MARKERS[number] if few else None, markersize=3.5)
    if name in LOGARITHMIC and (values > 0).any():
        axes.set_yscale("log")
        axes.set_ylim(bottom=max(values[values > 0].min() / 2, values.max() * 1e-12))
    axes.set_ylabel(KINDS[name])


def draw(figure: Figure, file: h5py.File) -> None:
    names = found(file)
    axes = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for panel, name in zip(axes, names):
        draw_kind(panel, file, name)
    time = numbers(file, "time", 1) if has(file, "time") else numbers(file, "ntk/time", 1)
    time_axis(axes[-1], time, np.empty(0))
    axes[-1].set_xlabel(TIME)
    figure.suptitle(title(file, "the network while it trains"))
