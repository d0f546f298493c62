#!/usr/bin/env python3
"""Draws a result file: the loss staircase, the modes being learned one by one, the spectrum of K_Gamma; or a
simulation, also one under way: what is measured, and dashed what was predicted.

    plot.py RESULT.h5 [-o PICTURE.png|.pdf|.svg]      default: beside the result, as .png
"""
from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SYSTEM_PYTHON = "/usr/bin/python3"  # has Debian's packages, also where another python3 comes first in PATH


def use_system_python(error: ImportError) -> None:
    """Starts again with the system's Python if that has the modules; otherwise says who lacks what."""
    lacking = f"{sys.executable}: {error}"
    if sys.executable != SYSTEM_PYTHON and os.access(SYSTEM_PYTHON, os.X_OK):
        trial = subprocess.run([SYSTEM_PYTHON, "-c", "import h5py, numpy, matplotlib"], stderr=subprocess.PIPE,
                               text=True)
        if trial.returncode == 0:
            os.execv(SYSTEM_PYTHON, [SYSTEM_PYTHON, *sys.argv])
        lacking += f"; {SYSTEM_PYTHON}: " + trial.stderr.strip().rpartition("\n")[2]
    sys.exit(f"plot.py: {lacking} (Debian: python3-h5py python3-matplotlib)")


try:
    import h5py
    import numpy as np
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
except ImportError as error:
    use_system_python(error)

SUFFIXES = (".png", ".pdf", ".svg")


@dataclass
class Result:
    pairs: int  # n
    gamma: np.ndarray  # 2n or the largest of them, descending
    tau: np.ndarray  # d
    time: np.ndarray  # T
    curves: np.ndarray  # T x d
    loss: np.ndarray  # T
    title: str


def fail(message: str) -> None:
    sys.exit(f"plot.py: {message}")


def dataset(file: h5py.File, name: str, rank: int) -> h5py.Dataset:
    item = file.get(name)
    if not isinstance(item, h5py.Dataset) or item.ndim != rank or item.size == 0:
        fail(f"{file.filename}: no dataset /{name} with {rank} dimension(s): is this a result of `stepwise solve`?")
    return item


def numbers(file: h5py.File, name: str, rank: int) -> np.ndarray:
    values = dataset(file, name, rank)[()].astype(float)
    if not np.isfinite(values).all():
        fail(f"{file.filename}: /{name} holds nan or inf, which cannot be drawn")
    return values


def read(path: Path) -> Result:
    if not path.is_file():
        fail(f"{path}: no such file")
    if not h5py.is_hdf5(path):
        fail(f"{path}: not an HDF5 file")
    with h5py.File(path, "r") as file:
        if "timescales" not in file and "spectrum/sign_count" in file:
            fail(f"{path}: made with --modes all, which finds no modes to draw; its gammas are in /spectrum/gamma")
        gamma, tau = numbers(file, "spectrum/gamma", 1), numbers(file, "timescales/tau", 1)
        time, loss = numbers(file, "dynamics/time", 1), numbers(file, "dynamics/loss", 1)
        curves = numbers(file, "dynamics/lambda", 2)
        pairs = dataset(file, "embeddings/train", 3).shape[1]
    if curves.shape != (len(time), len(tau)) or loss.shape != time.shape:
        fail(f"{path}: /dynamics/lambda is {curves.shape}, expected ({len(time)}, {len(tau)})")
    modes = f"{len(tau)} mode" + ("s" if len(tau) > 1 else "")
    return Result(pairs, gamma, tau, time, curves, loss, f"{path.name}: {pairs} positive pairs, {modes}")


def time_limits(result: Result) -> tuple[float, float]:
    """From well before the first step to a little after the last; logarithmic, so above zero."""
    steps = result.tau[result.tau > 0]
    positive = result.time[result.time > 0]
    if len(positive) == 0:
        fail("/dynamics/time has no positive time")
    first = max(steps.min() / 3, positive[0]) if len(steps) else positive[0]
    return min(first, positive[-1] / 2), positive[-1]


def draw_loss(axes: plt.Axes, result: Result) -> None:
    axes.plot(result.time, result.loss, color="black", linewidth=1.6, label="predicted loss $L(t)$")
    for number, tau in enumerate(result.tau):
        axes.axvline(tau, color="0.6", linewidth=0.7, linestyle=":", zorder=0,
                     label=r"timescales $\tau_j$" if number == 0 else None)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(-0.03 * len(result.tau), 1.05 * max(result.loss.max(), 1))
    axes.set_ylabel("loss $L$ (dimensionless)")
    axes.legend(loc="lower left", frameon=False)  # the loss starts high and ends low: this corner is free


def draw_modes(axes: plt.Axes, result: Result) -> None:
    """Modes share the shape of their curve, so lightness, position and a number above tell them apart."""
    count = result.curves.shape[1]
    for mode in range(count):
        shade = 0.75 * mode / max(count - 1, 1)
        axes.plot(result.time, result.curves[:, mode], color=str(shade), linewidth=1.3,
                  linestyle=("-", "--")[mode % 2])
    low, high = np.log(time_limits(result))
    last = -np.inf
    for mode, tau in enumerate(result.tau):
        place = (np.log(tau) - low) / (high - low) if tau > 0 else -1
        if 0 <= place <= 1 and place - last > 0.03:  # labels must not touch
            axes.annotate(str(mode + 1), (tau, 1.02), xycoords=("data", "axes fraction"), ha="center", fontsize=8)
            last = place
    axes.set_ylim(-0.03, 1.05)
    axes.set_ylabel(r"eigenvalue $\lambda_j(t)$ of $C$ (dimensionless)")
    axes.set_xlabel("time $t$ = learning rate × steps (1 / units of the kernel)")


