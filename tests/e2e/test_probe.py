"""stepwise probe: accuracies beside scikit-learn's on the same embeddings, and NumPy's formulas; what it refuses."""
from __future__ import annotations

import unittest
from pathlib import Path
from typing import Mapping

import h5py
import numpy as np

from refusal import RefusalTest
from support import DONE, SHARED, ProgramTest, launch, make_pairs, options_of

try:
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import RidgeClassifier
    from sklearn.neighbors import KNeighborsClassifier
except ImportError:
    KernelRidge = None

MODES, FOLDS, NEIGHBOURS = 6, 4, 7
CIFAR = SHARED / "data" / "cifar-10-batches-bin"


def labelled_pairs(pairs: int, features: int, tests: int) -> tuple[np.ndarray, ...]:
    """Views, test samples, and labels that the leading directions of the data tell in part."""
    first, second, test = make_pairs(pairs, features, tests=tests, seed=2)
    classes = [3 * (2 * (x[:, 0] > 0) + (x[:, 1] > 0)) - 2 for x in ((first + second) / 2, test)]  # -2, 1, 4, 7
    return first, second, test, *classes


class ProbeTest(ProgramTest):
    def labelled(self, pairs: int = 60, tests: int = 80, name: str = "pairs.h5") -> Path:
        first, second, test, labels, test_labels = labelled_pairs(pairs, 12, tests)
        return self.write_pairs(first, second, test, name=name, labels=labels, test_labels=test_labels)

    def solved(self, options: Mapping[str, object] = {}, ranks: int = 1) -> Path:
        return self.solve_file({"data.source": "hdf5", "data.path": self.labelled(), "modes": MODES,
                                "kernel.type": "rbf", **options}, ranks)

    def probe(self, model: Path, options: Mapping[str, object] = {}, ranks: int = 1) -> dict[str, np.ndarray]:
        self.runs += 1
        output = self.folder / f"probe{self.runs}.h5"
        run = launch(["probe", "--model", model, "--output", output,
                      *options_of({"probe.folds": FOLDS, "probe.neighbours": NEIGHBOURS, "probe.times": 4, **options})],
                     ranks)
        self.assertEqual(run.code, DONE, str(run))
        self.assertIn("RankMe", run.stdout)
        found: dict[str, np.ndarray] = {}
        with h5py.File(output) as file:
            self.assertEqual(file.attrs["schema_name"], "stepwise-probe")
            file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
            for name, item in found.items():
                self.assertIn("units", file[name].attrs, name)
                self.assertIn("description", file[name].attrs, name)
                if name.startswith("by_") and "CLASS" not in file[name].attrs:  # not a scale
                    scale = file[name].dims[0][0].name.rpartition("/")[2]  # by whichever of its names
                    self.assertEqual(scale, "mode" if "modes" in name else "time")
        return found


def training(model: Path) -> tuple[np.ndarray, ...]:
    """All views, stacked; their labels and the numbers of their pairs; test samples and their labels."""
    with h5py.File(model) as file:
        train = file["embeddings/train"][()]
        views, pairs, width = train.shape
        return (train.reshape(-1, width), np.tile(file["data/labels"][()], views), np.tile(np.arange(pairs), views),
                file["embeddings/test"][()], file["data/test_labels"][()])


