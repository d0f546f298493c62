"""How the eigenvalues spread during training: one after the other leaves the noise and rises."""
from __future__ import annotations

import h5py
import matplotlib
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from .source import Refusal, has, records, title
from .style import TIME, half_rises, moments, time_axis

SIZE = (8.5, 7)
SOURCES = {"measured/covariance": "the embedding's covariance", "measured/lambda": "$C$",
           "dynamics/lambda": "$C$, predicted"}
BINS = 30


def lacks(file: h5py.File) -> str:
    return "" if any(has(file, name) for name in SOURCES) else " or ".join("/" + name for name in SOURCES)


def draw(figure: Figure, file: h5py.File) -> None:
    name = next(name for name in SOURCES if has(file, name))
    time, values = records(file, "dynamics/time" if name.startswith("dynamics") else "time", **{name: 2})
    values = np.where(np.isfinite(values) & (values > 0), values, np.nan)
    if np.isnan(values).all() or len(time) < 2:
        raise Refusal(f"{file.filename}: /{name} has no positive values at two times or more")
    logs = np.log10(values)
    edges = np.linspace(max(np.nanmin(logs), np.nanmax(logs) - 12), np.nanmax(logs) + 0.1, BINS + 1)
    # What is below the picture counts in its lowest bin.
    counts = np.array([np.histogram(np.clip(row[np.isfinite(row)], edges[0], None), edges)[0] for row in logs])

    grid = figure.add_gridspec(2, 5, height_ratios=(1.7, 1))
    axes = figure.add_subplot(grid[0, :])
    limits = time_axis(axes, time, half_rises(time, np.nan_to_num(values)))
    greys = ListedColormap(matplotlib.colormaps["Greys"](np.linspace(0.3, 1, 256)))
    shown = np.ma.masked_equal(counts.T, 0)
    mesh = axes.pcolormesh(time, (edges[1:] + edges[:-1]) / 2, shown, cmap=greys, vmin=1, vmax=max(counts.max(), 2),
                           shading="nearest", rasterized=True)
    figure.colorbar(mesh, ax=axes, label="eigenvalues in a bin",
                    ticks=range(1, counts.max() + 1, max(1, counts.max() // 5)))
    axes.set_xlim(*limits)
    axes.set_xlabel(TIME)
    axes.set_ylabel(r"$\log_{10}$ eigenvalue")
    first = None
    for column, moment in enumerate(moments(limits, 5, axes.get_xscale() == "log")):
        at = int(np.argmin(np.abs(time - moment)))
        panel = figure.add_subplot(grid[1, column], sharey=first)
        first = first or panel
        panel.bar(edges[:-1], counts[at], np.diff(edges), align="edge", color="0.6", edgecolor="black", linewidth=0.5)
        panel.set_title(f"$t$ = {time[at]:.3g}", fontsize=9)
        panel.tick_params(labelleft=column == 0)
        axes.axvline(time[at], color="black", linewidth=0.7, linestyle=":")
        if column == 2:
            panel.set_xlabel(r"$\log_{10}$ eigenvalue")
        if column == 0:
            panel.set_ylabel("eigenvalues in a bin")
    figure.suptitle(title(file, f"eigenvalues of {SOURCES[name]}"))
