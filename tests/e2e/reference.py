"""The paper's formulas, read literally, in NumPy: what the program's result is compared with.

Simon et al., ICML 2023 (arXiv 2303.15438); equation numbers are the paper's. Samples are stacked as the paper stacks
them, all first views, then all second views. Nothing here is clever: K^(1/2) and its pseudo-inverse come from a full
eigendecomposition.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]


def squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.array([np.sum((a - b) ** 2) for a in x for b in y]).reshape(len(x), len(y))


def linear(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x @ y.T


def polynomial(degree: int, offset: float) -> Kernel:
    return lambda x, y: (x @ y.T / x.shape[1] + offset) ** degree


def rbf(length: float = 0.0) -> Kernel:
    """exp(-|x-y|^2 / (2 l^2)); length 0 means sqrt(features)."""
    return lambda x, y: np.exp(-squared_distances(x, y) / (2 * (length or np.sqrt(x.shape[1])) ** 2))


def laplace(length: float = 0.0) -> Kernel:
    return lambda x, y: np.exp(-np.sqrt(squared_distances(x, y)) / (length or np.sqrt(x.shape[1])))


@dataclass
class Network:
    """A fully connected network in NTK parameterisation; variances of weights and biases, readout apart. The activation
    is x above zero and slope x below: ReLU, leaky ReLU, or with slope -1 the absolute value."""

    depth: int = 3
    weight: float = 2.0
    bias: float = 0.0
    readout_weight: float | None = None
    readout_bias: float | None = None
    slope: float = 0.0
    # The angle between a sample and itself is 0. Left to the formula, rounding makes it about 5e-8 instead, and
    # the diagonal of the NTK 3e-8 too small.
    exact_zero_angle: bool = True

    def both(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(NNGP, NTK) by the textbook recursion."""
        features = x.shape[1]
        a = np.sum(x * x, axis=1)[:, None] / features
        b = np.sum(y * y, axis=1)[None, :] / features
        c = x @ y.T / features
        same = squared_distances(x, y) == 0
        theta = np.zeros_like(c)
        for layer in range(self.depth + 1):
            readout = layer == self.depth
            weight = self.readout_weight if readout and self.readout_weight is not None else self.weight
            bias = self.readout_bias if readout and self.readout_bias is not None else self.bias
            a, b, c = weight * a + bias, weight * b + bias, weight * c + bias
            theta = c + weight * theta
            if readout:
                break
            sine = np.sqrt(np.maximum(a * b - c * c, 0))
            if self.exact_zero_angle:
                sine[same] = 0
            angle = np.arctan2(sine, c)
            gain, bend = (1 + self.slope**2) / 2, (1 - self.slope) ** 2 / (2 * np.pi)
            theta = theta * (gain - bend * angle)
            c = bend * sine + (gain - bend * angle) * c
            a, b = gain * a, gain * b
        return c, theta

    def nngp(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self.both(x, y)[0]

    def ntk(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self.both(x, y)[1]


@dataclass
class Solution:
    gamma: np.ndarray  # 2n, descending
    dual: np.ndarray  # 2n x d: a_j = K^(+1/2) b_j, columns up to sign
    train: np.ndarray  # 2n x d: f_j on the training samples
    test: np.ndarray  # tests x d
    kernel: np.ndarray  # 2n x 2n

    @property
    def modes(self) -> int:
        return self.dual.shape[1]

    def pair_blocks(self) -> tuple[np.ndarray, np.ndarray]:
        return self.train @ self.train.T, self.test @ self.test.T


def solve(kernel: Kernel, first: np.ndarray, second: np.ndarray, test: np.ndarray, modes: int) -> Solution:
    """Prop. 5.1 in kernelised form: K_Gamma = K^(+1/2) Z K^(+1/2) and the top spectral solution with U = I."""
    n = len(first)
    samples = np.concatenate([first, second])
    k = kernel(samples, samples)
    k = (k + k.T) / 2
    values, vectors = np.linalg.eigh(k)
    kept = values > 2 * n * np.finfo(float).eps * values[-1]
    roots = np.sqrt(values[kept])
    inverse_root = (vectors[:, kept] / roots) @ vectors[:, kept].T
    # Z, written with the paper's blocks: X with X' and X' with X.
    z = (k[:, :n] @ k[n:, :] + k[:, n:] @ k[:n, :]) / (2 * n)
    k_gamma = inverse_root @ z @ inverse_root
    gamma, b = np.linalg.eigh((k_gamma + k_gamma.T) / 2)
    gamma, b = gamma[::-1], b[:, ::-1][:, :modes]
    dual = inverse_root @ b
    scale = 1 / np.sqrt(gamma[:modes])
    return Solution(gamma, dual, k @ dual * scale, kernel(test, samples) @ dual * scale, k)


def initial_scales(alpha: float, modes: int) -> np.ndarray:
    """Eq. 21: s_j(0) = alpha sqrt(d - j + 1), j from 1."""
    return alpha * np.sqrt(modes - np.arange(1, modes + 1) + 1)


def timescales(gamma: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Eq. 16."""
    return -np.log(scales**2 * gamma) / (8 * gamma)


def eigenvalue_curves(gamma: np.ndarray, scales: np.ndarray, time: np.ndarray) -> np.ndarray:
    """lambda_j(t) = gamma_j s_j(t)^2 from Prop. 4.1's s_j(t), in extended precision because e^(8 gamma t) is large."""
    g, s0 = gamma.astype(np.longdouble)[None, :], scales.astype(np.longdouble)[None, :]
    exponent = 8 * g * time.astype(np.longdouble)[:, None]
    grown = np.exp(np.minimum(exponent, 11000))
    return (g * grown / (s0**-2 + (grown - 1) * g)).astype(float)


def loss(curves: np.ndarray) -> np.ndarray:
    return np.sum((1 - curves) ** 2, axis=1)


def pairing_matrix(samples: int, views: int) -> np.ndarray:
    """B = ones within a sample's views - identity, samples stacked view after view."""
    which = np.arange(views * samples) % samples
    return (which[:, None] == which[None, :]) - np.eye(views * samples)


def solve_matrix(k: np.ndarray, k_test: np.ndarray, views: int, modes: int) -> Solution:
    """Prop. 5.1 for any number of views, from the kernel matrix itself and that of test and training samples: P / N
    becomes B / (n V (V - 1))."""
    k = (k + k.T) / 2
    b = pairing_matrix(len(k) // views, views) / (len(k) * (views - 1))
    values, vectors = np.linalg.eigh(k)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    gamma, w = np.linalg.eigh(root @ b @ root)
    gamma, w = gamma[::-1], w[:, ::-1][:, :modes]
    dual = b @ root @ w / gamma[:modes]  # without an inverse: T a = gamma a
    scale = 1 / np.sqrt(gamma[:modes])
    return Solution(gamma, dual, k @ dual * scale, k_test @ dual * scale, k)
