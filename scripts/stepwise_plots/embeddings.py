"""Embeddings of the training samples by label: points that spread along one direction after the other."""
from __future__ import annotations

import h5py
import numpy as np
from matplotlib.figure import Figure

from .source import Refusal, has, numbers, title
from .style import MARKERS, shade

SNAPSHOTS = 4
POINTS = 2000


def lacks(file: h5py.File) -> str:
    return "" if has(file, "embeddings/train") or has(file, "measured/embeddings", "snapshot") else \
        "/embeddings/train or /measured/embeddings"


def size(file: h5py.File) -> tuple[float, float]:
    columns = 1 if has(file, "embeddings/train") else min(SNAPSHOTS, len(file["snapshot"]))
    return 3.1 * max(columns, 1.6) + 1.4, 6.4


def pictures(file: h5py.File) -> list[tuple[str, np.ndarray]]:
    """The first views' embeddings (samples x modes), with the time."""
    if has(file, "embeddings/train"):
        return [("end of training", file["embeddings/train"][0])]
    stored, times = file["measured/embeddings"], numbers(file, "snapshot", 1)
    count = min(len(stored), len(times))
    chosen = np.unique(np.linspace(0, count - 1, min(count, SNAPSHOTS)).round().astype(int))
    axes = directions(file, stored[count - 1][0])
    return [(f"$t$ = {times[i]:.3g}", stored[i][0] @ axes) for i in chosen]


def directions(file: h5py.File, last: np.ndarray) -> np.ndarray:
    """Columns: the modes, where the file says how training turned them; else the principal directions at the end."""
    if has(file, "initial/u"):
        return file["initial/u"][()]
    return np.linalg.svd(last - last.mean(axis=0), full_matrices=False)[2].T


def draw(figure: Figure, file: h5py.File) -> None:
    found = pictures(file)
    if found[0][1].shape[1] < 2:
        raise Refusal(f"{file.filename}: the embedding has one dimension, the picture needs two")
    samples = len(found[0][1])
    labels = file["data/labels"][()] if has(file, "data/labels") else np.zeros(samples, int)
    some = np.linspace(0, samples - 1, min(samples, POINTS)).astype(int)
    classes = np.unique(labels)
    rows = 2 if found[0][1].shape[1] > 2 else 1
    axes = figure.subplots(rows, len(found), squeeze=False, sharex=True, sharey="row")
    name = "mode" if has(file, "embeddings/train") or has(file, "initial/u") else "direction"
    for column, (when, points) in enumerate(found):
        for row in range(rows):
            panel = axes[row][column]
            for number, kind in enumerate(classes):
                of_kind = some[labels[some] == kind]
                panel.plot(points[of_kind, 0], points[of_kind, row + 1], linestyle="none",
                           marker=MARKERS[number % len(MARKERS)], markersize=3.5, markeredgewidth=0,
                           color=shade(number, len(classes)), alpha=0.75,
                           label=str(kind) if row == column == 0 else None)
            panel.margins(0.08)
            panel.ticklabel_format(style="sci", scilimits=(-2, 3))
            panel.locator_params(nbins=5)
            if row == rows - 1:
                panel.set_xlabel(f"{name} 1 (dimensionless)")
            if column == 0:
                panel.set_ylabel(f"{name} {row + 2} (dimensionless)")
        axes[0][column].set_title(when, fontsize=10)
    if len(classes) > 1:
        figure.legend(loc="center right", title="label", markerscale=1.8)
        figure.get_layout_engine().set(rect=(0, 0, 1 - 0.9 / figure.get_size_inches()[0], 1))
    figure.suptitle(title(file, "embeddings of the first views"))
