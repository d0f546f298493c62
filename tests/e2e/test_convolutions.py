"""Networks on images: wide networks drawn at random, the numbers of the CNTK code, ranks, what is refused."""
from __future__ import annotations

import unittest
from pathlib import Path
from typing import Mapping, Sequence

import h5py
import numpy as np

import codes
from finite import FiniteNetwork
from refusal import RefusalTest
from support import DONE, ProgramTest, launch, options_of

SHAPE = (2, 6, 6)
CHANNELS, SEEDS = 160, 64
MODES = 3


def make_images(pairs: int, shape: Sequence[int] = SHAPE, seed: int = 0) -> np.ndarray:
    """2 x pairs x channels x height x width; neighbouring pixels and the two views are alike."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((pairs, *shape)) + rng.standard_normal((pairs, shape[0], 1, 1))
    common[:, :, 1:] += common[:, :, :-1]
    common[:, :, :, 1:] += common[:, :, :, :-1]
    return common + 0.4 * rng.standard_normal((2, *common.shape))


class ImageTest(ProgramTest):
    def kernel(self, path: Path, options: Mapping[str, object], ranks: int = 1) -> np.ndarray:
        """/kernel/train."""
        self.runs += 1
        output = self.folder / f"kernel{self.runs}.h5"
        run = launch(["kernel", "--data.source", "hdf5", "--data.path", path, *options_of(options), "--output", output],
                     ranks)
        self.assertEqual(run.code, DONE, str(run))
        with h5py.File(output) as file:
            return file["kernel/train"][()]


class WideNetworks(ImageTest):
    """Means over random networks of CHANNELS channels agree with the infinitely wide one: to five standard errors, and
    a few parts in CHANNELS for the finite width; in units of the images' own lengths in feature space."""

    def check(self, network: str) -> None:
        views = make_images(2)
        path = self.write_pairs(*views)
        samples = views.reshape(-1, *SHAPE)
        rng = np.random.default_rng(7)
        drawn = np.array([FiniteNetwork(network, SHAPE, CHANNELS, rng).kernels(samples) for _ in range(SEEDS)])
        for kind, values in zip(("nngp", "ntk"), drawn.transpose(1, 0, 2, 3)):
            with self.subTest(network=network, kernel=kind):
                expected = self.kernel(path, {"kernel.type": kind, "kernel.network": network})
                lengths = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
                error = np.std(values, axis=0, ddof=1) / np.sqrt(SEEDS) / lengths
                self.assertLess(np.mean(error), 0.025, "too noisy to say anything")
                # The deviation of a single entry is not well known, so it is not taken for less than the mean one.
                allowed = 5 * np.maximum(error, np.mean(error)) + 4 / CHANNELS
                difference = np.abs(np.mean(values, axis=0) - expected) / lengths
                self.assertLessEqual(np.max(difference / allowed), 1, f"{difference}\n{allowed}")

    def test_zero_padding(self) -> None:
        self.check("conv 3, relu, conv 3, relu, flatten, dense")
        self.check("conv 3 b=0.3, erf, conv 5 w=3, relu, gap, dense w=1.5 b=0.2")

    def test_circular_padding(self) -> None:
        self.check("conv 3 circular w=1.5 b=0.1, erf, conv 3 circular, erf, flatten, dense")
        self.check("conv 3 circular, relu, conv 3 circular, relu, gap, dense")

    def test_pooling(self) -> None:
        self.check("conv 3, relu, avgpool 2, conv 3 b=0.2, relu, gap, dense")
        self.check("conv 3 circular, erf, avgpool 3, conv 1, relu, flatten, dense")

    def test_dense_layers_behind(self) -> None:
        self.check("conv 3 frozen, relu, flatten, dense b=0.1, erf, dense w=1.3")


