"""The images that the training samples were made of, from where the settings say they are."""
from __future__ import annotations

import gzip
from pathlib import Path

import h5py
import numpy as np

from .source import Refusal, has, settings

CIFAR_RECORD = 3073  # label, then 3 x 32 x 32 bytes
CIFAR_BATCH = 10_000


def cifar10(folder: Path, wanted: np.ndarray) -> np.ndarray:
    images = []
    for number in wanted:
        batch = folder / f"data_batch_{number // CIFAR_BATCH + 1}.bin"
        with open(batch, "rb") as file:
            file.seek((number % CIFAR_BATCH) * CIFAR_RECORD + 1)
            images.append(np.frombuffer(file.read(CIFAR_RECORD - 1), np.uint8).reshape(3, 32, 32))
    return np.stack(images)


def mnist(folder: Path, wanted: np.ndarray) -> np.ndarray:
    """The idx format: magic number, count, height, width, big-endian; then bytes. Plain or gzip."""
    path = next((path for path in (folder, folder / "train-images-idx3-ubyte", folder / "train-images-idx3-ubyte.gz")
                 if path.is_file()), folder / "train-images-idx3-ubyte")
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        _, count, height, width = np.frombuffer(file.read(16), ">i4")
        pixels = np.frombuffer(file.read(int(count) * int(height) * int(width)), np.uint8)
    return pixels.reshape(count, 1, height, width)[wanted]


def stl10(folder: Path, wanted: np.ndarray) -> np.ndarray:
    """3 x 96 x 96 bytes an image, columns first."""
    size = 3 * 96 * 96
    path = folder if folder.is_file() else folder / "train_X.bin"
    images = []
    with open(path, "rb") as file:
        for number in wanted:
            file.seek(int(number) * size)
            images.append(np.frombuffer(file.read(size), np.uint8).reshape(3, 96, 96).transpose(0, 2, 1))
    return np.stack(images)


def arrays(path: Path, wanted: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Rows of view_a as images of this shape."""
    with h5py.File(path, "r") as file:
        rows = np.stack([file["view_a"][int(number)] for number in wanted])
    if int(np.prod(shape)) != rows[0].size or min(shape[1:]) < 2:
        raise Refusal(f"{path}: samples of {rows[0].size} numbers are no images")
    return rows.reshape(-1, *shape)


def images_of(file: h5py.File, wanted: np.ndarray) -> np.ndarray:
    """count x height x width x channels in [0, 1]. @raise Refusal saying why there are none."""
    given = settings(file)
    source, path = given.get("data.source", ""), Path(given.get("data.path", ""))
    pairs = file["embeddings/train"].shape[1] if has(file, "embeddings/train") else file["measured/embeddings"].shape[2]
    count = pairs // max(int(given.get("views.per-image", "1")), 1)  # several pairs may show one image
    try:
        if source == "hdf5":
            shape = tuple(file["data/sample_shape"][()]) if has(file, "data/sample_shape") else (1, 1, 1)
            found = arrays(path, wanted, shape)
        elif source in ("cifar10", "mnist", "stl10"):
            found = {"cifar10": cifar10, "mnist": mnist, "stl10": stl10}[source](path, wanted % count)
        else:
            raise Refusal(f"images of the source '{source or 'unknown'}' cannot be read back")
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise Refusal(f"{path}: images cannot be read: {error}") from None
    low, high = (0, 255) if found.dtype == np.uint8 else (found.min(), found.max())
    scaled = np.clip((found.astype(float) - low) / max(high - low, 1e-300), 0, 1)
    scaled = scaled.transpose(0, 2, 3, 1)
    return scaled[..., :3] if scaled.shape[-1] >= 3 else scaled[..., :1]
