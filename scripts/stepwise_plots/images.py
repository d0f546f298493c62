"""What the leading modes tell apart: the training images with the largest and the smallest value of each."""
from __future__ import annotations

import h5py
import numpy as np
from matplotlib.figure import Figure

from .pixels import images_of
from .source import Refusal, has, title

MODES = 6
EXTREMES = 5


def lacks(file: h5py.File) -> str:
    return "" if has(file, "embeddings/train") or has(file, "measured/embeddings") else \
        "/embeddings/train or /measured/embeddings"


def embedding(file: h5py.File) -> np.ndarray:
    """Samples x modes of the first view, by the learned modes: those of a training are rotated at random."""
    if has(file, "embeddings/train"):
        return file["embeddings/train"][0]
    last = file["measured/embeddings"][-1][0]
    if has(file, "initial/u"):
        return last @ file["initial/u"][()]
    return last


def size(file: h5py.File) -> tuple[float, float]:
    return 10.5, 1.1 + 0.95 * min(MODES, embedding(file).shape[1])


def draw(figure: Figure, file: h5py.File) -> None:
    values = embedding(file)
    modes = min(MODES, values.shape[1])
    each = min(EXTREMES, len(values) // 2)
    if each == 0:
        raise Refusal(f"{file.filename}: there are too few samples")
    ranked = np.argsort(values[:, :modes], axis=0)
    chosen = np.concatenate([ranked[::-1][:each], ranked[:each][::-1]])  # largest first, smallest last
    figure.suptitle(title(file, "images of the largest and the smallest values of each mode"))
    try:
        images = images_of(file, chosen.T.ravel())
        why = ""
    except Refusal as refusal:  # left out, and seen to be
        images, why = None, str(refusal)
    axes = figure.subplots(modes, 2 * each + 1, squeeze=False,
                           gridspec_kw={"width_ratios": [1] * each + [0.3] + [1] * each})
    for mode in range(modes):
        for column, panel in enumerate(axes[mode]):
            panel.set_axis_off()
            if column == each:
                continue
            place = column - (column > each)
            sample = chosen[place, mode]
            if images is None:
                panel.imshow([[0.9]], cmap="gray", vmin=0, vmax=1)
                panel.text(0.5, 0.5, f"image {sample}\nnot at hand", ha="center", va="center", fontsize=7,
                           transform=panel.transAxes)
            else:
                panel.imshow(images[mode * 2 * each + place], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            panel.set_title(f"{values[sample, mode]:+.2g}", fontsize=8, pad=2)
        axes[mode][0].annotate(f"mode {mode + 1}", (-0.15, 0.5), xycoords="axes fraction", ha="right", va="center")
    if why:
        figure.supxlabel(why, fontsize=8)