class Numbers(ProbeTest):
    def test_the_same_on_any_number_of_ranks(self) -> None:
        model = self.solved()
        one = self.probe(model)
        for ranks in (2, 3):
            other = self.probe(model, ranks=ranks)
            for name, values in one.items():
                if not name.startswith("performance"):
                    self.assert_close(other[name], values, 1e-9, name, scale=max(1.0, np.max(np.abs(values))))

    def test_formulas(self) -> None:
        model = self.solved()
        found = self.probe(model)
        train, labels, _, _, test_labels = training(model)
        counts = {label: np.mean(labels == label) for label in np.unique(labels)}
        np.testing.assert_array_equal(found["class"], sorted(counts))
        self.assertAlmostEqual(found["chance"], np.mean(test_labels == max(counts, key=counts.get)))
        with h5py.File(model) as file:
            gamma, s0 = file["spectrum/gamma"][:MODES], file["timescales/s0"][()]
        indicators = (labels[:, None] == np.unique(labels)).astype(float)
        indicators -= indicators.mean(axis=0)

        def check(group: str, i: int, features: np.ndarray) -> None:
            sigma = np.linalg.svd(features, compute_uv=False)
            part = sigma[sigma > 0] / sigma.sum()
            self.assert_relative(found[f"{group}/rankme"][i], np.exp(-np.sum(part * np.log(part))), 1e-7, "RankMe")
            values = np.linalg.eigvalsh(np.cov(features.T, bias=True).reshape(features.shape[1], -1))
            self.assert_relative(found[f"{group}/effective_dimension"][i], values.sum() ** 2 / (values**2).sum(), 1e-9,
                                 "effective dimension")

        for k in range(1, MODES + 1):
            check("by_modes", k - 1, train[:, :k])
            mode = train[:, k - 1] - train[:, k - 1].mean()
            share = np.sum((indicators.T @ mode) ** 2) / (mode @ mode * np.sum(indicators**2))
            self.assert_close(found["by_modes/label_alignment"][k - 1], share, 1e-9, "label alignment", scale=1)
        self.assertEqual(found["time"][0], 0)
        for i, time in enumerate(found["time"]):
            decay = np.exp(-8 * gamma * time)
            s = np.sqrt(1 / (gamma * (1 - decay) + decay / s0**2))
            check("by_time", i, train * s * np.sqrt(gamma))
        # At the end of training both series say the same.
        for name in ("ridge_accuracy", "euclidean_accuracy", "cosine_accuracy"):
            self.assertEqual(found[f"by_time/{name}"][-1], found[f"by_modes/{name}"][-1], name)

    def test_labels_are_learned(self) -> None:
        found = self.probe(self.solved({"kernel.centre": True}), ranks=2)
        for name in ("by_modes/ridge_accuracy", "by_modes/euclidean_accuracy"):
            self.assertGreater(found[name][-1], found["chance"] + 0.3, name)
        self.assertGreater(found["kernel_ridge/accuracy"], found["chance"] + 0.3)

    def test_without_the_data(self) -> None:
        """The file alone will do, but for the baseline."""
        model = self.solved()
        (self.folder / "pairs.h5").rename(self.folder / "moved.h5")
        found = self.probe(model, {"probe.kernel-ridge": "false", "probe.times": 0})
        self.assertFalse(any(name.startswith(("kernel_ridge", "by_time", "time")) for name in found))
        self.assertIn("kernel_ridge/accuracy", self.probe(model, {"training-path": self.folder / "moved.h5"}))


