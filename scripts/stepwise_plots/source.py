"""Reading result files: what is there, with one clear line where it is not."""
from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np


class Refusal(Exception):
    """What the user is told."""


def open_result(path: Path) -> h5py.File:
    """Also a series that is being written, or whose writer was killed."""
    if not path.is_file():
        raise Refusal(f"{path}: no such file")
    try:
        return h5py.File(path, "r")
    except OSError as plain:
        try:
            return h5py.File(path, "r", libver="latest", swmr=True)
        except OSError:
            what = "not an HDF5 file" if not h5py.is_hdf5(path) else f"cannot be opened: {plain}"
            raise Refusal(f"{path}: {what}") from None


def has(file: h5py.Group, *names: str) -> bool:
    """Whether all of them are datasets with something in them."""
    items = [file.get(name) for name in names]
    return all(isinstance(item, h5py.Dataset) and item.size is not None and item.size > 0 for item in items)


def numbers(file: h5py.Group, name: str, rank: int) -> np.ndarray:
    item = file.get(name)
    path = f"{file.name.rstrip('/')}/{name}"
    if not isinstance(item, h5py.Dataset) or item.size == 0:
        raise Refusal(f"{file.file.filename}: no dataset {path}, or nothing in it")
    if item.ndim != rank or item.dtype.kind not in "iuf":
        raise Refusal(f"{file.file.filename}: {path} is {item.dtype} {item.shape}, expected numbers, {rank} dimensions")
    return item[()].astype(float)


def finite(file: h5py.Group, name: str, rank: int) -> np.ndarray:
    values = numbers(file, name, rank)
    if not np.isfinite(values).all():
        raise Refusal(f"{file.file.filename}: {file.name.rstrip('/')}/{name} holds nan or inf, which cannot be drawn")
    return values


def records(file: h5py.Group, scale: str, **names: int) -> tuple[np.ndarray, ...]:
    """The scale of a series, and datasets along it with their numbers of dimensions: as many records as all have."""
    time = numbers(file, scale, 1)
    values = [numbers(file, name, rank) for name, rank in names.items()]
    count = min(map(len, [time, *values]))
    return tuple(array[:count] for array in (time, *values))


def scale_names(dataset: h5py.Dataset) -> list[str]:
    """The name of each dimension's scale, "" where there is none."""
    return [next(iter(dim.keys()), "") if len(dim) else "" for dim in dataset.dims]


def scale_values(dataset: h5py.Dataset, dimension: int) -> np.ndarray:
    values = dataset.dims[dimension][0][()]
    return np.array([value.decode() for value in values]) if values.dtype.kind == "S" else values


def all_datasets(file: h5py.Group) -> list[h5py.Dataset]:
    found: list[h5py.Dataset] = []
    file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return found


def settings(file: h5py.File) -> dict[str, str]:
    """Those that the file was made with, as {"data.source": "cifar10", ...}."""
    section, found = "", {}
    for line in str(file.attrs.get("configuration", "")).splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line.strip("[]") + "."
        elif "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[section + name.strip()] = value.strip()
    return found


def title(file: h5py.File, what: str = "") -> str:
    name = Path(file.filename).name
    status = str(file.attrs.get("status", "complete"))
    if status != "complete":
        name += f" ({status})"
    return f"{name}: {what}" if what else name


def counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
