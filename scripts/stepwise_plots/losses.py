"""Modified losses side by side: eigenvalues of C during training, and when so many modes are learned."""
from __future__ import annotations

import h5py
import numpy as np
from matplotlib.figure import Figure

from .source import counted, has, numbers, records, title
from .style import LINES, MARKERS, TIME, half_rises, shade, time_axis


def groups(file: h5py.File) -> list[h5py.Group]:
    """Each loss has a group as a result of a single one has its root."""
    return [item for item in file.values() if isinstance(item, h5py.Group) and has(item, "time", "measured/lambda")]


def lacks(file: h5py.File) -> str:
    return "" if groups(file) else "groups with /NAME/time and /NAME/measured/lambda, as `simulate --preset losses` has"


def order(file: h5py.File) -> list[h5py.Group]:
    """As they were trained, where the file says so."""
    names = [name.decode() for name in file["losses/loss"][()]] if has(file, "losses/loss") else []
    rank = {name: number for number, name in enumerate(names)}
    return sorted(groups(file), key=lambda group: rank.get(group.name.lstrip("/"), len(rank)))


def size(file: h5py.File) -> tuple[float, float]:
    return 11.5, 1.5 + 1.35 * max(len(groups(file)), 3)


def draw(figure: Figure, file: h5py.File) -> None:
    found = order(file)
    grid = figure.add_gridspec(len(found), 2, width_ratios=(1.5, 1))
    right = figure.add_subplot(grid[:, 1])
    first, steps, times = None, [], []
    for row, group in enumerate(found):
        axes = figure.add_subplot(grid[row, 0], sharex=first)
        first = first or axes
        time, curves = records(group, "time", **{"measured/lambda": 2})
        count = curves.shape[1]
        for mode in range(count):
            axes.plot(time, curves[:, mode], color=shade(mode, count), linewidth=1.4, linestyle=LINES[mode % 2])
        axes.set_ylim(-0.05, 1.15)
        axes.tick_params(labelbottom=row == len(found) - 1)
        axes.set_ylabel(r"$\lambda_j$ of $C$")
        name = group.name.lstrip("/")
        axes.annotate(name, (0.015, 0.93), xycoords="axes fraction", va="top",
                      bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.8})
        learned = half_rises(time, curves)
        right.plot(np.arange(1, count + 1), learned, color=shade(row, len(found)), linestyle=LINES[row % 4],
                   marker=MARKERS[row % len(MARKERS)], markersize=10 - min(row, 5), markerfacecolor="none", label=name)
        steps.append(learned)
        times.append(time)
    time_axis(first, np.sort(np.concatenate(times)), np.concatenate(steps))
    axes.set_xlabel(TIME)
    right.set_yscale("log")
    right.xaxis.get_major_locator().set_params(integer=True)
    right.set_xlabel("modes learned, $k$")
    right.set_ylabel(r"time at which $\lambda_k$ = 1/2 (1 / units of the kernel)")
    right.legend(loc="upper left")
    figure.suptitle(title(file, counted(len(found), "loss").replace("losss", "losses")))
