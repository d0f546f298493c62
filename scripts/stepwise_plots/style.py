"""What all pictures have in common. Curves differ in lightness, and in line style or marker too."""
from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes

TIME = "time $t$ = learning rate × steps (1 / units of the kernel)"
LINES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "p", "h")
PREDICTED = {"color": "black", "linestyle": (0, (4, 2)), "linewidth": 1.0}

matplotlib.rcParams.update({"font.size": 10, "axes.labelsize": 10, "legend.fontsize": 9, "xtick.labelsize": 9,
                            "ytick.labelsize": 9, "legend.frameon": False, "savefig.dpi": 150})


def shade(number: int, count: int) -> tuple[float, float, float, float]:
    """From dark to light, in colours whose lightness tells them apart in print."""
    return matplotlib.colormaps["viridis"](0.85 * number / max(count - 1, 1))


def pale(number: int, count: int) -> tuple[float, ...]:
    """The same, light enough for a black curve on top of it."""
    return tuple(0.55 * part + 0.45 for part in shade(number, count)[:3])


def time_axis(axes: Axes, time: np.ndarray, steps: np.ndarray) -> tuple[float, float]:
    """From well before the first of `steps` to the end; logarithmic unless the times are evenly spaced. Returns the
    limits."""
    positive, steps = time[time > 0], steps[np.isfinite(steps) & (steps > 0)]
    if len(positive) < 2:
        return axes.get_xlim()
    if np.median(positive) > positive[-1] / 4:
        limits = (0.0, positive[-1])
        axes.set_xlim(*limits)
        return limits
    first = max(steps.min() / 3, positive[0]) if len(steps) else positive[0]
    limits = (min(first, positive[-1] / 2), positive[-1])
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    return limits


def moments(limits: tuple[float, float], count: int, logarithmic: bool) -> np.ndarray:
    return np.geomspace(*limits, count) if logarithmic else np.linspace(*limits, count)


def number_modes(axes: Axes, places: np.ndarray) -> None:
    """The number of each mode above its step, where there is room."""
    last = -np.inf
    for mode, where in enumerate(places):
        if not np.isfinite(where) or where <= 0:
            continue
        place = axes.transAxes.inverted().transform(axes.transData.transform((where, 0)))[0]
        if 0 <= place <= 1 and abs(place - last) > 0.03:
            axes.annotate(str(mode + 1), (where, 1.02), xycoords=("data", "axes fraction"), ha="center", fontsize=8)
            last = place


def half_rises(time: np.ndarray, curves: np.ndarray) -> np.ndarray:
    """When each column first reaches 1/2, between two points of time by interpolation; nan where it does not."""
    places = np.full(curves.shape[1], np.nan)
    for mode, curve in enumerate(curves.T):
        above = np.flatnonzero(curve >= 0.5)
        if len(above) and above[0] > 0:
            i = above[0]
            places[mode] = np.interp(0.5, curve[i - 1:i + 1], time[i - 1:i + 1])
    return places


def whole_numbers(axis) -> None:
    axis.get_major_locator().set_params(integer=True)
