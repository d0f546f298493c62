"""A(t): weights seen in the modes. The diagonal grows, what is above it grows first and dies, below it stays zero."""
from __future__ import annotations

import h5py
import numpy as np
from matplotlib.figure import Figure

from .source import has, records, title
from .style import LINES, TIME, shade, time_axis

SIZE = (8.5, 7)
TINY = 1e-300
THEORY = {"linestyle": "none", "marker": "o", "markersize": 4, "markerfacecolor": "white", "color": "black"}


def lacks(file: h5py.File) -> str:
    return "" if has(file, "time", "measured/a") else "/measured/a, as `stepwise simulate --model modes` writes it"


def draw(figure: Figure, file: h5py.File) -> None:
    time, measured = records(file, "time", **{"measured/a": 3})
    predicted = records(file, "time", **{"predicted/a": 3})[1] if has(file, "predicted/a") else None
    outputs, modes = measured.shape[1:]
    above, below = figure.subplots(2, 1, sharex=True)
    for j in range(outputs):
        for k in range(modes):
            axes = above if j == k else below
            if k < j and np.abs(measured[:, j, k]).max() == 0:
                continue
            curve = np.maximum(np.abs(measured[:, j, k]), TINY)
            axes.plot(time, curve, color=shade(j, outputs), linewidth=2.2 if j == k else 1.6,
                      linestyle="-" if j == k else LINES[(k - j) % 4], label=f"$a_{{{j + 1}{k + 1}}}$")
            if predicted is not None and k >= j:
                axes.plot(time[:len(predicted)], np.maximum(np.abs(predicted[:len(time), j, k]), TINY), **THEORY,
                          markevery=(3 * k, max(1, len(time) // 14)))
    for axes, what in ((above, r"diagonal $|a_{jj}| = s_j$"), (below, r"off the diagonal, $|a_{jk}|$")):
        axes.set_yscale("log")
        heights = np.concatenate([line.get_ydata() for line in axes.get_lines()] or [np.ones(1)])
        heights = heights[heights > TINY]
        if len(heights):
            axes.set_ylim(max(heights.min() / 3, heights.max() * 1e-15), heights.max() * 3)
        axes.set_ylabel(what + "\n(1 / sqrt(units of the kernel))")
        if predicted is not None:
            axes.plot([], [], **THEORY, label="predicted")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), ncol=1 if axes is above else 2)
    time_axis(above, time, np.empty(0))
    below.set_xlabel(TIME)
    figure.suptitle(title(file, f"$A(t)$, {outputs} outputs, {modes} modes"))
