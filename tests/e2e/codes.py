"""Neural tangent kernels of fully connected ReLU networks as other codes compute them, and in the standard
parameterisation: the published formulas, in NumPy, one line after the other."""
from __future__ import annotations

from typing import Callable

import numpy as np

from reference import Kernel, squared_distances

Gram = Callable[[np.ndarray], np.ndarray]


def of_two(gram: Gram) -> Kernel:
    """These codes know the matrix over one set of samples; this is the block of x and y in the matrix over both."""
    return lambda x, y: gram(np.concatenate([x, y]))[: len(x), len(x):]


def cosines(s: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S_n, P) with P_ij = sqrt(S_ii S_jj), S_n = S / P. A sample and itself, or its equal, have the cosine 1: rounding
    would make it 1 - 1e-16, and the angle 1e-8."""
    p = np.sqrt(np.outer(np.diag(s), np.diag(s)))
    return np.where(squared_distances(x, x) == 0, 1, np.clip(s / p, -1, 1)), p


def cntk(depth: int, first_and_last: bool = True) -> Kernel:
    """Arora et al. 2019, section 3: Sigma^(h) = c E[phi phi], dSigma^(h) = c E[phi' phi'], c = 2, from Sigma^(0) = x.y;
    Theta = sum over h = 1 .. L + 1 of Sigma^(h-1) times the dSigma^(h'), h' = h .. L."""

    def gram(x: np.ndarray) -> np.ndarray:
        sigma, slopes = [x @ x.T], []
        for _ in range(depth):
            cosine, lengths = cosines(sigma[-1], x)
            angle = np.arccos(cosine)
            sigma.append(lengths * (cosine * (np.pi - angle) + np.sqrt(1 - cosine**2)) / np.pi)
            slopes.append((np.pi - angle) / np.pi)
        theta = np.zeros_like(sigma[0])
        for h in range(1, depth + 2):
            if first_and_last or 1 < h < depth + 1:
                theta += sigma[h - 1] * np.prod(slopes[h - 1:], axis=0)
        return theta

    return of_two(gram)


def uci(depth: int) -> Kernel:
    """Arora et al. 2020, on the UCI data sets."""

    def gram(x: np.ndarray) -> np.ndarray:
        s = x @ x.T
        h = s.copy()
        for _ in range(depth):
            cosine, p = cosines(s, x)
            angle = np.arccos(cosine)
            s = (cosine * (np.pi - angle) + np.sqrt(1 - cosine**2)) * p / (2 * np.pi)
            h = h * (np.pi - angle) / (2 * np.pi) + s
        return h

    return of_two(gram)


def scikit_ntk(depth: int, beta: float) -> Kernel:
    """scikit-ntk: NeuralTangentKernel(D=depth, bias=beta)."""

    def gram(x: np.ndarray) -> np.ndarray:
        s = x @ x.T
        k = s + beta**2
        for _ in range(depth):
            cosine, p = cosines(s, x)
            angle = np.arccos(cosine)
            s = 2 / (2 * np.pi) * (cosine * (np.pi - angle) + np.sqrt(1 - cosine**2)) * p
            k = k * (np.pi - angle) / np.pi + s + beta**2
        return k / ((depth + 1) * (beta**2 + 1))

    return of_two(gram)


def standard(depth: int, width: int, weight: float, bias: float) -> Kernel:
    """Weights W from N(0, weight / fan_in) and biases from N(0, bias) are what is differentiated by: a layer adds
    h.h' + 1 = fan_in c + 1 (without the 1 if it has no bias)."""

    def gram(x: np.ndarray) -> np.ndarray:
        fan_in = x.shape[1]
        c = x @ x.T / fan_in
        theta = np.zeros_like(c)
        for layer in range(depth + 1):
            theta = fan_in * c + (bias > 0) + weight * theta
            c = weight * c + bias
            if layer < depth:
                cosine, lengths = cosines(c, x)
                angle = np.arccos(cosine)
                c = lengths * (np.sqrt(1 - cosine**2) + (np.pi - angle) * cosine) / (2 * np.pi)
                theta = theta * (np.pi - angle) / (2 * np.pi)
                fan_in = width
        return theta

    return of_two(gram)


def cntk_images(shape: tuple[int, int, int], convolutions: int, size: int = 3, gap: bool = False,
                first_and_last: bool = True) -> Kernel:
    """Arora et al. 2019, section 4, convolutions x (convolution, ReLU), then flatten or gap and a dense layer. Images
    are rows of channels x height x width numbers; covariances s, t are indexed by a pixel of one and of the other."""
    channels, height, width = shape
    reach = size // 2

    def patches(s: np.ndarray) -> np.ndarray:
        """Sums over the patches around both pixels, without a divisor; what lies beyond an edge is 0."""
        padded = np.pad(s, reach)
        return sum(padded[dy:dy + height, dx:dx + width, dy:dy + height, dx:dx + width]
                   for dy in range(size) for dx in range(size))

    def lengths(x: np.ndarray) -> list[np.ndarray]:
        """sqrt(s(p, p)) of an image with itself behind each convolution: there a ReLU's s is c/2 times what enters."""
        result = []
        s = np.einsum("cij,ckl->ijkl", x, x)
        for _ in range(convolutions):
            s = patches(s)
            result.append(np.sqrt(np.einsum("ijij->ij", s)))
            s = relu(s, result[-1], result[-1])[0]
        return result

    def relu(s: np.ndarray, of_x: np.ndarray, of_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """c E[phi phi] and c E[phi' phi'], c = 2 / size^2."""
        product = of_x[:, :, None, None] * of_y[None, None, :, :]
        cosine = s / product
        cosine = np.where(cosine > 1 - 1e-13, 1, np.maximum(cosine, -1))  # an image and itself
        angle = np.arccos(cosine)
        c = 2 / size**2
        return (c / (2 * np.pi) * (cosine * (np.pi - angle) + np.sqrt(1 - cosine**2)) * product,
                c / (2 * np.pi) * (np.pi - angle))

    def entry(x: np.ndarray, y: np.ndarray, of_x: list[np.ndarray], of_y: list[np.ndarray]) -> float:
        s = patches(np.einsum("cij,ckl->ijkl", x, y))
        t = s if first_and_last else np.zeros_like(s)
        for layer in range(convolutions):
            s, slope = relu(s, of_x[layer], of_y[layer])
            t = t * slope + s
            if layer < convolutions - 1:
                s, t = patches(s), patches(t)
        if not first_and_last:
            t = t - s
        return float(np.mean(t) if gap else np.einsum("ijij->", t))

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = (z.reshape(-1, channels, height, width) for z in (x, y))
        of_x, of_y = ([lengths(image) for image in z] for z in (x, y))
        return np.array([[entry(a, b, p, q) for b, q in zip(y, of_y)] for a, p in zip(x, of_x)])

    return kernel
