"""Loss and eigenvalues of C during training, measured (solid) with the theory's prediction (dashed) over them."""
from __future__ import annotations

import h5py
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .source import counted, has, numbers, records, title
from .style import PREDICTED, TIME, half_rises, number_modes, pale, shade, time_axis, whole_numbers

SIZE = (8.5, 8)


def lacks(file: h5py.File) -> str:
    return "" if has(file, "time", "measured/loss", "measured/lambda") else \
        "/time and /measured/lambda, as a result of `stepwise simulate` has them"


def draw_loss(axes: Axes, file: h5py.File, modes: int) -> None:
    time, loss = records(file, "time", **{"measured/loss": 1})
    axes.plot(time, loss, color="0.7", linewidth=3.2, label="measured")
    if has(file, "predicted/loss"):
        axes.plot(*records(file, "time", **{"predicted/loss": 1}), **PREDICTED, label="predicted")
    if has(file, "timescales/tau"):
        for number, step in enumerate(numbers(file, "timescales/tau", 1)):
            axes.axvline(step, color="0.6", linewidth=0.7, linestyle=":", zorder=0,
                         label=r"predicted $\tau_j$" if number == 0 else None)
    whole_numbers(axes.yaxis)
    finite = loss[np.isfinite(loss)]
    axes.set_ylim(-0.03 * modes, 1.05 * max(finite.max(initial=1), 1))
    axes.set_ylabel("loss $L$ (dimensionless)")
    axes.legend(loc="lower left")


def draw_curves(axes: Axes, time: np.ndarray, measured: np.ndarray, predicted: np.ndarray | None) -> None:
    count = measured.shape[1]
    for mode in range(count):
        axes.plot(time, measured[:, mode], color=pale(mode, count), linewidth=3.2,
                  label="measured" if mode == 0 else None)
    if predicted is not None:
        for mode in range(predicted.shape[1]):
            axes.plot(time[:len(predicted)], predicted[:, mode], **PREDICTED, label="predicted" if mode == 0 else None)
    axes.set_ylim(-0.03, max(1.05, min(1.05 * np.nanmax(measured), 2)))
    axes.set_ylabel(r"eigenvalues of $C$ (dimensionless)")


def draw_difference(axes: Axes, time: np.ndarray, measured: np.ndarray, predicted: np.ndarray) -> None:
    """Of the j-th largest: two curves may cross."""
    apart = np.abs(measured - -np.sort(-predicted, axis=1))
    count = apart.shape[1]
    smallest = np.finfo(float).tiny
    for mode in range(count):
        axes.plot(time, np.maximum(apart[:, mode], smallest), color=shade(mode, count), linewidth=1)
    axes.set_yscale("log")
    largest = apart.max(initial=1e-16)
    axes.set_ylim(max(1e-12 * largest, 1e-17), 3 * largest)
    axes.set_ylabel("|measured − predicted|")


def draw(figure: Figure, file: h5py.File) -> None:
    time, measured = records(file, "time", **{"measured/lambda": 2})
    predicted = None
    if has(file, "predicted/lambda"):
        time, measured, predicted = records(file, "time", **{"measured/lambda": 2, "predicted/lambda": 2})
    count = measured.shape[1]
    both = predicted is not None and predicted.shape == measured.shape
    heights = (2, 2, 1) if both else (1, 1)
    axes = figure.subplots(len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights})
    draw_loss(axes[0], file, count)
    draw_curves(axes[1], time, measured, predicted)
    if both:
        draw_difference(axes[2], time, measured, predicted)
    steps = half_rises(time, measured)
    time_axis(axes[0], time, steps)
    number_modes(axes[1], steps)
    axes[-1].set_xlabel(TIME)
    figure.suptitle(title(file, f"training of {counted(count, 'output')}"))
