"""Ways to the same modes: --modes all, --solver.check, storages, warm starts, explicit features, pairs per image."""
from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

import reference
from refusal import RefusalTest
from support import MEMORY, ProgramTest, make_pairs, read_result

SYNTHETIC = {"data.pairs": 60, "views.crop": 12, "kernel.type": "ntk", "modes": 5}


def diagnostics(path: Path) -> dict[str, float]:
    with h5py.File(path, "r") as file:
        group = file["diagnostics"]
        return {name: group[name][()] for name in group if group[name].shape == ()}


class WholeSpectrum(ProgramTest):
    def test_all_gammas_and_their_signs(self) -> None:
        first, second, test = make_pairs(15, 8, tests=3)
        path = self.write_pairs(first, second, test, labels=np.arange(15))
        expected = reference.solve(reference.linear, first, second, np.empty((0, 8)), 1)
        for method, ranks in (("cholesky", 2), ("spectral", 1), ("primal", 3), ("auto", 4)):
            with self.subTest(method=method):
                file = self.solve_file({"data.source": "hdf5", "data.path": path, "kernel.type": "linear",
                                        "modes": "all", "solver.method": method, "solver.block-size": 8}, ranks)
                with h5py.File(file, "r") as result:
                    gamma = result["spectrum/gamma"][()]
                    signs = result["spectrum/sign"][()].tolist()
                    counts = dict(zip(signs, result["spectrum/sign_count"][()].tolist()))
                    self.assertNotIn("modes", result)
                    self.assertNotIn("embeddings", result)
                    self.assertEqual(result["data/labels"].shape, (15,))
                self.assert_close(gamma, expected.gamma, 1e-12, "all gamma")
                floor = 1e-10 * gamma[0]
                self.assertEqual(counts, {-1: int(np.sum(gamma < -floor)), 0: int(np.sum(np.abs(gamma) <= floor)),
                                          1: int(np.sum(gamma > floor))})
                self.assertEqual(counts[0], 30 - 8)


class SecondOpinion(ProgramTest):
    def test_every_method_has_one(self) -> None:
        for method, second, more in (("krylov", "cholesky", {}), ("cholesky", "krylov", {}), ("spectral", "krylov", {}),
                                     ("primal", "krylov", {"kernel.type": "linear", "views.crop": 4}),
                                     ("krylov", "cholesky", {"kernel.storage": "none"})):
            with self.subTest(method=method, more=more):
                file = self.solve_file({**SYNTHETIC, "solver.method": method, "solver.check": True, **more}, 2)
                with h5py.File(file, "r") as result:
                    self.assertEqual(result["diagnostics"].attrs["check_method"], second)
                found = diagnostics(file)
                self.assertLess(found["check_gamma"], 1e-11)
                self.assertLess(found["check_angle"], 1e-6)


class Storage(ProgramTest):
    def test_less_memory_gives_the_same_modes(self) -> None:
        expected = self.solve({**SYNTHETIC, "solver.method": "cholesky"})
        for storage in ("double", "single", "none"):
            for ranks in (1, 3):
                with self.subTest(storage=storage, ranks=ranks):
                    file = self.solve_file({**SYNTHETIC, "solver.method": "krylov", "kernel.storage": storage}, ranks)
                    result = read_result(file)
                    self.assert_relative(result.gamma, expected.gamma[:5], 1e-11, "gamma")
                    self.assert_close(result.kernel_train, expected.kernel_train, 1e-7, "K_emb")
                    rough = diagnostics(file)["krylov_rough_rounds"]
                    self.assertEqual(rough > 0, storage != "double")

    def test_warm_start_saves_passes(self) -> None:
        options = {**SYNTHETIC, "data.pairs": 600, "views.crop": 8, "solver.method": "krylov", "solver.krylov-block": 8}
        cold, warm = (self.solve_file({**options, "solver.warm-start": pairs}, 2) for pairs in (0, 200))
        self.assertLess(diagnostics(warm)["krylov_rounds"], diagnostics(cold)["krylov_rounds"])
        self.assert_relative(read_result(warm).gamma, read_result(cold).gamma, 1e-11, "gamma")


    def test_a_subsample_without_modes_is_no_obstacle(self) -> None:
        first, second, _ = make_pairs(40, 6)
        first[0] = second[0] = 0
        path = self.write_pairs(first, second)
        options = {"kernel.type": "linear", "modes": 3, "kernel.storage": "none", "solver.warm-start": 1}
        expected = self.solve_pairs(path, {**options, "kernel.storage": "double", "solver.warm-start": 0})
        self.assert_relative(self.solve_pairs(path, options, 2).gamma, expected.gamma[:3], 1e-11, "gamma")


