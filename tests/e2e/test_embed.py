"""`stepwise embed`: embeddings of new samples with the modes of a result file."""
from __future__ import annotations

import re
import unittest
from pathlib import Path
from typing import Mapping, Sequence

import h5py
import numpy as np

from refusal import RefusalTest
from support import DONE, ProgramTest, launch, make_pairs, options_of, read_result
from test_images import write_cifar

MODES = 3


class Embed(ProgramTest):
    def embed_file(self, model: Path, options: Mapping[str, object], ranks: int = 1) -> Path:
        self.runs += 1
        output = self.folder / f"embeddings{self.runs}.h5"
        run = launch(["embed", "--model", model, *options_of(options), "--output", output], ranks)
        self.assertEqual(run.code, DONE, str(run))
        return output

    def embed(self, model: Path, options: Mapping[str, object], ranks: int = 1, name: str = "new") -> np.ndarray:
        with h5py.File(self.embed_file(model, options, ranks)) as file:
            return file[f"embeddings/{name}"][()]

    def check_own_samples(self, model: Path, tolerance: float = 1e-10, ranks: Sequence[int] = (2,)) -> None:
        """The model's own samples come out as the model has them."""
        expected = read_result(model)
        for count in ranks:
            self.assert_close(self.embed(model, {"data.source": "training"}, count), expected.train, tolerance, "training")
        self.assert_close(self.embed(model, {"data.source": "test"}, 2), expected.test, tolerance, "test")

    def pairs(self, **more: np.ndarray) -> Path:
        return self.write_pairs(*make_pairs(13, 6, tests=5), **more)

    def solve_pairs_file(self, options: Mapping[str, object] = {}, ranks: int = 1) -> Path:
        return self.solve_file({"data.source": "hdf5", "data.path": self.pairs(), "modes": MODES, **options}, ranks)

    def test_own_samples(self) -> None:
        self.check_own_samples(self.solve_pairs_file(), ranks=(1, 4))
        for options in ({"kernel.type": "rbf", "kernel.centre": True}, {"kernel.normalise": True},
                        {"data.standardize": True}, {"kernel.type": "linear", "solver.method": "primal"},
                        {"kernel.type": "rbf", "kernel.random-features": 60},
                        {"kernel.type": "empirical-ntk", "kernel.width": 8}):
            with self.subTest(**options):
                self.check_own_samples(self.solve_pairs_file(options, ranks=2))

    def test_krylov(self) -> None:
        self.check_own_samples(self.solve_pairs_file({"solver.method": "krylov"}), 1e-8)

    def test_more_views(self) -> None:
        third = make_pairs(13, 6, seed=0)[0] + 0.1
        path = self.write_pairs(*make_pairs(13, 6, tests=5), view_c=third)
        self.check_own_samples(self.solve_file({"data.source": "hdf5", "data.path": path, "modes": MODES}))

    def test_images(self) -> None:
        rng = np.random.default_rng(5)
        images, labels = rng.integers(0, 256, (12, 3, 32, 32), dtype=np.uint8), np.arange(12, dtype=np.uint8) % 10
        write_cifar(self.folder / "data_batch_1.bin", images[:8], labels[:8])
        write_cifar(self.folder / "test_batch.bin", images[8:], labels[8:])
        cifar = {"data.source": "cifar10", "data.path": self.folder}
        model = self.solve_file({**cifar, "data.pairs": 8, "data.test": 4, "modes": MODES, "views.crop": 9,
                                 "views.flip": True, "views.noise": 0.1, "kernel.type": "rbf"})
        self.check_own_samples(model)
        expected = read_result(model).test
        self.assert_close(self.embed(model, cifar, 2), expected, 1e-10, "all test images")
        self.assert_close(self.embed(model, {**cifar, "data.first": 1, "data.count": 2}), expected[1:3], 1e-10, "some")
        self.assertEqual(self.embed(model, {**cifar, "data.part": "train"}).shape, (8, MODES))
        # Numbers from elsewhere: as the kernel sees an image, in its units.
        own = self.folder / "own.h5"
        with h5py.File(own, "w") as file:
            file["samples"] = images[8:, :, 11:20, 11:20]
        self.assert_close(self.embed(model, {"data.path": own}), expected, 1e-10, "cropped by hand")

    def test_synthetic_images(self) -> None:
        model = self.solve_file({"data.pairs": 20, "data.test": 9, "modes": MODES})
        self.check_own_samples(model)
        new = self.embed(model, {"data.source": "synthetic", "data.first": 4, "data.count": 5}, 2)
        self.assert_close(new, read_result(model).test[4:], 1e-10, "test images by number")

    def test_two_modalities(self) -> None:
        first, second, test = make_pairs(11, 5, tests=4)
        path = self.folder / "modalities.h5"
        with h5py.File(path, "w") as file:
            file["view_a"], file["view_b"], file["test_a"], file["test_b"] = first, second[:, :3], test, test[:2, :3]
        for centre in ("false", "true"):
            model = self.solve_file({"data.source": "hdf5", "data.path": path, "data.multimodal": True, "modes": MODES,
                                     "kernel.type": "linear", "kernel-b.type": "rbf", "kernel.centre": centre})
            expected = read_result(model).train
            self.assert_close(self.embed(model, {"data.source": "training"}, 2), expected, 1e-10, "training")
            with h5py.File(self.embed_file(model, {"data.source": "test"}, 2)) as file, h5py.File(model) as solved:
                for name in "ab":
                    self.assert_close(file[f"embeddings/new_{name}"][()], solved[f"embeddings/test_{name}"][()], 1e-10, name)

    def test_stored_kernel(self) -> None:
        rng = np.random.default_rng(2)
        x, test = rng.standard_normal((24, 40)), rng.standard_normal((3, 40))
        np.save(self.folder / "k.npy", x @ x.T)
        np.save(self.folder / "t.npy", test @ x.T)
        self.check_own_samples(self.solve_file({"kernel.type": "precomputed", "kernel.path": self.folder / "k.npy",
                                                "kernel.test-path": self.folder / "t.npy", "modes": MODES}))

    def test_during_training(self) -> None:
        model = self.solve_pairs_file({"kernel.type": "linear", "kernel.centre": True, "dynamics.alpha": 1e-3})
        result = read_result(model)
        gamma, s0 = result.gamma[:MODES], result.s0
        for time in (0.0, float(result.tau[0]), float(result.tau[1]), 1e6 * float(result.tau[-1])):
            decay = np.exp(-8 * gamma * time)
            s = 1 / np.sqrt(-gamma * np.expm1(-8 * gamma * time) + decay / s0 ** 2)
            for source, final in (("training", result.train), ("test", result.test)):
                actual = self.embed(model, {"data.source": source, "time": repr(time)}, 2)
                self.assert_close(actual, final * s * np.sqrt(gamma), 1e-10, f"{source} at {time}")
        self.assert_close(self.embed(model, {"data.source": "test", "time": 1e300}), result.test, 1e-10, "the end")

    def test_training_data_that_moved(self) -> None:
        model = self.solve_pairs_file()
        moved = (self.folder / "pairs.h5").rename(self.folder / "elsewhere.h5")
        actual = self.embed(model, {"data.source": "training", "training-path": moved})
        self.assert_close(actual, read_result(model).train, 1e-10, "moved")

    def test_file(self) -> None:
        model = self.solve_pairs_file()
        options = {"data.path": self.folder / "pairs.h5", "time": 0.25, "data.first": 2}
        output = self.embed_file(model, options, 2)
        with h5py.File(output) as file:
            self.assertEqual(file.attrs["schema_name"], "stepwise-embeddings")
            self.assertEqual((file.attrs["model"], file.attrs["time"]), (str(model), 0.25))
            with h5py.File(model) as solved:
                for name in ("kernel_convention", "sign_convention", "seed"):
                    self.assertEqual(file.attrs[name], solved.attrs[name])
            new = file["embeddings/new"]
            self.assertEqual(new.shape, (3, MODES))
            self.assertEqual([new.dims[i][0].name for i in range(2)], ["/sample", "/mode"])
            self.assertIn("0.25", new.attrs["description"])
            ini = self.folder / "again.ini"
            ini.write_text(file.attrs["configuration"])
            expected = new[()]
        again = self.folder / "again.h5"
        self.assertEqual(launch(["embed", "--config", ini, "--output", again]).code, DONE)
        with h5py.File(again) as file:
            self.assert_close(file["embeddings/new"][()], expected, 1e-12, "again")

    def test_memory_does_not_grow(self) -> None:
        model = self.solve_pairs_file({"kernel.type": "rbf"})
        peaks = []
        for count in (10_000, 600_000):
            path = self.folder / f"{count}.h5"
            with h5py.File(path, "w") as file:
                file.create_dataset("samples", (count, 6), "u1", fillvalue=1)
            # Not on one rank: a process begins with the peak of the one that started it, here Python with NumPy.
            run = launch(["embed", "--model", model, "--data.path", path, "--output", f"{path}.out"], ranks=2)
            self.assertEqual(run.code, DONE, str(run))
            peaks.append(float(re.search(r"peak memory per rank (?:[\d.]+ MiB to )?([\d.]+) MiB", run.stdout)[1]))
        numbers = 8 * 600_000 / 2**20  # of the samples, the scale of a dimension
        self.assertLess(peaks[1] - peaks[0], numbers + 6, "embeddings and inputs are 41 MiB")


