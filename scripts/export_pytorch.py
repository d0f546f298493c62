"""From a PyTorch model to what stepwise reads: its empirical tangent kernel and its embeddings of the same samples.

    import export_pytorch as export
    views = torch.cat([first_views, second_views])          # 2n samples: all first views, then all second ones
    export.write("resnet.h5", kernel=export.empirical_ntk(untrained, views), embeddings=export.embeddings(trained, views))

    stepwise solve --kernel.type precomputed --kernel.path resnet.h5 --modes 50 --output theory.h5
    stepwise align theory.h5 resnet.h5 --second-order principal --kernel resnet.h5

docs/from_pytorch.md explains it. Only `empirical_ntk` and `embeddings` need torch.
"""
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

if TYPE_CHECKING:
    import torch


def embeddings(model: torch.nn.Module, samples: torch.Tensor, batch: int = 256) -> np.ndarray:
    """The model's outputs, N x d; in evaluation mode, so that batch normalisation takes samples one by one."""
    import torch
    was_training = model.training
    model.eval()
    with torch.no_grad():
        outputs = [model(part).flatten(1).cpu().double().numpy() for part in samples.split(batch)]
    model.train(was_training)
    return np.concatenate(outputs)


def empirical_ntk(model: torch.nn.Module, samples: torch.Tensor, block: int = 32) -> np.ndarray:
    """The N x N kernel (1/d) sum_o <df_o(x)/dw, df_o(y)/dw> over all parameters that have a gradient, d outputs.

    One backward pass for each sample and output and each block of samples before it; memory: the gradients of two blocks
    of samples for one output, 8 x block x parameters bytes in single precision.
    """
    import torch
    was_training = model.training
    model.eval()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def gradients(part: torch.Tensor, output: int) -> torch.Tensor:
        rows = []
        for value in model(part).flatten(1)[:, output]:
            found = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
            rows.append(torch.cat([(torch.zeros_like(p) if g is None else g).flatten()
                                   for p, g in zip(parameters, found)]))
        return torch.stack(rows)

    with torch.no_grad():
        outputs = model(samples[:1]).flatten(1).shape[1]
    parts = samples.split(block)
    starts = np.cumsum([0, *map(len, parts)])
    kernel = np.zeros((len(samples), len(samples)))
    for output in range(outputs):
        for i, rows in enumerate(parts):
            left = gradients(rows, output)
            for j, cols in enumerate(parts[:i + 1]):
                right = left if i == j else gradients(cols, output)
                kernel[starts[i]:starts[i + 1], starts[j]:starts[j + 1]] += (left @ right.T).cpu().double().numpy()
    model.train(was_training)
    kernel /= outputs
    lower = np.tril(kernel, -1)
    return np.tril(kernel) + lower.T


def write(path: str | os.PathLike, kernel: np.ndarray | None = None, embeddings: np.ndarray | None = None,
          labels: np.ndarray | None = None) -> None:
    """An HDF5 file for `stepwise solve --kernel.type precomputed` and `stepwise align`: whole, or not there.

    kernel: 2n x 2n, embeddings: 2n x d, labels: n; all first views before all second ones.
    """
    counts = {len(array) for array in (kernel, embeddings) if array is not None}
    counts |= {2 * len(labels)} if labels is not None else set()
    if len(counts) != 1 or (samples := counts.pop()) % 2:
        raise ValueError(f"kernel, embeddings and labels are of {sorted(counts)} samples: must be the same 2n")
    if kernel is not None:
        kernel = np.asarray(kernel, np.float64)
        if kernel.shape != (samples, samples) or np.abs(kernel - kernel.T).max() > 1e-6 * np.abs(kernel).max():
            raise ValueError(f"the kernel, of shape {kernel.shape}, is not a symmetric matrix of {samples} samples")
        kernel = (kernel + kernel.T) / 2
    for name, array in (("kernel", kernel), ("embeddings", embeddings)):
        if array is not None and not np.isfinite(array).all():
            raise ValueError(f"{name}: holds NaN or infinite numbers")
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    with h5py.File(partial, "w") as file:
        file.attrs["views"] = 2
        sample = scale(file, "sample", samples, "i is the first view of pair i, n + i the second one")
        if kernel is not None:
            other = scale(file, "other_sample", samples, "the numbers of sample, for columns")
            add(file, "kernel/train", kernel, "empirical tangent kernel", sample, other)
        if embeddings is not None:
            outputs = np.asarray(embeddings).reshape(samples, -1)
            dimension = scale(file, "dimension", outputs.shape[1], "number of an output")
            add(file, "embeddings/train", outputs, "outputs of the model", sample, dimension)
        if labels is not None:
            add(file, "data/labels", np.asarray(labels, np.int64), "class label of each pair",
                scale(file, "pair", samples // 2, "number of a pair"))
    partial.rename(path)


def scale(file: h5py.File, name: str, count: int, description: str) -> h5py.Dataset:
    dataset = file.create_dataset(name, data=np.arange(count))
    dataset.attrs["units"], dataset.attrs["description"] = "1", description
    dataset.make_scale(name)
    return dataset


def add(file: h5py.File, name: str, values: np.ndarray, description: str, *scales: h5py.Dataset) -> None:
    dataset = file.create_dataset(name, data=values)
    dataset.attrs["units"], dataset.attrs["description"] = "1", description
    for axis, dimension in enumerate(scales):
        dataset.dims[axis].attach_scale(dimension)
        link = f"{Path(name).parent}/{dimension.name[1:]}"
        if link not in file:
            file[link] = dimension  # what opens the group alone finds its coordinates there
