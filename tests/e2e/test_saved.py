"""What is saved on request: the kernel matrix, all dual vectors, compressed, aligned."""
from __future__ import annotations

import unittest

import h5py
import numpy as np

from refusal import RefusalTest
from support import DONE, launch, make_pairs, options_of

PAIRS, FEATURES = 130, 12
SAVED = {"output.kernel": True, "output.eigenvectors": True}


class Saved(RefusalTest):
    def setUp(self) -> None:
        super().setUp()
        self.first, self.second, self.tests = make_pairs(PAIRS, FEATURES, 3)
        self.path = self.write_pairs(self.first, self.second, self.tests)
        self.options = {"data.source": "hdf5", "data.path": self.path, "kernel.type": "rbf", "modes": 3}

    def read(self, options: dict[str, object], ranks: int = 1) -> dict[str, np.ndarray]:
        with h5py.File(self.solve_file({**self.options, **options}, ranks)) as file:
            found: dict[str, np.ndarray] = {}
            file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
            return found

    def test_kernel_and_dual_vectors_are_those_of_the_paper(self) -> None:
        samples = np.concatenate([self.first, self.second])
        squares = ((samples[:, None] - samples[None]) ** 2).sum(axis=2)
        expected = np.exp(-squares / (2 * FEATURES))
        for method, ranks, more in (("spectral", 1, {}), ("cholesky", 2, {"modes": "all", "data.test": 0}),
                                    ("spectral", 4, {"solver.block-size": 8})):
            with self.subTest(method, ranks=ranks):
                found = self.read({**SAVED, "solver.method": method, **more}, ranks)
                kernel, dual, gamma = (found[name] for name in ("kernel/train", "modes/all_dual", "spectrum/gamma"))
                self.assert_close(kernel, expected, 1e-14, "K")
                np.testing.assert_array_equal(kernel, kernel.T)
                size = 2 * PAIRS
                swapped = np.roll(np.arange(size), PAIRS)
                resolved = np.abs(gamma) > found["diagnostics/noise_floor"]
                self.assertFalse(np.any(dual[:, ~resolved]))
                self.assert_close((kernel @ dual)[swapped][:, resolved] / size, (dual * gamma)[:, resolved], 1e-8,
                                  "T a = gamma a")
                large = np.abs(gamma) > 1e-3 * gamma[0]
                self.assert_close(dual.T[large] @ kernel @ dual[:, large], np.eye(large.sum()), 1e-9, "a^T K a")
                if "modes/dual" in found:
                    leading, few = dual[:, :3], found["modes/dual"]
                    self.assert_close(leading * np.sign((leading * few).sum(axis=0)), few, 1e-9, "leading modes")

    def test_a_saved_kernel_is_a_kernel(self) -> None:
        first = self.solve_file({**self.options, "data.test": 0, "output.kernel": True, "solver.method": "spectral"}, 2)
        again = self.solve_file({"kernel.type": "precomputed", "kernel.path": first, "modes": 3})
        with h5py.File(first) as a, h5py.File(again) as b:
            self.assert_close(b["spectrum/gamma"][:], a["spectrum/gamma"][:], 1e-13, "gamma")

    def test_compressed_and_aligned_files_hold_the_same(self) -> None:
        large = {"data.source": "synthetic", "data.pairs": 200, "solver.method": "cholesky", **SAVED}
        del self.options["data.path"]
        hints = {"output.alignment": 4096, "output.mpi-hints": "striping_factor=2,romio_cb_write=enable"}
        for ranks in (1, 2, 4):
            with self.subTest(ranks=ranks):
                plain = self.read(large, ranks)
                packed = self.read({**large, **hints, "output.compression": 6}, ranks)
                self.assertEqual(plain.keys(), packed.keys())
                for name, values in plain.items():
                    if not name.startswith(("diagnostics", "performance")):
                        np.testing.assert_array_equal(packed[name], values, name)
                with h5py.File(self.folder / f"result{self.runs}.h5") as file:
                    for name in ("kernel/train", "modes/all_dual"):
                        self.assertEqual((file[name].compression, file[name].compression_opts, file[name].shuffle),
                                         ("gzip", 6, True))
                    self.assertIsNone(file["spectrum/gamma"].compression)

    def test_stepwise_kernel_compresses_too(self) -> None:
        words = {"data.pairs": 200, "kernel.type": "linear"}
        files = []
        for level in (0, 1):
            files.append(self.folder / f"kernel{level}.h5")
            run = launch(["kernel", *options_of({**words, "output.compression": level}), "--output", files[-1]], 2)
            self.assertEqual(run.code, DONE, str(run))
        with h5py.File(files[0]) as plain, h5py.File(files[1]) as packed:
            self.assertEqual(packed["kernel/train"].compression, "gzip")
            np.testing.assert_array_equal(packed["kernel/train"][:], plain["kernel/train"][:])

    def test_refusals(self) -> None:
        for options, *patterns in (
            (["--output.kernel", "--solver.method=krylov"], "--output.kernel", "krylov", "stepwise kernel"),
            (["--output.kernel", "--kernel.storage=single"], "--output.kernel", "krylov"),
            (["--output.eigenvectors", "--solver.method=krylov"], "--output.eigenvectors", "cholesky"),
            (["--output.eigenvectors", "--solver.method=primal", "--kernel.type=linear"], "--output.eigenvectors"),
            (["--output.kernel", "--data.pairs=1100", "--modes=2"], "--output.kernel", "krylov"),  # chosen by auto
            (["--output.mpi-hints=a=1,b"], "--output.mpi-hints", "'b'", "key=value"),
            (["--output.compression=10"], "--output.compression", "10"),
            (["--output.alignment=-1"], "--output.alignment", "-1"),
        ):
            self.refuse(["solve", *options], *patterns, ranks=(1, 2))


if __name__ == "__main__":
    unittest.main()
