"""Files in the layout of results, with numbers that the formulas give: what the plots are tested with."""
from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

STRING = h5py.string_dtype()


def put(file: h5py.Group, name: str, values, *scales: str, units: str = "1", description: str = "") -> h5py.Dataset:
    """A dataset with its dimension scales, as the program writes it."""
    data = np.asarray(values)
    dataset = file.create_dataset(name, data=data.astype("S") if data.dtype.kind == "U" else data)
    dataset.attrs["units"], dataset.attrs["description"] = units, description
    for i, scale in enumerate(scales):
        if scale:
            dataset.dims[i].attach_scale(file.file[scale])
    return dataset


def put_scale(file: h5py.Group, name: str, values, dimension: str) -> None:
    put(file, name, values).make_scale(dimension)


def learning(gamma: np.ndarray, s0: np.ndarray, time: np.ndarray) -> np.ndarray:
    """lambda_j(t) = 1 / (1 + (1 / lambda_j(0) - 1) exp(-8 gamma_j t))."""
    start = gamma * s0**2
    return 1 / (1 + (1 / start - 1) * np.exp(-8 * gamma * time[:, None]))


def put_training(file: h5py.Group, gamma: np.ndarray, s0: np.ndarray, off: float = 0.02) -> np.ndarray:
    """Measured curves that lie a little beside the predicted ones."""
    time = np.concatenate([[0], np.geomspace(0.1, 1.5 * np.max(-np.log(s0**2 * gamma) / (8 * gamma)), 240)])
    put_scale(file, "time", time, "time")
    predicted = learning(gamma, s0, time)
    measured = learning(gamma * (1 + off), s0, time)
    prefix = file.name.rstrip("/")
    for name, curves in (("measured", measured), ("predicted", predicted)):
        put(file, f"{name}/lambda", curves, f"{prefix}/time", "/mode")
        put(file, f"{name}/loss", np.sum((1 - curves) ** 2, axis=1), f"{prefix}/time")
    return time


def begin(path: Path, modes: int, **attributes: str) -> h5py.File:
    file = h5py.File(path, "w")
    file.attrs.update({"schema_name": "stepwise-simulation", "status": "complete", **attributes})
    put_scale(file, "mode", np.arange(1, modes + 1), "mode")
    return file


def write_simulation(path: Path, modes: int = 6, **attributes: str) -> Path:
    rng = np.random.default_rng(1)
    gamma, s0 = 2.0 ** -np.arange(modes), 1e-5 * np.sqrt(np.arange(modes, 0, -1))
    with begin(path, modes, **attributes) as file:
        time = put_training(file, gamma, s0)
        put_scale(file, "eigenvalue", np.arange(1, modes + 1), "eigenvalue")
        put(file, "spectrum/gamma", gamma, "/eigenvalue")
        put(file, "timescales/tau", -np.log(s0**2 * gamma) / (8 * gamma), "/mode")
        put(file, "timescales/measured_half_rise", -np.log(s0**2 * gamma) / (8.1 * gamma), "/mode")
        put(file, "measured/covariance", learning(gamma, s0, time) + 1e-9, "/time", "/mode")
        put(file, "measured/hidden", np.exp(-np.arange(12)) * (1 + np.log1p(time))[:, None], "/time")
        put(file, "measured/weight_distance", np.log1p(time), "/time")
        put(file, "measured/probe_accuracy", 0.1 + 0.4 * learning(gamma, s0, time).mean(axis=1), "/time")
        put_scale(file, "snapshot", time[[0, 40, 80, 120, 240]], "snapshot")
        put(file, "ntk/change", 0.1 * np.log1p(file["snapshot"][()]), "/snapshot")
        labels = np.arange(90) % 3
        directions = rng.standard_normal((90, modes)) + labels[:, None] * [1, *[-0.7] * (modes - 1)]
        sizes = np.sqrt(learning(gamma, s0, file["snapshot"][()]))
        points = directions[None] * sizes[:, None] + 1e-5 * rng.standard_normal((5, 90, modes))
        put(file, "measured/embeddings", np.stack([points, points], axis=1), "/snapshot")
        put(file, "data/labels", labels)
    return path