class Features(ProgramTest):
    def test_primal_with_random_features_is_their_linear_kernel(self) -> None:
        for kernel in ("rbf", "nngp"):
            with self.subTest(kernel=kernel):
                options = {**SYNTHETIC, "kernel.type": kernel, "kernel.random-features": 40, "data.test": 6}
                one, other = (self.solve({**options, "solver.method": method}, ranks)
                              for method, ranks in (("primal", 3), ("spectral", 1)))
                self.assert_close(one.gamma, other.gamma, 1e-12, "gamma")
                self.assert_close(one.kernel_train, other.kernel_train, 1e-8, "K_emb")
                self.assert_close(one.kernel_test, other.kernel_test, 1e-8, "K_emb of tests")

    def test_many_random_features_come_near_the_kernel(self) -> None:
        exact = self.solve({**SYNTHETIC, "kernel.type": "rbf"})
        near = self.solve({**SYNTHETIC, "kernel.type": "rbf", "kernel.random-features": 20000}, 2)
        self.assert_relative(near.gamma[:3], exact.gamma[:3], 0.05, "gamma")

    def test_several_pairs_of_each_image(self) -> None:
        one, other = (self.solve({**SYNTHETIC, "views.per-image": 3}, ranks) for ranks in (1, 4))
        self.assert_close(one.gamma, other.gamma, 1e-12, "gamma")
        single = self.solve(SYNTHETIC)
        self.assertGreater(np.max(np.abs(one.gamma - single.gamma)), 1e-6 * single.gamma[0])


class Refusals(RefusalTest):
    def test_what_cannot_go_together(self) -> None:
        for options, patterns in (
            ({"solver.method": "primal"}, ["--solver.method primal", "explicit features", "ntk"]),
            ({"solver.method": "primal", "kernel.type": "linear", "data.pairs": 10}, ["1200 features", "20 samples"]),
            ({"modes": "all", "solver.method": "krylov"}, ["--modes all", "krylov"]),
            ({"modes": "all", "kernel.storage": "none"}, ["--modes all", "--kernel.storage"]),
            ({"modes": "all", "data.test": 4}, ["--modes all", "--data.test 4"]),
            ({"modes": "all", "solver.check": "true"}, ["--solver.check", "--modes all"]),
            ({"modes": "some"}, ["--modes", "some", "or all"]),
            ({"kernel.storage": "single", "solver.method": "cholesky"}, ["--kernel.storage single", "cholesky"]),
            ({"kernel.type": "laplace", "kernel.random-features": 10}, ["--kernel.random-features", "rbf and nngp"]),
            ({"kernel.type": "rbf", "kernel.random-features": 11}, ["--kernel.random-features is 11", "even"]),
            ({"solver.warm-start": 20, "solver.method": "cholesky"}, ["--solver.warm-start", "krylov", "cholesky"]),
            ({"solver.eigensolver": "elpa1", "solver.method": "krylov"}, ["--solver.eigensolver elpa1", "krylov"]),
            ({"solver.warm-start": 300, "solver.method": "krylov"}, ["--solver.warm-start is 300", "256 pairs"]),
        ):
            words = ["solve"] + [f"--{key}={value}" for key, value in {"modes": 2, **options}.items()]
            self.refuse(words, *patterns, ranks=(1, 3))
        self.refuse(["solve", "--kernel.type=nngp", "--kernel.random-features=1000000"], "--kernel.random-features 1000000",
                    "memory", code=MEMORY, ranks=(1, 2))
        large = ["solve", "--data.pairs=500000"]  # 10^12 entries: refused by counting
        self.refuse([*large, "--solver.method=cholesky"], "--data.pairs 500000", "32-bit", "use at least 10[0-9]{2} ranks",
                    "or --solver.method krylov", code=MEMORY, ranks=(1, 2))
        self.refuse([*large, "--modes=all"], "32-bit", "use at least 10[0-9]{2} ranks$", code=MEMORY, ranks=(2,))
        self.refuse(["solve", "--data.pairs=2000000000", "--solver.method=spectral"], "32-bit",
                    "no number of ranks is enough", code=MEMORY, ranks=(1,))
        few = self.write_pairs(*make_pairs(1, 8)[:2])  # too few samples for two process rows of blocks
        self.refuse(["solve", "--data.source=hdf5", f"--data.path={few}", "--modes=1", "--solver.eigensolver=elpa2"],
                    "--solver.eigensolver elpa2", "fewer ranks", ranks=(2, 4))
