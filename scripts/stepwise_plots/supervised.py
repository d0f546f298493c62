"""Supervised training with the same kernel: no plateau; measured (solid), closed form (dashed); the labels in the modes."""
from __future__ import annotations

import h5py
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .source import has, numbers, records, title
from .style import PREDICTED, TIME, pale, time_axis

SIZE = (8.5, 8.5)


def lacks(file: h5py.File) -> str:
    return "" if has(file, "time", "measured/loss", "measured/residual") else \
        "/measured/residual, as `stepwise simulate --model supervised` writes it"


def draw_both(axes: Axes, file: h5py.File, name: str, rank: int) -> None:
    time, measured = records(file, "time", **{f"measured/{name}": rank})
    curves = np.abs(measured.reshape(len(time), -1))
    for number in range(curves.shape[1]):
        axes.plot(time, curves[:, number], color=pale(number, curves.shape[1]), linewidth=3.2,
                  label="measured" if number == 0 else None)
    if has(file, f"predicted/{name}"):
        time, predicted = records(file, "time", **{f"predicted/{name}": rank})
        curves = np.abs(predicted.reshape(len(time), -1))
        for number in range(curves.shape[1]):
            axes.plot(time, curves[:, number], **PREDICTED, label="closed form" if number == 0 else None)
    axes.set_yscale("log")
    shown = np.abs(measured[measured != 0])
    if len(shown):
        axes.set_ylim(max(shown.min() / 2, 1e-10 * shown.max()), 3 * shown.max())
    axes.legend(loc="lower left")


def draw_labels(axes: Axes, file: h5py.File) -> None:
    alignment = numbers(file, "supervised/label_alignment", 1)
    eigenvalues = numbers(file, "supervised/eigenvalues", 1)
    place = np.arange(1, len(alignment) + 1)
    axes.plot(place, np.cumsum(alignment) / alignment.sum(), color="black", linewidth=1.6,
              label="label alignment of the first $j$ modes")
    positive = eigenvalues > 0
    axes.plot(place[positive], (eigenvalues / eigenvalues.max())[positive], color="0.5", linestyle="--", linewidth=1.4,
              label="eigenvalue $j$, divided by the largest")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.05)
    axes.set_xlabel("mode $j$ of the kernel matrix")
    axes.set_ylabel("fraction")
    axes.legend(loc="upper center")


def draw(figure: Figure, file: h5py.File) -> None:
    labels = has(file, "supervised/label_alignment", "supervised/eigenvalues")
    axes = figure.subplots(3 if labels else 2, 1)
    draw_both(axes[0], file, "loss", 1)
    axes[0].set_ylabel("loss (dimensionless)")
    draw_both(axes[1], file, "residual", 2)
    axes[1].set_ylabel("residual along mode $j$\n(dimensionless)")
    axes[1].set_xlabel(TIME)
    for panel in axes[:2]:
        time_axis(panel, numbers(file, "time", 1), np.empty(0))
    if labels:
        draw_labels(axes[2], file)
    figure.suptitle(title(file, "supervised training"))
