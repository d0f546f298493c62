"""Reading: CIFAR-10 records, HDF5 numbers of every type and shape, standardisation, how many samples are used."""
from __future__ import annotations

import gzip
import struct
import unittest
from pathlib import Path

import h5py
import numpy as np

import reference
from support import DONE, SHARED, ProgramTest, launch, make_pairs, options_of

MODES = 4


def write_cifar(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """The official record: one label byte, then 3 x 32 x 32 pixel bytes, channel after channel."""
    records = np.concatenate([labels[:, None].astype(np.uint8), images.reshape(len(images), -1)], axis=1)
    path.write_bytes(records.astype(np.uint8).tobytes())


def standardised(images: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Per channel (axis 1), with the mean and the standard deviation of `like`, one row per sample."""
    mean = like.mean(axis=(0, 2, 3), keepdims=True)
    deviation = like.std(axis=(0, 2, 3), keepdims=True)
    return ((images - mean) / deviation).reshape(len(images), -1)


class Cifar(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        rng = np.random.default_rng(5)
        # Channels of different brightness, so that mixing them up shows.
        self.images = np.clip(rng.normal([[[[60]], [[120]], [[200]]]], [[[[20]], [[40]], [[15]]]], (25, 3, 32, 32)),
                              0, 255).astype(np.uint8)
        self.labels = rng.integers(0, 10, 25)
        write_cifar(self.folder / "data_batch_1.bin", self.images[:12], self.labels[:12])
        write_cifar(self.folder / "data_batch_2.bin", self.images[12:20], self.labels[12:20])
        write_cifar(self.folder / "test_batch.bin", self.images[20:], self.labels[20:])
        self.options = {"data.source": "cifar10", "data.path": self.folder, "data.pairs": 20, "data.test": 5,
                        "views.crop": 0, "views.flip": "false", "kernel.type": "linear", "modes": MODES}

    def test_whole_images(self) -> None:
        """Without crop and flip both views are the image, so everything can be recomputed."""
        train = standardised(self.images[:20].astype(float), self.images[:20].astype(float))
        test = standardised(self.images[20:].astype(float), self.images[:20].astype(float))
        expected = reference.solve(reference.linear, train, train, test, MODES)
        for ranks in (1, 3):
            file = self.solve_file(self.options, ranks)
            with h5py.File(file, "r") as result:
                gamma, embeddings = result["spectrum/gamma"][()], result["embeddings/train"][()]
                tests = result["embeddings/test"][()]
                np.testing.assert_array_equal(result["data/labels"][()], self.labels[:20])
                np.testing.assert_array_equal(result["data/test_labels"][()], self.labels[20:])
            self.assert_relative(gamma[:MODES], expected.gamma[:MODES], 1e-10, "gamma")
            np.testing.assert_array_equal(embeddings[0], embeddings[1])
            self.assert_close(tests @ tests.T, expected.pair_blocks()[1], 1e-9, "K_emb, test")

    def test_first_images_only(self) -> None:
        train = standardised(self.images[:9].astype(float), self.images[:9].astype(float))
        result = self.solve({**self.options, "data.pairs": 9, "data.test": 0}, ranks=2)
        expected = np.linalg.eigvalsh(train @ train.T)[::-1][:MODES] / 9
        self.assert_relative(result.gamma[:MODES], expected, 1e-10, "gamma")
        self.assertIsNone(result.test)

    def test_without_standardisation(self) -> None:
        """The size of a pixel is the program's choice, so only ratios are compared."""
        train = self.images[:20].reshape(20, -1).astype(float)
        result = self.solve({**self.options, "data.standardize": "false"})
        expected = np.linalg.eigvalsh(train @ train.T)[::-1][:MODES]
        self.assert_relative(result.gamma[:MODES] / result.gamma[0], expected / expected[0], 1e-10, "gamma")

    def test_one_batch_file(self) -> None:
        whole = self.solve({**self.options, "data.pairs": 8, "data.test": 0})
        write_cifar(self.folder / "single.bin", self.images[:8], self.labels[:8])
        single = self.solve({**self.options, "data.path": self.folder / "single.bin", "data.pairs": 8, "data.test": 0})
        np.testing.assert_array_equal(single.gamma, whole.gamma)

    def test_random_views_differ_and_repeat(self) -> None:
        options = {**self.options, "views.crop": 20, "views.flip": True, "views.noise": 0.05, "seed": 3}
        one, two, other = self.solve(options), self.solve(options), self.solve({**options, "seed": 4})
        np.testing.assert_array_equal(one.gamma, two.gamma)
        self.assertGreater(np.max(np.abs(one.train[:20] - one.train[20:])), 1e-3, "two views of one image")
        self.assertGreater(np.max(np.abs(other.gamma[:MODES] / one.gamma[:MODES] - 1)), 1e-6, "another seed")


def idx_bytes(numbers: np.ndarray) -> bytes:
    """As MNIST stores unsigned bytes: a magic number and the dimensions, the highest byte first, then the bytes."""
    header = struct.pack(f">{1 + numbers.ndim}I", 0x800 + numbers.ndim, *numbers.shape)
    return header + numbers.astype(np.uint8).tobytes()


class Mnist(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        rng = np.random.default_rng(6)
        self.images = rng.integers(0, 256, (20, 28, 28))
        self.labels = rng.integers(0, 10, 20)
        self.options = {"data.source": "mnist", "data.path": self.folder, "data.test": 5, "views.crop": 0,
                        "kernel.type": "linear", "modes": MODES}

    def write_part(self, part: str, used: slice, compressed: bool) -> None:
        for name, numbers in (("images-idx3", self.images[used]), ("labels-idx1", self.labels[used])):
            path = self.folder / f"{part}-{name}-ubyte"
            if compressed:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(idx_bytes(numbers)))
            else:
                path.write_bytes(idx_bytes(numbers))

    def check(self, file: Path) -> None:
        """15 training and 5 test images, in their order."""
        pixels = self.images[:, None].astype(float)
        train, test = standardised(pixels[:15], pixels[:15]), standardised(pixels[15:], pixels[:15])
        expected = reference.solve(reference.linear, train, train, test, MODES)
        with h5py.File(file, "r") as result:
            np.testing.assert_array_equal(result["data/labels"][()], self.labels[:15])
            np.testing.assert_array_equal(result["data/test_labels"][()], self.labels[15:])
            np.testing.assert_array_equal(result["data/sample_shape"][()], [1, 28, 28])
            self.assert_relative(result["spectrum/gamma"][:MODES], expected.gamma[:MODES], 1e-10, "gamma")
            tests = result["embeddings/test"][()]
        self.assert_close(tests @ tests.T, expected.pair_blocks()[1], 1e-9, "K_emb, test")

    def test_both_parts(self) -> None:
        self.write_part("train", slice(15), compressed=False)
        self.write_part("t10k", slice(15, 20), compressed=True)
        for ranks in (1, 2):
            self.check(self.solve_file(self.options, ranks))

    def test_one_part(self) -> None:
        """The test images are then those after the training images, and the program says so."""
        self.write_part("t10k", slice(20), compressed=True)
        file = self.folder / "t10k-images-idx3-ubyte.gz"
        for path in (self.folder, file):
            run = launch(["solve", *options_of({**self.options, "data.path": path}), "--output", self.folder / "r.h5",
                          "--force"], ranks=2)
            self.assertEqual(run.code, DONE, str(run))
            self.assertIn("only part", run.stderr)
            self.check(self.folder / "r.h5")
        embedded = self.folder / "embedded.h5"
        run = launch(["embed", "--model", self.folder / "r.h5", "--data.source", "mnist", "--data.path", file,
                      "--data.first", 15, "--output", embedded], ranks=2)
        self.assertEqual(run.code, DONE, str(run))
        with h5py.File(embedded) as new, h5py.File(self.folder / "r.h5") as result:
            self.assert_close(new["embeddings/new"][()], result["embeddings/test"][()], 1e-10, "the same images")

    def test_the_real_ones(self) -> None:
        folder = SHARED / "data" / "mnist"
        if not (folder / "t10k-images-idx3-ubyte.gz").is_file():
            self.skipTest(f"no MNIST in {folder}")
        options = {**self.options, "data.path": folder, "data.pairs": 60, "views.crop": 20}
        one, two = self.solve(options), self.solve(options, ranks=2)
        self.assert_relative(one.gamma, two.gamma, 1e-9, "gamma")


class Arrays(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        first, second, test = make_pairs(18, 24, tests=4)
        # Small whole numbers fit every type, so every type must give the same bits.
        self.views = [np.clip(np.rint(8 * x + 40), 0, 100) for x in (first, second, test)]
        self.options = {"kernel.type": "rbf", "modes": MODES}

    def test_number_types(self) -> None:
        expected = self.solve_pairs(self.write_pairs(*self.views), self.options)
        for kind in ("<f4", ">f8", "<f2", "|i1", "|u1", ">i4", "<u2", "<i8"):
            with self.subTest(type=kind):
                path = self.write_pairs(*(view.astype(kind) for view in self.views))
                result = self.solve_pairs(path, self.options)
                np.testing.assert_array_equal(result.gamma, expected.gamma)
                np.testing.assert_array_equal(result.test, expected.test)

    def test_shapes_and_storage(self) -> None:
        expected = self.solve_pairs(self.write_pairs(*self.views), self.options)
        for shape in ((24,), (4, 6), (2, 3, 4), (2, 3, 2, 2)):
            with self.subTest(shape=shape):
                path = self.write_pairs(*(view.reshape(-1, *shape) for view in self.views))
                np.testing.assert_array_equal(self.solve_pairs(path, self.options).gamma, expected.gamma)
        path = self.folder / "compressed.h5"
        with h5py.File(path, "w") as file:
            for name, view in zip(("view_a", "view_b", "test"), self.views):
                file.create_dataset(name, data=view, chunks=(3, 5), compression="gzip", shuffle=True)
        for ranks in (1, 2):
            result = self.solve_pairs(path, self.options, ranks)
            self.assert_relative(result.gamma[:MODES], expected.gamma[:MODES], 1e-11, "gamma, compressed")

    def test_subset_and_labels(self) -> None:
        labels, test_labels = np.arange(18) % 3, np.arange(4) + 7
        path = self.write_pairs(*self.views, labels=labels.astype("<i4"), test_labels=test_labels.astype("|u1"))
        file = self.solve_file({"data.source": "hdf5", "data.path": path, "data.pairs": 7, "data.test": 2,
                                **self.options}, ranks=2)
        with h5py.File(file, "r") as result:
            self.assertEqual(result["embeddings/train"].shape, (2, 7, MODES))
            self.assertEqual(result["embeddings/test"].shape, (2, MODES))
            np.testing.assert_array_equal(result["data/labels"][()], labels[:7])
            np.testing.assert_array_equal(result["data/test_labels"][()], test_labels[:2])
            gamma = result["spectrum/gamma"][()]
        first, second = (view[:7] for view in self.views[:2])
        expected = reference.solve(reference.rbf(), first, second, np.empty((0, 24)), MODES)
        self.assert_relative(gamma[:MODES], expected.gamma[:MODES], 1e-10, "gamma of the first seven")

    def test_standardise_on_request(self) -> None:
        rng = np.random.default_rng(6)
        first = rng.normal([[[[5.0]], [[-80.0]]]], [[[[1.0]], [[30.0]]]], (15, 2, 3, 4))
        second = first + rng.normal(0, 0.3, first.shape) * [[[[1.0]], [[30.0]]]]
        both = np.concatenate([first, second])
        flat = [standardised(x, both) for x in (first, second, first[:2])]
        expected = reference.solve(reference.linear, *flat, MODES)
        path = self.write_pairs(first, second, first[:2])
        options = {"kernel.type": "linear", "modes": MODES}
        for ranks in (1, 3):
            result = self.solve_pairs(path, {**options, "data.standardize": True}, ranks)
            self.assert_relative(result.gamma[:MODES], expected.gamma[:MODES], 1e-10, "gamma, standardised")
            self.assert_close(result.kernel_test, expected.pair_blocks()[1], 1e-9, "K_emb, test")
        plain = reference.solve(reference.linear, *(x.reshape(len(x), -1) for x in (first, second, first[:2])), MODES)
        result = self.solve_pairs(path, options)
        self.assert_relative(result.gamma[:MODES], plain.gamma[:MODES], 1e-10, "gamma, as it is")


if __name__ == "__main__":
    unittest.main()
