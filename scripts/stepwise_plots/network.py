"""Inside a model while it trains: spectra of embedding and hidden layer, weights, tangent kernel, probe."""
from __future__ import annotations

import h5py
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .source import has, records, scale_names, scale_values, title
from .style import LINES, MARKERS, TIME, half_rises, shade, time_axis

KINDS = {"measured/covariance": "eigenvalues of the\nembedding's covariance",
         "measured/hidden": "eigenvalues of the\nhidden layer's covariance",
         "measured/weight_distance": "distance of the weights\nfrom their start",
         "ntk/change": "relative change of\nthe tangent kernel",
         "measured/probe_accuracy": "accuracy of\na linear probe"}
LOGARITHMIC = ("measured/covariance", "measured/hidden")


def lacks(file: h5py.File) -> str:
    return "" if found(file) else " or ".join("/" + name for name in KINDS)


def times_of(item: h5py.Dataset) -> np.ndarray | None:
    """Of its first dimension's scale: the records' or the snapshots'."""
    names = scale_names(item)
    return scale_values(item, 0).astype(float) if names and names[0] in ("time", "snapshot") else None


def found(file: h5py.File) -> list[str]:
    return [name for name in KINDS if has(file, name) and times_of(file[name]) is not None]


def size(file: h5py.File) -> tuple[float, float]:
    return 8.5, 0.9 + 1.9 * len(found(file))


def draw_kind(axes: Axes, file: h5py.File, name: str) -> None:
    time = times_of(file[name])
    values = file[name][()].astype(float)[:len(time)]
    values = values.reshape(len(values), -1)
    time = time[:len(values)]
    count = values.shape[1]
    few = len(time) <= 60 and count <= 8
    for number in range(count):
        axes.plot(time, values[:, number], color=shade(number, count), linestyle=LINES[number % 2], linewidth=1.4,
                  marker=MARKERS[number] if few else None, markersize=3.5)
    shown = values[values > 1e-9 * np.nanmax(values, initial=0)]  # what is below is rounding
    if name in LOGARITHMIC and len(shown):
        axes.set_yscale("log")
        axes.set_ylim(shown.min() / 2, 2 * shown.max())
    axes.set_ylabel(KINDS[name])


def draw(figure: Figure, file: h5py.File) -> None:
    names = found(file)
    axes = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for panel, name in zip(axes, names):
        draw_kind(panel, file, name)
    steps = np.empty(0)
    if has(file, "time", "measured/lambda"):
        steps = half_rises(*records(file, "time", **{"measured/lambda": 2}))
    time_axis(axes[-1], times_of(file[names[0]]), steps)
    axes[-1].set_xlabel(TIME)
    figure.suptitle(title(file, "the model while it trains"))