def draw_spectrum(axes: plt.Axes, result: Result) -> None:
    count, gamma = len(result.tau), result.gamma
    largest = np.abs(gamma).max()
    # As the program counts modes: what is smaller is rounding.
    floor = 100 * 2 * result.pairs * np.finfo(float).eps * largest
    positive, negative = gamma[gamma > floor], -gamma[gamma < -floor][::-1]
    axes.loglog(np.arange(1, len(positive) + 1), positive, color="0.55", linewidth=1.2, label=r"$\gamma_j > 0$")
    if len(negative):
        axes.loglog(np.arange(1, len(negative) + 1), negative, color="0.55", linewidth=1.2, linestyle="--",
                    label=r"$|\gamma_j|$ of $\gamma_j < 0$, from the end")
    axes.loglog(np.arange(1, count + 1), gamma[:count], "o", color="black", markersize=4,
                label=f"modes 1 to {count}, solved for")
    axes.set_xlabel("index $j$")
    axes.set_ylabel(r"eigenvalue $\gamma_j$ of $K_\Gamma$ (units of the kernel)")
    axes.legend(loc="lower left", frameon=False)


def is_simulation(path: Path) -> bool:
    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with open_simulation(path) as file:
        return file.attrs.get("schema_name") == "stepwise-simulation"


def open_simulation(path: Path) -> h5py.File:
    """One that another program may be writing."""
    try:
        return h5py.File(path, "r", libver="latest", swmr=path.suffix == ".partial")
    except OSError as error:
        fail(f"{path}: {error}")


def draw_curves(axes: plt.Axes, group: h5py.Group, name: str, records: int) -> None:
    """Measured curves as lines, lighter from mode to mode; the prediction dashed over them."""
    time, measured = group["time"][:records], group[f"measured/{name}"][:records].reshape(records, -1)
    count = measured.shape[1]
    for j in range(count):
        axes.plot(time, measured[:, j], color=str(0.15 + 0.6 * j / count), linewidth=2.4,
                  label="measured" if j == 0 else None)
    if f"predicted/{name}" in group:
        predicted = group[f"predicted/{name}"][:records].reshape(records, -1)
        for j in range(count):
            axes.plot(time, predicted[:, j], color="tab:orange", linewidth=1.2, linestyle=(0, (4, 3)),
                      label="predicted" if j == 0 else None)


def draw_simulation(path: Path, figure: plt.Figure) -> None:
    """A column for each loss that was trained by."""
    with open_simulation(path) as file:
        groups = [""] if "time" in file else [name for name in file if f"{name}/time" in file]
        if "losses/loss" in file:
            groups = [name.decode() for name in file["losses/loss"][()]]  # in the order of training
        quantity, what = ("residual", r"residuals $|v_i \cdot (f - y)|$") if "supervised" in file else (
            "lambda", r"eigenvalues $\lambda_j$ of $C$")
        panels = figure.subplots(2, len(groups), squeeze=False, sharex="col", sharey="row")
        for (loss, modes), name in zip(panels.T, groups):
            group = file[name or "/"]
            records = len(group["time"])
            if records < 2:
                fail(f"{path}: has {records} records yet, which make no curve")
            draw_curves(loss, group, "loss", records)
            draw_curves(modes, group, quantity, records)
            time = group["time"][:records]
            rises = time[1:][np.abs(np.diff(group["measured/loss"][:records])) > 1e-3 * group["measured/loss"][0]]
            loss.set_xscale("log")
            loss.set_xlim(max(time[1], (rises[0] if len(rises) else time[1]) / 3), time[-1])
            loss.set_title(name)
        figure.supxlabel("time $t$ = learning rate × steps (1 / units of the kernel)", fontsize="medium")
        panels[0, 0].set_ylabel("loss $L$ (dimensionless)")
        panels[1, 0].set_ylabel(f"{what} (dimensionless)")
        panels[0, 0].legend(loc="lower left", frameon=False)
        figure.suptitle(f"{path.name}: {file.attrs['model']} model, {file.attrs['status']}")


def draw_result(result: Result, figure: plt.Figure) -> None:
    grid = figure.add_gridspec(2, 2, width_ratios=(1.5, 1))
    loss = figure.add_subplot(grid[0, 0])
    modes = figure.add_subplot(grid[1, 0], sharex=loss)
    draw_loss(loss, result)
    draw_modes(modes, result)
    loss.set_xscale("log")
    loss.set_xlim(*time_limits(result))
    loss.tick_params(labelbottom=False)
    draw_spectrum(figure.add_subplot(grid[:, 1]), result)
    figure.suptitle(result.title)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="picture to write")
    arguments = parser.parse_args()
    output = arguments.output or arguments.result.with_suffix(".png")
    if output.suffix.lower() not in SUFFIXES:
        fail(f"{output}: the picture's name must end in {', '.join(SUFFIXES)}")
    figure = plt.figure(figsize=(11, 6), layout="constrained")
    if is_simulation(arguments.result):
        draw_simulation(arguments.result, figure)
    else:
        draw_result(read(arguments.result), figure)
    try:
        figure.savefig(output, dpi=150)
    except OSError as error:
        fail(f"{output}: cannot write: {error.strerror}")
    print(f"plot.py: wrote {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
