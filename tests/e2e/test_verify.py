"""stepwise verify: what it says of whole files, and that it notices what was done to others."""
from __future__ import annotations

import re
import shutil
import unittest
from pathlib import Path
from typing import Callable

import h5py
import numpy as np

from refusal import RefusalTest
from support import DONE, ProgramTest, Run, launch, make_pairs

FAILED = 1


def checksum(array: np.ndarray) -> str:
    """As docs/file_format.md has it."""
    flat = np.ascontiguousarray(array).ravel()
    bits = flat.view(f"u{flat.dtype.itemsize}").astype("u8")
    with np.errstate(over="ignore"):
        x = bits + np.uint64(0x9e3779b97f4a7c15) * np.arange(1, len(bits) + 1, dtype="u8")
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
        return f"{int(np.sum(x ^ (x >> np.uint64(31)), dtype='u8')):016x}"


class Verify(ProgramTest):
    @classmethod
    def setUpClass(cls) -> None:
        cls.pairs = make_pairs(24, 6, 3)

    def setUp(self) -> None:
        super().setUp()
        self.data = self.write_pairs(*self.pairs, labels=np.arange(24) % 3)
        self.options = {"data.source": "hdf5", "data.path": self.data, "kernel.type": "rbf", "modes": 4,
                        "dynamics.points": 30}

    def verify(self, path: Path, *words: object, code: int = DONE, ranks: int = 1) -> Run:
        run = launch(["verify", path, *words], ranks)
        self.assertEqual(run.code, code, str(run))
        return run

    def failing(self, path: Path, *words: object, ranks: int = 1) -> list[str]:
        """The names of the checks that fail."""
        run = self.verify(path, *words, code=FAILED, ranks=ranks)
        names = [line[11:63].strip() for line in run.stdout.splitlines() if line.startswith("  FAILS")]
        self.assertGreater(len(names), 0, str(run))
        for name in names:
            self.assertIn(name, run.stderr)
        return names

    def edited(self, model: Path, name: str, edit: Callable[[h5py.File], None], seal: bool) -> Path:
        """A copy with changes; `seal`: with checksums that belong to them."""
        path = self.folder / f"{name}.h5"
        shutil.copy(model, path)
        with h5py.File(path, "r+") as file:
            edit(file)
            if seal:
                file.visititems(lambda _, item: item.attrs.modify("checksum", checksum(item[()]))
                                if isinstance(item, h5py.Dataset) and "checksum" in item.attrs else None)
        return path

    def test_whole_files(self) -> None:
        for more, ranks in (({}, 1), ({"solver.method": "krylov"}, 2), ({"solver.method": "spectral"}, 1),
                            ({"kernel.type": "linear"}, 2), ({"kernel.centre": True}, 2),
                            ({"output.kernel": True, "output.eigenvectors": True, "output.compression": 3}, 2),
                            ({"modes": "all"}, 1), ({"kernel.storage": "single", "solver.method": "krylov"}, 1),
                            ({"data.source": "synthetic", "data.path": "", "data.pairs": 16, "views.count": 3,
                              "kernel.type": "ntk"}, 1)):
            with self.subTest(str(more)):
                model = self.solve_file({**self.options, **more}, ranks)
                run = self.verify(model, "--samples", "all", ranks=3 - ranks)
                self.assertNotIn("FAILS", run.stdout)
                if "modes" not in more:
                    self.assertRegex(run.stdout, r"ok +checksums +\d+ right\n")
                    self.assertRegex(run.stdout, r"ok +T a_j = gamma_j a_j")

    def test_a_stored_kernel_and_inputs_that_are_gone(self) -> None:
        rng = np.random.default_rng(0)
        x = rng.standard_normal((20, 9))
        np.save(self.folder / "k.npy", x @ x.T)
        model = self.solve_file({"kernel.type": "precomputed", "kernel.path": self.folder / "k.npy", "modes": 3})
        self.assertRegex(self.verify(model).stdout, r"ok +T a_j = gamma_j a_j")
        y = rng.standard_normal((20, 9))
        np.save(self.folder / "k.npy", y @ y.T)
        self.assertTrue(any("T a_j" in name or "f_j" in name for name in self.failing(model)))
        (self.folder / "k.npy").unlink()
        self.assertRegex(self.verify(model).stdout, r"skipped +inputs +.*k.npy is not there")

    def test_edits(self) -> None:
        model = self.solve_file(self.options)

        def one_gamma(file: h5py.File) -> None:
            file["spectrum/gamma"][2] *= 1 + 1e-6

        def a_small_gamma(file: h5py.File) -> None:
            file["spectrum/gamma"][20] += 1e-3

        def swapped_modes(file: h5py.File) -> None:
            for name in ("modes/dual", "embeddings/train"):
                file[name][...] = file[name][()][..., [1, 0, 2, 3]]

        def swapped_in_all(file: h5py.File) -> None:
            swapped_modes(file)
            gamma = file["spectrum/gamma"][()]
            file["spectrum/gamma"][:2] = gamma[[1, 0]]

        def embeddings(file: h5py.File) -> None:
            file["embeddings/train"][1, 5, 2] += 1e-4

        def normalisation(file: h5py.File) -> None:
            file["embeddings/train"][...] *= np.sqrt(2)

        def normalised_duals(file: h5py.File) -> None:
            dual = file["modes/dual"][()]
            file["modes/dual"][...] = dual / np.linalg.norm(dual, axis=0)

        def a_sign(file: h5py.File) -> None:
            for name in ("modes/dual", "embeddings/train"):
                file[name][..., 1] *= -1

        def a_time(file: h5py.File) -> None:
            file["timescales/tau"][3] *= 1 + 1e-9

        def a_curve(file: h5py.File) -> None:
            file["dynamics/lambda"][9, 1] += 1e-5

        def a_label(file: h5py.File) -> None:
            file["data/labels"][7] += 1

        edits = (one_gamma, a_small_gamma, swapped_modes, swapped_in_all, embeddings, normalisation, normalised_duals,
                 a_sign, a_time, a_curve, a_label)
        for edit in edits:
            with self.subTest(edit.__name__):
                self.assertIn("checksums", self.failing(self.edited(model, edit.__name__, edit, seal=False)))
                names = self.failing(self.edited(model, edit.__name__, edit, seal=True), ranks=2)
                self.assertNotIn("checksums", names, "caught by what follows from the numbers")

    def test_damage(self) -> None:
        model = self.solve_file(self.options)
        whole = model.read_bytes()
        for size in (len(whole) - 1, len(whole) // 2, 100, 5, 0):
            cut = self.folder / "cut.h5"
            cut.write_bytes(whole[:size])
            for ranks in (1, 2):
                self.assertEqual(self.failing(cut, ranks=ranks), ["file"], size)
        for name, edit in (("missing", lambda file: file.__delitem__("timescales/tau")),
                           ("units", lambda file: file["spectrum/gamma"].attrs.__delitem__("units")),
                           ("schema", lambda file: file.attrs.modify("schema_name", "other"))):
            names = self.failing(self.edited(model, name, edit, seal=False))
            self.assertTrue(any("schema" in found or "datasets" in found for found in names), names)

    def test_other_files_have_a_schema_and_checksums(self) -> None:
        model = self.solve_file(self.options)
        new, kernel = self.folder / "new.h5", self.folder / "kernel.h5"
        for words in (["embed", "--model", model, "--data.path", self.data, "--output", new],
                      ["kernel", "--data.pairs", 6, "--precision", "single", "--output", kernel]):
            self.assertEqual(launch(words).code, DONE)
        for path, name in ((new, "embeddings/new"), (kernel, "kernel/train")):
            self.assertRegex(self.verify(path, ranks=2).stdout, r"ok +checksums +\d+ right\n")

            def edit(file: h5py.File) -> None:
                file[name][1, 2] += 1

            self.assertEqual(self.failing(self.edited(path, "edited", edit, seal=False)), ["checksums"])
        self.assertIn("schema", self.failing(self.data))

    def simulation(self, name: str, *words: object) -> Path:
        path = self.folder / f"{name}.h5"
        run = launch(["simulate", *words, "--record.points", 20, "--output", path])
        self.assertEqual(run.code, DONE, str(run))
        return path

    def test_simulations_and_studies(self) -> None:
        pairs = ("--data.pairs", 20, "--views.crop", 5, "--modes", 3)
        data = ("--data.source", "hdf5", "--data.path", self.data)
        small = ("--training.steps", 5, "--study.widths", "8,16", "--study.seeds", 2, "--study.reference", 8)
        files = [self.simulation("network", "--preset", "network", "--kernel.width", 64, "--training.steps", 40),
                 self.simulation("momentum", "--model", "network", *pairs, "--kernel.width", 64, "--kernel.depth", 1,
                                 "--dynamics.alpha", 1e-2, "--training.momentum", 0.8),
                 self.simulation("losses", "--preset", "losses", *pairs),
                 self.simulation("modes", "--preset", "modes"),
                 self.simulation("supervised", "--model", "supervised", *data, "--modes", 3)]
        for preset in ("width", "scalings"):
            path = self.folder / f"{preset}.h5"
            given = data if preset == "scalings" else ("--data.pairs", 6, "--views.crop", 4)
            crop = ("--data.pairs", 24, "--views.crop", 0) if preset == "scalings" else ()
            run = launch(["simulate", "--preset", preset, *given, *crop, *small, "--output", path])
            self.assertEqual(run.code, DONE, str(run))
            files.append(path)
        for path in files:
            with self.subTest(path.name):
                run = self.verify(path, ranks=2)
                self.assertNotIn("FAILS", run.stdout)
                self.assertIn("files of simulations have none", run.stdout)

    def test_edits_of_a_simulation(self) -> None:
        model = self.simulation("model", "--model", "network", "--data.pairs", 20, "--views.crop", 5, "--modes", 3,
                                "--kernel.width", 64, "--kernel.depth", 1, "--dynamics.alpha", 1e-2)
        for name, place, part in (("measured/loss", 7, "loss"), ("measured/lambda", (7, 1), "lambda"),
                                  ("predicted/lambda", (7, 1), "predicted/lambda from gamma"),
                                  ("difference/lambda", (3, 0), "difference/lambda"), ("time", 0, "time ascends"),
                                  ("timescales/tau", 1, "tau"), ("timescales/half_rise", 0, "half_rise"),
                                  ("timescales/measured_half_rise", 0, "measured_half_rise"),
                                  ("difference/largest", 2, "largest")):
            with self.subTest(name):
                def edit(file: h5py.File) -> None:
                    file[name][place] = file[name][place] * 1.001 + 1e-4

                names = self.failing(self.edited(model, "edited", edit, seal=False))
                self.assertTrue(any(part in found for found in names), names)

    def test_other_inputs(self) -> None:
        model = self.solve_file(self.options)
        first, second, test = (array.copy() for array in self.pairs)
        first[3, 1] = np.nextafter(first[3, 1], 1e9)
        self.write_pairs(first, second, test, labels=np.arange(24) % 3)
        self.assertEqual(self.failing(model), ["inputs"])
        self.data.rename(self.folder / "moved.h5")
        self.assertIn("--training-path", self.verify(model).stdout)
        self.assertEqual(self.failing(model, "--training-path", self.folder / "moved.h5"), ["inputs"])
        self.write_pairs(*self.pairs, labels=np.arange(24) % 3, name="right.h5")
        self.verify(model, "--training-path", self.folder / "right.h5")


class Refusals(RefusalTest):
    def test_what_is_no_result(self) -> None:
        text = self.folder / "notes.txt"
        text.write_text("notes")
        self.refuse(["verify", text], "notes.txt", output=None)
        self.refuse(["verify", self.folder / "absent.h5"], "absent.h5", output=None)
        self.refuse(["verify"], "no file", output=None)
        self.refuse(["verify", self.folder], "is a directory", output=None)
        self.refuse(["verify", text, "--samples", "-1"], "--samples", output=None)


class Info(ProgramTest):
    def test_the_program_and_the_machine(self) -> None:
        run = launch(["info"], 2)
        self.assertEqual(run.code, DONE, str(run))
        for word in ("commit", "flags", "MPI", "standard", "HDF5", "parallel", "OpenBLAS", "ScaLAPACK", "ELPA", "Boost"):
            self.assertIn(word, run.stdout)
        self.assertRegex(run.stdout, r"ranks +2 on ")
        self.assertRegex(run.stdout, r"threads +1 per rank, OMP_NUM_THREADS says so")

    def test_files(self) -> None:
        path = self.write_pairs(*make_pairs(10, 4))
        model = self.solve_file({"data.source": "hdf5", "data.path": path, "modes": 2, "seed": 5})
        run = launch(["info", model])
        self.assertEqual(run.code, DONE, str(run))
        for pattern in (r"stepwise-result 1\.\d+", r"command_line +stepwise solve", r"seed +5", r"kernel_convention +ntk",
                        r"/modes/dual +float64 +\(sample 20, mode 2\)", r"/spectrum/gamma .*\[units of k\]",
                        r"eigenvalues of the contrastive kernel"):
            self.assertRegex(run.stdout, pattern)
        settings = launch(["info", "--settings", model])
        again = self.folder / "again.ini"
        again.write_text(settings.stdout)
        repeated = launch(["solve", "--config", again, "--output", self.folder / "again.h5"])
        self.assertEqual(repeated.code, DONE, str(repeated))
        self.assertIn("not written by stepwise", launch(["info", path]).stdout)
        np.save(self.folder / "a.npy", np.ones((3, 2)))
        self.assertIn("<f8, shape (3, 2)", launch(["info", self.folder / "a.npy"]).stdout)

    def test_refusals(self) -> None:
        for words, pattern in ((["info", self.folder / "absent.h5"], "absent.h5"), (["info", "--settings"], "name one"),
                               (["info", "a", "b"], "stray word 'b'")):
            run = launch(words)
            self.assertEqual(run.code, 2, str(run))
            self.assertTrue(re.search(pattern, run.stderr), str(run))


if __name__ == "__main__":
    unittest.main()