def write_components(path: Path) -> Path:
    outputs, modes, alpha = 3, 5, 1e-9
    gamma = 2.0 ** -np.arange(1, modes + 1)
    with begin(path, outputs) as file:
        time = np.linspace(0, 120, 300)
        put_scale(file, "time", time, "time")
        start = alpha * np.triu(np.random.default_rng(2).uniform(0.5, 1.5, (outputs, modes)))
        s = np.sqrt(learning(gamma[:outputs], np.diag(start), time) / gamma[:outputs])
        ratio = (s / np.diag(start))[:, :, None] ** (gamma[None, None, :] / gamma[None, :outputs, None])
        lead = np.arange(modes)[None, :] > np.arange(outputs)[:, None]
        decay = np.where(lead[None], np.exp(-8 * gamma[None, None, :] * np.maximum(0, time[:, None, None] - 60)), 1)
        a = start * np.where(lead[None], ratio * decay, ratio)
        put(file, "measured/a", a * 1.01, "/time")
        put(file, "predicted/a", a, "/time")
    return path


def write_supervised(path: Path) -> Path:
    eigenvalues = 2.0 ** -np.arange(20)
    with begin(path, 4) as file:
        time = np.concatenate([[0], np.geomspace(0.01, 30, 100)])
        put_scale(file, "time", time, "time")
        residual = np.exp(-eigenvalues[:4] * time[:, None])
        for name, factor in (("measured", 1.02), ("predicted", 1)):
            put(file, f"{name}/residual", factor * residual, "/time", "/mode")
            put(file, f"{name}/loss", factor * np.sum(residual**2, axis=1), "/time")
        put(file, "supervised/eigenvalues", eigenvalues)
        put(file, "supervised/label_alignment", 1 / np.arange(1, 21))
    return path


def write_losses(path: Path) -> Path:
    gamma, s0 = 1 / np.arange(1, 6), np.full(5, 1e-6)
    with begin(path, 5) as file:
        names = ["plain", "sharpened", "smoothed", "quartic", "preconditioned"]
        for number, name in enumerate(names):
            put_training(file.create_group(name), gamma * (1 + 0.5 * number), s0)
        put_scale(file, "losses/loss", np.array(names), "loss")
        put(file, "losses/time_to_learn", np.outer(1 / (1 + 0.5 * np.arange(5)), 1 / gamma), "/losses/loss", "/mode")
    return path


def write_widths(path: Path) -> Path:
    rng = np.random.default_rng(3)
    widths, seeds = 2 ** np.arange(6, 13), 4
    with begin(path, 1) as file:
        put_scale(file, "width", widths, "width")
        put_scale(file, "seed", np.arange(seeds), "seed")
        put_scale(file, "activation", np.array(["tanh", "relu"]), "activation")
        put_scale(file, "outputs", np.array([1, 10]), "outputs")
        noise = np.exp(0.1 * rng.standard_normal((2, 2, len(widths), seeds)))
        powers = np.array([[-0.5, -0.5], [-0.25, -0.3]])
        change = 3 * noise * widths[:, None] ** powers[:, :, None, None]
        scales = ("/activation", "/outputs", "/width", "/seed")
        put(file, "ntk/features", change, *scales, description="relative change of the tangent features")
        put(file, "ntk/change", change**2, *scales, description="relative change of the tangent kernel")
    return path


def write_probes(path: Path) -> Path:
    modes = 20
    with begin(path, modes) as file:
        put_scale(file, "time", np.geomspace(0.1, 100, 30), "time")
        curve = 0.1 + 0.4 * (1 - np.exp(-np.arange(1, modes + 1) / 6))
        late = np.clip(np.linspace(0, 1, 30), 0.1, None)[:, None]
        put(file, "probe/linear_accuracy", curve * late, "/time", "/mode")
        put(file, "probe/neighbour_accuracy", 0.9 * curve * late, "/time", "/mode")
    return path
