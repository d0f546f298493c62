"""Broken symmetry: what the loss looks like around zero weights, and the way of training from saddle to saddle."""
from __future__ import annotations

import h5py
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .source import Refusal, has, records, title
from .style import PREDICTED

SIZE = (10.5, 4.8)


def lacks(file: h5py.File) -> str:
    curves = has(file, "measured/lambda") or has(file, "dynamics/lambda") or has(file, "predicted/lambda")
    return "" if curves else "/dynamics/lambda, /predicted/lambda or /measured/lambda"


def draw_well(axes: Axes) -> None:
    """Along one weight w of one mode: L = (1 - gamma w^2)^2."""
    x = np.linspace(-1.6, 1.6, 401)
    axes.plot(x, (1 - x**2) ** 2, color="black", linewidth=1.8,
              label=r"$\gamma > 0$: zero is a maximum, with a minimum on either side")
    axes.plot(x, (1 + x**2) ** 2, color="0.5", linewidth=1.8, linestyle="--", label=r"$\gamma < 0$: stays at zero")
    axes.plot(x, np.ones_like(x), color="0.7", linewidth=1.2, linestyle=":", label=r"$\gamma = 0$")
    axes.plot([-1, 1], [0, 0], "o", color="black", markersize=6)
    axes.plot([0], [1], "s", color="black", markerfacecolor="white", markersize=6)
    axes.set_ylim(-0.15, 4)
    axes.set_xlabel(r"weight of the mode, $w \, |\gamma|^{1/2}$ (dimensionless)")
    axes.set_ylabel(r"loss $(1 - \gamma w^2)^2$ (dimensionless)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16))


def draw_plane(axes: Axes, figure: Figure) -> None:
    """Over the weights of two modes: L = sum_j (1 - gamma_j w_j^2)^2."""
    x = np.linspace(-1.45, 1.45, 301)
    heights = (1 - x[None, :] ** 2) ** 2 + (1 - x[:, None] ** 2) ** 2
    levels = np.array([0, 0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5])
    filled = axes.contourf(x, x, heights, levels, cmap="Greys_r", extend="max")
    axes.contour(x, x, heights, levels, colors="black", linewidths=0.4)
    figure.colorbar(filled, ax=axes, label="loss (dimensionless)")
    places = (("minima", [(-1, -1), (-1, 1), (1, -1), (1, 1)], "o", "black", "white"),
              ("saddles", [(-1, 0), (1, 0), (0, -1), (0, 1)], "s", "white", "black"),
              ("maximum", [(0, 0)], "^", "white", "black"))
    for what, points, marker, face, edge in places:
        axes.plot(*np.array(points).T, marker, color=face, markeredgecolor=edge, markersize=7, zorder=5, label=what)
    axes.set_aspect("equal")
    axes.set_xlabel(r"$w_1 \gamma_1^{1/2}$ (dimensionless)")
    axes.set_ylabel(r"$w_2 \gamma_2^{1/2}$ (dimensionless)")


def draw_paths(axes: Axes, file: h5py.File) -> None:
    """w_j gamma_j^(1/2) = lambda_j^(1/2)."""
    halo = [patheffects.withStroke(linewidth=4.5, foreground="white")]
    measured = {"color": "#c8503c", "linewidth": 2.2, "label": "training, measured", "path_effects": halo}
    predicted = {**PREDICTED, "linewidth": 1.6, "label": "training, predicted"}
    if not has(file, "measured/lambda"):
        predicted["path_effects"] = halo
    for scale, name, look in (("time", "measured/lambda", measured), ("dynamics/time", "dynamics/lambda", predicted),
                              ("time", "predicted/lambda", predicted)):
        if not has(file, name):
            continue
        curves = records(file, scale, **{name: 2})[1]
        if curves.shape[1] < 2:
            raise Refusal(f"{file.filename}: /{name} has one mode, the picture needs two")
        axes.plot(*np.sqrt(np.clip(curves[:, :2], 0, None)).T, **look)


def draw(figure: Figure, file: h5py.File) -> None:
    left, right = figure.subplots(1, 2)
    draw_well(left)
    draw_plane(right, figure)
    draw_paths(right, file)
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncol=2)
    figure.suptitle(title(file, "the loss around zero weights, and the first two modes' way"))
