"""Finite convolutional networks in NumPy: covariance of their last hidden layer and NTK, by explicit backpropagation.

Signals are arrays of samples x channels x pixels; vectors have one pixel, so a dense layer is a convolution of size 1.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

ERF = np.vectorize(math.erf, otypes=[float])


@dataclass
class Affine:
    """z = sqrt(w / fan_in) W x + sqrt(b) bias, W and bias from N(0, 1)."""

    size: int
    weight: float = 2.0
    bias: float = 0.0
    circular: bool = False
    frozen: bool = False


def parse(text: str) -> list[Affine | list[str]]:
    """The elements of --kernel.network that these tests use."""
    layers: list[Affine | list[str]] = []
    for element in text.split(","):
        name, *words = element.split()
        if name not in ("dense", "conv"):
            layers.append([name, *words])
            continue
        layer = Affine(int(words.pop(0)) if name == "conv" else 1)
        for word in words:
            if word in ("circular", "frozen"):
                setattr(layer, word, True)
            else:
                setattr(layer, {"w": "weight", "b": "bias"}[word[0]], float(word[2:]))
        layers.append(layer)
    return layers


def neighbours(height: int, width: int, size: int, circular: bool) -> np.ndarray:
    """size^2 x pixels: the pixel at each place of the patch around each pixel; height * width stands for a zero."""
    y, x = np.divmod(np.arange(height * width), width)
    reach = range(-(size // 2), size // 2 + 1)
    places = []
    for dy in reach:
        for dx in reach:
            inside = (0 <= y + dy) & (y + dy < height) & (0 <= x + dx) & (x + dx < width)
            at = (y + dy) % height * width + (x + dx) % width
            places.append(at if circular else np.where(inside, at, height * width))
    return np.stack(places)


@dataclass
class FiniteNetwork:
    """Hidden layers of `channels` channels or units, one output."""

    text: str
    shape: tuple[int, int, int]
    channels: int
    rng: np.random.Generator
    back: list = field(default_factory=list)  # what takes d output / d signal one layer back, and the layer's own NTK

    def kernels(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(NNGP, NTK) of these weights; of the readout's weights the NNGP takes the mean."""
        self.height, self.width = self.shape[1:]
        signal = images.reshape(len(images), self.shape[0], -1)
        layers = parse(self.text)
        for layer in layers[:-1]:
            affine = isinstance(layer, Affine)
            signal = self.affine(layer, signal, self.channels) if affine else self.plain(layer, signal)
        readout = layers[-1]
        last = signal[:, :, 0]
        nngp = readout.weight * last @ last.T / last.shape[1] + readout.bias
        self.affine(readout, signal, 1)
        ntk = np.zeros_like(nngp)
        gradient = np.ones((len(images), 1, 1))
        for step in reversed(self.back):
            gradient, own = step(gradient)
            ntk += own
        return nngp, ntk

    def affine(self, layer: Affine, signal: np.ndarray, outputs: int) -> np.ndarray:
        samples, inputs, pixels = signal.shape
        fan_in = inputs * layer.size**2
        places = neighbours(self.height, self.width, layer.size, layer.circular)
        padded = np.concatenate([signal, np.zeros((samples, inputs, 1))], axis=2)
        patches = padded[:, :, places].reshape(samples, fan_in, pixels)
        weights = self.rng.standard_normal((outputs, fan_in))
        scale = np.sqrt(layer.weight / fan_in)
        out = scale * (weights @ patches) + np.sqrt(layer.bias) * self.rng.standard_normal((outputs, 1))

        def step(gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            by_weights = (scale * gradient @ patches.transpose(0, 2, 1)).reshape(samples, -1)
            by_biases = np.sqrt(layer.bias) * gradient.sum(axis=2)
            own = 0 if layer.frozen else by_weights @ by_weights.T + by_biases @ by_biases.T
            by_patches = (scale * weights.T @ gradient).reshape(samples, inputs, layer.size**2, pixels)
            by_padded = np.zeros_like(padded)
            for k, place in enumerate(places):  # no pixel occurs twice in a row of places, except the zero
                by_padded[:, :, place] += by_patches[:, :, k]
            return by_padded[:, :, :-1], own

        self.back.append(step)
        return out

    def plain(self, layer: list[str], signal: np.ndarray) -> np.ndarray:
        """What has no parameters."""
        shape = signal.shape
        name = layer[0]
        if name in ("relu", "erf"):
            slope = (signal > 0).astype(float) if name == "relu" else 2 / np.sqrt(np.pi) * np.exp(-signal**2)
            self.back.append(lambda gradient: (gradient * slope, 0))
            return signal * slope if name == "relu" else ERF(signal)
        if name == "flatten":
            self.height = self.width = 1
            self.back.append(lambda gradient: (gradient.reshape(shape), 0))
            return signal.reshape(shape[0], -1, 1)
        rows, cols = (self.height, self.width) if name == "gap" else (int(layer[1]),) * 2
        y, x = np.divmod(np.arange(shape[2]), self.width)
        block = y // rows * (self.width // cols) + x // cols
        mean = (block[:, None] == np.arange(block[-1] + 1)) / (rows * cols)
        self.height, self.width = self.height // rows, self.width // cols
        self.back.append(lambda gradient: (gradient @ mean.T, 0))
        return signal @ mean