class Refusals(RefusalTest):
    def setUp(self) -> None:
        super().setUp()
        self.data = self.write_pairs(*make_pairs(9, 5, tests=4))
        self.model = self.solve_file({"data.source": "hdf5", "data.path": self.data, "modes": 2})
        self.words = ["embed", "--model", self.model]

    def write(self, name: str, **datasets: np.ndarray) -> Path:
        path = self.folder / name
        with h5py.File(path, "w") as file:
            for key, value in datasets.items():
                file[key] = value
        return path

    def test_bad_models(self) -> None:
        new = ["--data.path", self.data]
        self.refuse(["embed", *new], "--model is missing")
        self.refuse(["embed", "--model", self.folder / "absent.h5", *new], "absent.h5")
        self.refuse(["embed", "--model", self.data, *new], r"pairs.h5: is no result of stepwise solve")
        text = self.folder / "text.h5"
        text.write_text("not a file of that kind")
        self.refuse(["embed", "--model", text, *new], "text.h5")
        all_gammas = self.solve_file({"data.source": "hdf5", "data.path": self.data, "modes": "all"})
        self.refuse(["embed", "--model", all_gammas, *new], "has no modes")
        for change, pattern in (("version", "schema_version 2.0"), ("settings", "configuration:1: unknown option"),
                                ("gamma", "gamma"), ("kernel", "its settings now mean")):
            changed = self.folder / f"{change}.h5"
            changed.write_bytes(self.model.read_bytes())
            with h5py.File(changed, "r+") as file:
                if change == "version":
                    file.attrs["schema_version"] = "2.0"
                elif change == "settings":
                    file.attrs["configuration"] = "moods = 3\n" + file.attrs["configuration"]
                elif change == "gamma":
                    del file["spectrum/gamma"]
                else:
                    file.attrs["configuration"] = file.attrs["configuration"].replace("type = ntk", "type = nngp", 1)
            self.refuse(["embed", "--model", changed, *new], pattern)

    def test_other_training_data(self) -> None:
        first, second, _ = make_pairs(9, 5)
        first[4, 2] = np.nextafter(first[4, 2], 1e9)
        new = [*self.words, "--data.path", self.data]
        other = self.write("other.h5", view_a=first, view_b=second)
        self.refuse([*new, "--training-path", other], "other.h5 holds other samples")
        fewer = self.write("fewer.h5", view_a=first[:5], view_b=second[:5])
        self.refuse([*new, "--training-path", fewer], "fewer.h5 has 5", "--training-path")
        self.data.rename(self.folder / "new.h5")
        self.refuse([*self.words, "--data.path", self.folder / "new.h5"], "training data of", "pairs.h5", "--training-path")

    def test_bad_samples(self) -> None:
        self.refuse(self.words, "--data.source hdf5 needs --data.path")
        nothing = self.write("nothing.h5", view_a=np.ones((3, 5)))
        self.refuse([*self.words, "--data.path", nothing], "neither a dataset samples nor test")
        wide = self.write("wide.h5", samples=np.ones((3, 6)))
        self.refuse([*self.words, "--data.path", wide], "1 x 1 x 6 numbers", "trained on 1 x 1 x 5")
        broken = self.write("broken.h5", samples=np.vstack([np.ones((600, 5)), np.full((1, 5), np.nan)]))
        self.refuse([*self.words, "--data.path", broken], "broken.h5", "samples", "600")
        few = self.write("few.h5", samples=np.ones((3, 5)))
        self.refuse([*self.words, "--data.path", few, "--data.first", 2, "--data.count", 2], "few.h5 has 3 samples")
        self.refuse([*self.words, "--data.path", few, "--data.first", 3], "few.h5 has 3 samples")
        self.refuse([*self.words, "--data.source", "test", "--data.count", 2], "--data.count")
        self.refuse([*self.words, "--data.source", "training", "--data.path", few], "--training-path")
        self.refuse([*self.words, "--data.path", few, "--data.part", "train"], "--data.part")
        self.refuse([*self.words, "--data.path", few, "--checkpoint", self.folder / "kept"], "no checkpoints")
        self.refuse([*self.words, "--data.path", few, "--time", "-1"], "--time is '-1'", "final")
        self.refuse([*self.words, "--data.path", few], "is also an input|names an input|input", output=few)
        no_tests = self.solve_file({"data.source": "hdf5", "data.path": self.data, "modes": 2, "data.test": 0})
        self.refuse(["embed", "--model", no_tests, "--data.source", "test"], "without test samples")


if __name__ == "__main__":
    unittest.main()
