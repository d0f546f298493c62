"""stepwise align against NumPy read literally, and what it refuses."""
from __future__ import annotations

import re
import unittest
from pathlib import Path

import h5py
import numpy as np

from refusal import RefusalTest
from support import DONE, ProgramTest, Run, launch, make_pairs


def orthonormal(f: np.ndarray) -> np.ndarray:
    return np.linalg.qr(f)[0]


def alignment(a: np.ndarray, b: np.ndarray) -> float:
    """||P_1 P_2^T||_F^2 / d of the spans of the columns, by their projections."""
    p, q = orthonormal(a), orthonormal(b)
    return np.linalg.norm(p.T @ q) ** 2 / min(a.shape[1], b.shape[1])


class Align(ProgramTest):
    def align(self, *words: object, ranks: int = 1) -> Run:
        run = launch(["align", *words], ranks)
        self.assertEqual(run.code, DONE, str(run))
        return run

    def numbers(self, *words: object, ranks: int = 1) -> dict[str, np.ndarray]:
        output = self.folder / "aligned.h5"
        self.align(*words, "--output", output, "--force", ranks=ranks)
        with h5py.File(output) as file:
            found = {name: file["alignment"][name][()] for name in file["alignment"]}
            return found | {f"{side}_dropped": file[side]["dropped"][()] for side in ("first", "second")}

    def save(self, name: str, array: np.ndarray) -> Path:
        path = self.folder / name
        np.save(path, array)
        return path

    def test_a_result_with_a_literal_computation(self) -> None:
        pairs = self.write_pairs(*make_pairs(40, 6))
        model = self.solve_file({"data.source": "hdf5", "data.path": pairs, "kernel.type": "rbf", "modes": 7})
        rng = np.random.default_rng(3)
        with h5py.File(model) as file:
            train = file["embeddings/train"][()].reshape(80, 7)
        other = train[:, :5] @ rng.standard_normal((5, 4)) + 0.3 * rng.standard_normal((80, 4))
        file = self.save("other.npy", other.reshape(2, 40, 4))
        for ranks in (1, 2, 3):
            found = self.numbers(model, file, ranks=ranks)
            self.assert_close(found["overall"], alignment(train, other), 1e-12, "overall")
            curve = [alignment(train[:, :k], other[:, :k]) for k in range(1, 5)]
            self.assert_close(found["both"], np.array(curve), 1e-12, "both")
            within = [alignment(train[:, :k], other) for k in range(1, 8)]
            self.assert_close(found["first_in_second"], np.array(within), 1e-12, "first in second")
            self.assert_close(found["second_in_first"], np.array([alignment(train, other[:, :k]) for k in range(1, 5)]),
                              1e-12, "second in first")
            cosines = np.linalg.svd(orthonormal(train).T @ orthonormal(other))[1]
            self.assert_close(np.cos(found["angles"]), cosines, 1e-12, "angles")
            np.testing.assert_allclose(found["chance"], np.arange(1, 5) / 80)

    def test_itself_and_rotations(self) -> None:
        rng = np.random.default_rng(5)
        f = rng.standard_normal((60, 6)) * [1, 10, 0.1, 1, 2, 100]
        rotation = orthonormal(rng.standard_normal((6, 6)))
        first, turned = self.save("first.npy", f), self.save("turned.npy", f @ rotation)
        self.assertIn("alignment 1.000000 of 6 and 6", self.align(first, first).stdout)
        self.assert_close(self.numbers(first, first)["both"], np.ones(6), 1e-13, "with itself")
        found = self.numbers(first, turned, "--second-order", "principal", "--first-order", "principal", ranks=2)
        self.assert_close(found["both"], np.ones(6), 1e-9, "principal components of a rotated embedding")
        self.assertLess(found["angles"].max(), 1e-9)

    def test_random_subspaces_are_at_chance(self) -> None:
        rng = np.random.default_rng(7)
        d, n, off = 10, 400, []
        first = self.save("first.npy", rng.standard_normal((n, d)))
        for i in range(12):
            run = self.align(first, self.save(f"{i}.npy", rng.standard_normal((n, d))))
            value, mean, deviation = map(float, re.search(
                r"alignment ([\d.]+) of 10 and 10 dimensions; random ones ([\d.]+) \+- ([\d.]+)", run.stdout).groups())
            self.assertAlmostEqual(mean, d / n, places=6)
            off.append((value - mean) / deviation)
        self.assertLess(abs(np.mean(off)), 4 / np.sqrt(12))
        self.assertLess(np.max(np.abs(off)), 5)
        self.assertGreater(np.std(off), 0.4)

    def test_dimensions_that_add_nothing(self) -> None:
        rng = np.random.default_rng(9)
        f = rng.standard_normal((50, 4))
        deficient = np.column_stack([f[:, 0], 2 * f[:, 0], np.zeros(50), f[:, 1], f[:, 0] - f[:, 1], f[:, 2:]])
        path = self.save("deficient.npy", deficient)
        full = self.save("full.npy", f)
        found = self.numbers(path, full, ranks=2)
        self.assert_close(found["both"], np.ones(4), 1e-12, "the rest")
        self.assertEqual(list(found["first_dropped"]), [1, 2, 4])
        run = self.align(path, full)
        self.assertIn("4 of them independent; without number 1, 2, 4", run.stdout + run.stderr)
        self.assertEqual(len(self.numbers(path, full, "--first-order", "principal")["first_dropped"]), 3)
        single = self.save("single.npy", np.column_stack([f, f @ np.ones(4)]).astype("f4"))
        self.assertEqual(list(self.numbers(single, full)["first_dropped"]), [4])

    def test_the_kernel_s_own_eigenvectors(self) -> None:
        rng = np.random.default_rng(11)
        x = rng.standard_normal((48, 10)) * np.exp(-np.arange(10) / 2)
        kernel = x @ x.T + 0.01 * np.eye(48)
        path, trained = self.save("kernel.npy", kernel), self.save("trained.npy", rng.standard_normal((48, 5)))
        model = self.solve_file({"kernel.type": "precomputed", "kernel.path": path, "modes": 5})
        vectors = np.linalg.eigh(kernel)[1][:, ::-1][:, :5]
        with h5py.File(trained.with_suffix(".h5"), "w") as file:  # as float32, in chunks
            file.create_dataset("a/b", data=np.load(trained).reshape(2, 24, 5).astype("f4"), chunks=(1, 7, 2))
        for ranks in (1, 2):
            found = self.numbers(model, f"{trained.with_suffix('.h5')}:/a/b", "--kernel", path, ranks=ranks)
            expected = [alignment(vectors[:, :k], np.load(trained)[:, :k]) for k in range(1, 6)]
            self.assert_close(found["kernel_second"], np.array(expected), 1e-6, "eigenvectors of the kernel")
            self.assert_close(found["kernel_overall"], expected[-1], 1e-6, "all of them")