class CntkCode(ImageTest):
    def check(self, text: str, shape: tuple[int, int, int] = SHAPE,
              conventions: Mapping[str, bool] = {"cntk": True, "cntk-fixed": False}, **settings: object) -> None:
        """With one convolution nothing is trained if first and last layer are not."""
        views = make_images(3, shape)
        path = self.write_pairs(*views)
        samples = views.reshape(6, -1)
        for convention, trained in conventions.items():
            with self.subTest(network=text, convention=convention):
                actual = self.kernel(path, {"kernel.type": "ntk", "kernel.network": text, "convention": convention})
                expected = codes.cntk_images(shape, first_and_last=trained, **settings)(samples, samples)
                self.assert_relative(actual, expected, 1e-12, "kernel")

    def test_flatten(self) -> None:
        self.check("conv 3, relu, flatten, dense", conventions={"cntk": True}, convolutions=1)
        self.check("conv 3, relu, conv 3, relu, conv 3, relu, flatten, dense", convolutions=3)

    def test_gap(self) -> None:
        self.check("conv 3, relu, gap, dense", conventions={"cntk": True}, convolutions=1, gap=True)
        self.check("conv 3, relu, conv 3, relu, gap, dense", convolutions=2, gap=True)

    def test_other_shapes(self) -> None:
        self.check("conv 5, relu, conv 5, relu, flatten, dense", (3, 5, 7), convolutions=2, size=5)
        self.check("cnn-gap-2", (1, 4, 6), convolutions=2, gap=True)

    def test_factors_to_this_code(self) -> None:
        """The table in docs/kernels.md."""
        path = self.write_pairs(*make_images(3))
        channels, pixels = SHAPE[0], SHAPE[1] * SHAPE[2]
        for network, factor in (("cnn-2", channels / 2 * pixels), ("cnn-gap-2", channels / 2)):
            options = {"kernel.type": "ntk", "kernel.network": network}
            here = self.kernel(path, options)
            self.assert_close(self.kernel(path, {**options, "convention": "cntk"}), factor * here, 1e-13, network)


class Ranks(ImageTest):
    def test_kernel_and_modes(self) -> None:
        path = self.write_pairs(*make_images(11))
        for network in ("conv 3, relu, conv 3, erf, flatten, dense",
                        "conv 3 circular, relu, avgpool 2, conv 3 circular, relu, gap, dense"):
            options = {"kernel.type": "ntk", "kernel.network": network}
            kernel = self.kernel(path, options)
            modes = self.solve_pairs(path, {**options, "modes": MODES})
            for ranks in (2, 3):
                with self.subTest(network=network, ranks=ranks):
                    np.testing.assert_array_equal(self.kernel(path, {**options, "kernel.tile": 4}, ranks), kernel)
                    result = self.solve_pairs(path, {**options, "modes": MODES}, ranks)
                    self.assert_relative(result.gamma[:MODES], modes.gamma[:MODES], 1e-10, "gamma")
                    self.assert_close(result.kernel_train, modes.kernel_train, 1e-8, "K_emb")


class Refusals(RefusalTest):
    def test_networks_that_do_not_fit(self) -> None:
        images = self.write_pairs(*make_images(4))
        vectors = self.write_pairs(*make_images(4).reshape(2, 4, -1), name="vectors.h5")
        for path, network, *patterns in (
            (images, "conv 3, relu, avgpool 4, gap, dense", "layer 3", "4 does not divide images of 6 x 6"),
            (images, "conv 3, avgpool 2, avgpool 2, gap, dense", "layer 3", "2 does not divide images of 3 x 3"),
            (images, "conv 3, relu, dense, relu, gap, dense", "layer 3", "dense", "flatten or gap before"),
            (images, "conv 13, relu, gap, dense", "layer 1", "conv 13", "too large for images of 6 x 6"),
            (images, "conv 3, tanh, gap, dense", "layer 2", "tanh"),
            (vectors, "conv 3, relu, gap, dense", "conv 3"),
        ):
            for command in ("kernel", "solve"):
                more = ["--modes", MODES] if command == "solve" else []
                self.refuse([command, "--data.source", "hdf5", "--data.path", path, "--kernel.network", network, *more],
                            "--kernel.network", *patterns, ranks=(1,) if more else (2,))
        self.refuse(["kernel", "--views.crop", 20, "--data.pairs", 4, "--kernel.network",
                     "conv 3, relu, avgpool 8, gap, dense"], "8 does not divide images of 20 x 20", ranks=(1, 2))

    def test_networks_that_the_cntk_code_does_not_have(self) -> None:
        path = self.write_pairs(*make_images(4))
        for network, pattern in (("conv 3 circular, relu, gap, dense", "conv R"),
                                 ("conv 3, relu, conv 5, relu, gap, dense", "one R"),
                                 ("conv 3, relu, avgpool 2, conv 3, relu, gap, dense", "conv R"),
                                 ("conv 3 b=0.1, relu, gap, dense", "no biases"),
                                 ("conv 3, erf, gap, dense", "ReLU networks only")):
            self.refuse(["kernel", "--data.source", "hdf5", "--data.path", path, "--convention", "cntk",
                         "--kernel.network", network], "--convention cntk", pattern, ranks=(1,))


if __name__ == "__main__":
    unittest.main()
