"""The loss staircase, the modes being learned one by one, the spectrum of K_Gamma."""
from __future__ import annotations

import h5py
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import spectrum
from .source import Refusal, counted, finite, has, title
from .style import LINES, TIME, number_modes, shade, time_axis, whole_numbers

SIZE = (11, 6)


def lacks(file: h5py.File) -> str:
    return "" if has(file, "dynamics/time", "dynamics/lambda", "timescales/tau") else \
        "/dynamics and /timescales, as a result of `stepwise solve` with modes has them"


def draw_loss(axes: Axes, time: np.ndarray, loss: np.ndarray, tau: np.ndarray) -> None:
    axes.plot(time, loss, color="black", linewidth=1.6, label="predicted loss $L(t)$")
    for number, step in enumerate(tau):
        axes.axvline(step, color="0.6", linewidth=0.7, linestyle=":", zorder=0,
                     label=r"timescales $\tau_j$" if number == 0 else None)
    whole_numbers(axes.yaxis)
    axes.set_ylim(-0.03 * len(tau), 1.05 * max(loss.max(), 1))
    axes.set_ylabel("loss $L$ (dimensionless)")
    axes.legend(loc="lower left")  # the loss starts high and ends low: this corner is free
    axes.tick_params(labelbottom=False)


def draw_modes(axes: Axes, time: np.ndarray, curves: np.ndarray) -> None:
    """Modes share the shape of their curve, so lightness, line style, position and a number above tell them apart."""
    count = curves.shape[1]
    for mode in range(count):
        axes.plot(time, curves[:, mode], color=shade(mode, count), linewidth=1.3, linestyle=LINES[mode % 2])
    axes.set_ylim(-0.03, 1.05)
    axes.set_ylabel(r"eigenvalue $\lambda_j(t)$ of $C$ (dimensionless)")
    axes.set_xlabel(TIME)


def draw(figure: Figure, file: h5py.File) -> None:
    time, loss = finite(file, "dynamics/time", 1), finite(file, "dynamics/loss", 1)
    tau, curves = finite(file, "timescales/tau", 1), finite(file, "dynamics/lambda", 2)
    if curves.shape != (len(time), len(tau)) or loss.shape != time.shape:
        raise Refusal(f"{file.filename}: /dynamics/lambda is {curves.shape}, expected ({len(time)}, {len(tau)})")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.5, 1))
    above = figure.add_subplot(grid[0, 0])
    below = figure.add_subplot(grid[1, 0], sharex=above)
    draw_loss(above, time, loss, tau)
    draw_modes(below, time, curves)
    time_axis(above, time, tau)
    number_modes(below, tau)
    spectrum.draw_gamma(figure.add_subplot(grid[:, 1]), finite(file, "spectrum/gamma", 1), len(tau))
    pairs = file["embeddings/train"].shape[1] if has(file, "embeddings/train") else 0
    figure.suptitle(title(file, counted(pairs, "positive pair") + ", " + counted(len(tau), "mode")))