class Refusals(RefusalTest):
    def test_what_is_wrong(self) -> None:
        rng = np.random.default_rng(1)
        good = self.folder / "good.npy"
        np.save(good, rng.standard_normal((20, 3)))

        def refuse(array: np.ndarray, *patterns: str) -> None:
            path = self.folder / "bad.npy"
            np.save(path, array)
            self.refuse(["align", good, path], "bad.npy", *patterns)

        refuse(np.ones((18, 2)), "20 samples", "18")
        broken = rng.standard_normal((20, 2))
        broken[13, 1] = np.nan
        refuse(broken, "nan in sample 13, dimension 1")
        refuse(rng.standard_normal((20, 21)), "21 dimensions and 20 samples")
        refuse(np.zeros((20, 2)), "zero everywhere")
        refuse(np.ones((20, 2), "i8"), "<f8")
        refuse(np.ones(20), "1 dimensions")
        text = self.folder / "text.h5"
        text.write_text("no such format")
        self.refuse(["align", good, text], "text.h5", "HDF5")
        empty = self.folder / "some.h5"
        with h5py.File(empty, "w") as file:
            file["a/b"] = rng.standard_normal((2, 10, 3))
            file["three"] = rng.standard_normal((4, 5, 3))
        self.refuse(["align", good, empty], "some.h5", "/embeddings/train", "name one")
        self.refuse(["align", good, f"{empty}:/a/c"], "some.h5", "no dataset /a/c")
        self.refuse(["align", f"{empty}:/a/b", f"{empty}:/three"], "2 views of each pair", "has 4")
        self.refuse(["align", good, self.folder / "absent.npy"], "absent.npy")
        self.refuse(["align", good], "second file")
        self.refuse(["align", good, good, good], "stray word")
        kernel = self.folder / "kernel.npy"
        np.save(kernel, np.eye(18))
        self.refuse(["align", good, good, "--kernel", kernel], "kernel.npy", "18 samples", "20")
        np.save(kernel, np.triu(np.ones((20, 20))))
        self.refuse(["align", good, good, "--kernel", kernel], "kernel.npy", "not symmetric")
        self.refuse(["align", good, good], "input", output=good)


if __name__ == "__main__":
    unittest.main()
