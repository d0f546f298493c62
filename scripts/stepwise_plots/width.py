"""What changes less the wider the network: mean and spread over seeds, with the fitted power of the width."""
from __future__ import annotations

import itertools
import textwrap

import h5py
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .source import all_datasets, has, scale_names, scale_values, title
from .style import LINES, MARKERS, shade


PANELS = 6
PREFERRED = ("kernel_change", "feature_change", "linearised_error", "weight_distance", "output_change", "divergence")


def studies(file: h5py.Group) -> list[h5py.Dataset]:
    """Datasets over widths, and over whatever else there is; of many those that tell most."""
    found = [item for item in all_datasets(file)
             if item.dtype.kind == "f" and item.ndim > 1 and "width" in scale_names(item) and np.any(item[()] > 0)]
    if len(found) <= PANELS:
        return found
    rank = {name: number for number, name in enumerate(PREFERRED)}
    return sorted(found, key=lambda item: rank.get(item.name.rpartition("/")[2], len(rank)))[:PANELS]


def lacks(file: h5py.File) -> str:
    return "" if studies(file) else "datasets over the dimension width, as a study of widths has them"


def size(file: h5py.File) -> tuple[float, float]:
    panels = len(studies(file))
    variants = max(len(curves(study)) for study in studies(file))
    return 4.4 * max(min(panels, 3), 2), (4.1 + 0.1 * variants) * -(-panels // 3) + 0.6 + 0.2 * -(-variants // 2)


def curves(study: h5py.Dataset) -> list[tuple[str, np.ndarray]]:
    """width x seed for every combination of the other dimensions, with its name."""
    names = scale_names(study)
    others = [i for i, name in enumerate(names) if name not in ("width", "seed")]
    order = others + [names.index(name) for name in ("width", "seed") if name in names]
    values = study[()].transpose(order)
    values = values if "seed" in names else values[..., None]
    found = []
    for place in itertools.product(*(range(study.shape[i]) for i in others)):
        labels = []
        for i, at in zip(others, place):
            value = str(scale_values(study, i)[at]) if names[i] else str(at)
            labels.append(f"{names[i]} {value}" if value.lstrip("-").isdigit() else value)
        found.append((", ".join(labels), values[place]))
    return found


def fit(widths: np.ndarray, means: np.ndarray) -> tuple[float, float, float]:
    """log mean = log c + p log width by least squares: p, its standard error, c."""
    design = np.stack([np.ones(len(widths)), np.log(widths)], axis=1)
    solution, *_ = np.linalg.lstsq(design, np.log(means), rcond=None)
    rest = np.log(means) - design @ solution
    spread = np.sqrt(rest @ rest / max(len(widths) - 2, 1) / np.sum((design[:, 1] - design[:, 1].mean()) ** 2))
    return solution[1], spread, float(np.exp(solution[0]))


def power_law(study: h5py.Dataset, number: int, widths: np.ndarray, means: np.ndarray) -> tuple[float, float, float]:
    """As the file has it in /exponent for this variant, else fitted to the means."""
    power, error, factor = fit(widths, means)
    kept = "exponent/" + study.name.rpartition("/")[2]
    if has(study.file, kept, kept + "_error") and study.file[kept].ndim == 1 and study.ndim == 3:
        power, error = study.file[kept][number], study.file[kept + "_error"][number]
        factor = float(np.exp(np.mean(np.log(means) - power * np.log(widths))))
    return power, error, factor


def draw_study(axes: Axes, study: h5py.Dataset) -> None:
    widths = scale_values(study, scale_names(study).index("width")).astype(float)
    lines = curves(study)
    for number, (_, values) in enumerate(lines):
        usable = np.isfinite(values) & (values > 0)
        shown = usable.any(axis=1)
        if not shown.any():
            continue
        means = np.array([row[use].mean() if use.any() else np.nan for row, use in zip(values, usable)])
        ends = np.array([[row[use].min(), row[use].max()] if use.any() else [np.nan] * 2
                         for row, use in zip(values, usable)])
        color, label = shade(number, len(lines)), None
        if shown.sum() >= 3:
            power, error, factor = power_law(study, number, widths[shown], means[shown])
            axes.plot(widths[shown], factor * widths[shown] ** power, color=color, linestyle=LINES[number % 4],
                      linewidth=1.2)
            label = f"$M^{{{power:.2f} \\pm {error:.2f}}}$"
        bars = np.abs(ends - means[:, None])[shown].T
        axes.errorbar(widths[shown], means[shown], bars, color=color, marker=MARKERS[number % len(MARKERS)],
                      markersize=5, capsize=3, linestyle="none", label=label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("width $M$ (neurons)")
    units = str(study.attrs.get("units", "1"))
    axes.set_ylabel(study.name.rpartition("/")[2].replace("_", " ") +
                    (" (dimensionless)" if units in ("1", "") else f" ({units})"))
    axes.set_title(textwrap.fill(str(study.attrs.get("description", "")), 48), fontsize=9)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncol=2 if len(lines) < 5 else 3, handletextpad=0.2)


def draw(figure: Figure, file: h5py.File) -> None:
    found = studies(file)
    columns = min(len(found), 3)
    axes = figure.subplots(-(-len(found) // columns), columns, squeeze=False).ravel()
    for panel, study in zip(axes, found):
        draw_study(panel, study)
    for panel in axes[len(found):]:
        panel.set_axis_off()
    names = [name for name, _ in max((curves(study) for study in found), key=len)]
    handles = [Line2D([], [], color=shade(number, len(names)), linestyle=LINES[number % 4],
                      marker=MARKERS[number % len(MARKERS)], label=name) for number, name in enumerate(names)]
    room = 0.2 * -(-len(names) // 2) + 0.15
    figure.legend(handles=handles, loc="lower center", ncol=2)
    room /= figure.get_size_inches()[1]
    figure.get_layout_engine().set(rect=(0, room, 1, 1 - room))
    figure.suptitle(title(file, "mean over seeds, bars: from the smallest to the largest"))
