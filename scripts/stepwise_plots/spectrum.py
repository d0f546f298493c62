"""The eigenvalues of K_Gamma, and when each mode is learned."""
from __future__ import annotations

import h5py
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .source import finite, has, numbers, title

SIZE = (10, 4.6)


def lacks(file: h5py.File) -> str:
    return "" if has(file, "spectrum/gamma") else "/spectrum/gamma"


def draw_gamma(axes: Axes, gamma: np.ndarray, modes: int) -> None:
    # As the program counts modes: what is smaller is rounding.
    floor = 100 * len(gamma) * np.finfo(float).eps * np.abs(gamma).max()
    positive, negative = gamma[gamma > floor], -gamma[gamma < -floor][::-1]
    axes.loglog(np.arange(1, len(positive) + 1), positive, color="0.55", linewidth=1.2, label=r"$\gamma_j > 0$")
    if len(negative):
        axes.loglog(np.arange(1, len(negative) + 1), negative, color="0.55", linewidth=1.2, linestyle="--",
                    label=r"$|\gamma_j|$ of $\gamma_j < 0$, from the end")
    if modes:
        axes.loglog(np.arange(1, modes + 1), gamma[:modes], "o", color="black", markersize=4,
                    label=f"modes 1 to {modes}, solved for")
    axes.set_xlabel("index $j$")
    axes.set_ylabel(r"eigenvalue $\gamma_j$ of $K_\Gamma$ (units of the kernel)")
    axes.legend(loc="lower left")


def draw_timescales(axes: Axes, file: h5py.File) -> None:
    kinds = (("tau", r"$\tau_j = -\log(s_j(0)^2 \gamma_j) / 8 \gamma_j$", "o", "black", "none"),
             ("half_rise", r"$\lambda_j = 1/2$, predicted", "x", "black", "black"),
             ("measured_half_rise", r"$\lambda_j = 1/2$, measured", "s", "0.55", "0.55"))
    for name, label, marker, edge, face in kinds:
        if has(file, f"timescales/{name}"):
            values = numbers(file, f"timescales/{name}", 1)
            axes.plot(np.arange(1, len(values) + 1), values, marker, color=edge, markerfacecolor=face, label=label)
    axes.set_yscale("log")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("mode $j$")
    axes.set_ylabel("time (1 / units of the kernel)")
    axes.legend(loc="upper left")


def draw(figure: Figure, file: h5py.File) -> None:
    timescales = has(file, "timescales/tau")
    axes = figure.subplots(1, 2 if timescales else 1, squeeze=False)[0]
    modes = len(file["timescales/tau"]) if timescales else 0
    draw_gamma(axes[0], finite(file, "spectrum/gamma", 1), modes)
    if timescales:
        draw_timescales(axes[1], file)
    figure.suptitle(title(file, "spectrum of $K_\\Gamma$" + (" and timescales" if timescales else "")))