@unittest.skipIf(KernelRidge is None, "no scikit-learn (Debian: python3-sklearn)")
class ScikitLearn(ProbeTest):
    def compare(self, model: Path, modes: int, ranks: int) -> None:
        """Every accuracy within one test sample in a thousand."""
        found = self.probe(model, ranks=ranks)
        train, labels, pair, test, test_labels = training(model)
        penalties = found["penalty"]

        def close(ours: float, theirs: float, samples: int, what: str) -> None:
            self.assertLessEqual(abs(ours - theirs), max(1, samples // 1000) / samples + 1e-12, what)

        def check(group: str, i: int, x: np.ndarray, z: np.ndarray) -> None:
            for r, penalty in enumerate(penalties):
                ridge = RidgeClassifier(alpha=penalty * found[f"{group}/ridge_scale"][i], solver="cholesky")
                validated = sum(np.sum(ridge.fit(x[pair % FOLDS != f], labels[pair % FOLDS != f]).predict(
                    x[pair % FOLDS == f]) == labels[pair % FOLDS == f]) for f in range(FOLDS)) / len(labels)
                close(found[f"{group}/ridge_path_validation"][i, r], validated, len(labels), f"{group} {i}, folds")
                close(found[f"{group}/ridge_path_accuracy"][i, r], ridge.fit(x, labels).score(z, test_labels),
                      len(test), f"{group} {i}, penalty {penalty}")
            chosen = np.flatnonzero(found[f"{group}/ridge_path_validation"][i] == found[f"{group}/ridge_validation"][i])
            self.assertEqual(found[f"{group}/ridge_penalty"][i], penalties[chosen[-1]])
            self.assertEqual(found[f"{group}/ridge_accuracy"][i], found[f"{group}/ridge_path_accuracy"][i, chosen[-1]])
            # With one feature all cosines are 1 or -1: nobody is nearest.
            for metric in ("euclidean", "cosine") if x.shape[1] > 1 else ("euclidean",):
                neighbours = KNeighborsClassifier(NEIGHBOURS, algorithm="brute", metric=metric).fit(x, labels)
                close(found[f"{group}/{metric}_accuracy"][i], neighbours.score(z, test_labels), len(test),
                      f"{group} {i}, {metric}")

        for k in (1, 2, modes // 2, modes):
            check("by_modes", k - 1, train[:, :k], test[:, :k])
        with h5py.File(model) as file:
            gamma, s0 = file["spectrum/gamma"][:modes], file["timescales/s0"][()]
        for i, time in enumerate(found["time"]):
            decay = np.exp(-8 * gamma * time)
            scales = np.sqrt(gamma / (gamma * (1 - decay) + decay / s0**2))
            check("by_time", i, train * scales, test * scales)

    def test_arrays(self) -> None:
        self.compare(self.solved(), MODES, ranks=2)

    def test_two_classes(self) -> None:
        first, second, test, labels, test_labels = labelled_pairs(50, 12, 60)
        path = self.write_pairs(first, second, test, labels=labels > 0, test_labels=(test_labels > 0).astype(int))
        with h5py.File(path, "a") as file:
            del file["labels"]
            file["labels"] = (labels > 0).astype(int)
        self.compare(self.solve_file({"data.source": "hdf5", "data.path": path, "modes": 3, "kernel.type": "linear"}),
                     3, ranks=1)

    def test_kernel_ridge(self) -> None:
        """With the linear kernel, whose matrix is easily had."""
        model = self.solved({"kernel.type": "linear"})
        first, second, test, labels, test_labels = labelled_pairs(60, 12, 80)
        both, twice, pair = np.concatenate([first, second]), np.tile(labels, 2), np.tile(np.arange(60), 2)
        classes = np.unique(labels)
        for ranks in (1, 2):
            found = self.probe(model, ranks=ranks)

            def predict(alpha: float, rows: np.ndarray, asked: np.ndarray) -> np.ndarray:
                targets = np.where(twice[rows, None] == classes, 1.0, -1.0)
                fit = KernelRidge(alpha=alpha, kernel="linear").fit(both[rows], targets)
                return classes[np.argmax(fit.predict(asked), axis=1)]

            scale = found["kernel_ridge/scale"]
            self.assert_relative(scale, np.mean(np.sum(both**2, axis=1)), 1e-10, "mean eigenvalue of K")
            everything = np.arange(len(both))
            theirs = np.mean(predict(found["kernel_ridge/penalty"] * scale, everything, test) == test_labels)
            self.assertLessEqual(abs(found["kernel_ridge/accuracy"] - theirs), 1 / len(test) + 1e-12)
            for r in (0, 4, 8):
                right = [np.sum(predict(found["penalty"][r] * scale, pair != i, both[pair == i]) == labels[i])
                         for i in range(60)]
                self.assertLessEqual(abs(found["kernel_ridge/validation"][r] - np.sum(right) / 120), 1 / 120 + 1e-12)

    def test_cifar10(self) -> None:
        if not (CIFAR / "test_batch.bin").is_file():
            self.skipTest(f"no CIFAR-10 in {CIFAR}")
        model = self.solve_file({"data.source": "cifar10", "data.path": CIFAR, "data.pairs": 200, "data.test": 2000,
                                 "modes": 12}, ranks=2)
        self.compare(model, 12, ranks=2)


class Refusals(RefusalTest, ProbeTest):
    def refuse_model(self, model: Path, *patterns: str, options: Mapping[str, object] = {},
                     ranks: tuple[int, ...] = (1, 2)) -> None:
        self.refuse(["probe", "--model", model, *options_of(options)], *patterns, ranks=ranks)

    def model_with(self, tests: bool = True, **more: np.ndarray) -> Path:
        first, second, test, *_ = labelled_pairs(20, 8, 5)
        path = self.write_pairs(first, second, test if tests else None, **more)
        return self.solve_file({"data.source": "hdf5", "data.path": path, "modes": 2, "kernel.type": "linear"})

    def test_what_is_missing(self) -> None:
        labels, test_labels = np.arange(20) % 3, np.arange(5) % 3
        self.refuse_model(self.model_with(), "no labels", "data.path")
        self.refuse_model(self.model_with(labels=labels, tests=False), "no test samples", "--data.test")
        self.refuse_model(self.model_with(labels=labels), "test samples have no labels", "test_labels")
        self.refuse_model(self.model_with(labels=labels * 0 + 4, test_labels=test_labels), "label 4", "two classes")
        self.refuse_model(self.solve_file({"data.pairs": 8, "data.test": 2, "modes": 2}), "no labels", ranks=(1,))
        path = self.folder / "modalities.h5"
        with h5py.File(path, "w") as file:
            file["view_a"], file["view_b"], _ = make_pairs(20, 8)
            file["labels"] = labels
        both = self.solve_file({"data.source": "hdf5", "data.path": path, "data.multimodal": True, "modes": 2,
                                "kernel.type": "linear"})
        self.refuse_model(both, "two modalities", ranks=(1,))
        self.refuse_model(self.folder / "absent.h5", "absent.h5", ranks=(1,))
        self.refuse_model(self.folder / "pairs.h5", "no result of stepwise solve", ranks=(1,))

    def test_settings(self) -> None:
        model = self.model_with(labels=np.arange(20) % 3, test_labels=np.arange(5) % 3)
        self.refuse_model(model, "folds is 21", "20 pairs", options={"probe.folds": 21})
        self.refuse_model(model, "neighbours is 41", "40 training", options={"probe.neighbours": 41}, ranks=(1,))
        self.refuse_model(model, "least-penalty", options={"probe.least-penalty": 10, "probe.most-penalty": 1}, ranks=(1,))
        self.refuse_model(model, "times is 1", options={"probe.times": 1}, ranks=(1,))
        self.refuse_model(model, "no checkpoints", options={"checkpoint": self.here}, ranks=(1,))
        self.refuse(["probe"], "--model is missing", ranks=(1,))
        (self.folder / "pairs.h5").unlink()
        self.refuse_model(model, "pairs.h5", "--training-path", "--probe.kernel-ridge false")

    def test_an_edited_file(self) -> None:
        model = self.model_with(labels=np.arange(20) % 3, test_labels=np.arange(5) % 3)
        with h5py.File(model, "a") as file:
            file["embeddings/train"][1, 3, 1] = np.nan
        self.refuse_model(model, "training sample 7 .*not finite")
        with h5py.File(model, "a") as file:
            file["embeddings/train"][1, 3, 1] = 0
            del file["data/labels"]
            file["data/labels"] = np.arange(7)
        self.refuse_model(model, "7 labels of 20 pairs")


if __name__ == "__main__":
    unittest.main()
