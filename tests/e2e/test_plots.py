"""The pictures of scripts/plot.py: every figure on files of the program and on files in their layout; wrong files."""
from __future__ import annotations

import argparse
import subprocess
import sys
import unittest
from pathlib import Path

import h5py
import numpy as np
import plot_files
from support import DONE, ProgramTest, launch, make_pairs

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
try:
    import matplotlib.image

    sys.path.insert(0, str(SCRIPTS))
    import plot
    from stepwise_plots import FIGURES, pixels, style, width
    from stepwise_plots.source import Refusal

    matplotlib.rcParams["savefig.dpi"] = 60  # a third of the time
except (ImportError, SystemExit):
    plot = None

SOLVED = ["solve", "spectrum", "histogram", "landscape", "embeddings", "images"]
SIMULATED = ["training", "spectrum", "histogram", "landscape"]
SMALL = {"kernel.type": "ntk", "kernel.depth": 1, "modes": 4, "dynamics.alpha": 1e-6, "dynamics.points": 60}


@unittest.skipIf(plot is None, "no matplotlib (Debian: python3-matplotlib)")
class PlotTest(ProgramTest):
    def draw(self, file: Path, figure: str | None = None, output: str | None = None) -> Path:
        picture = self.folder / (output or f"{file.stem}-{figure}.png")
        plot.run(argparse.Namespace(file=file, figure=figure, output=picture, list=False))
        plot.plt.close("all")
        return picture

    def check_figures(self, file: Path, figures: list[str]) -> None:
        """Exactly these can be drawn, the first by default, and something is to be seen."""
        listed = plot.run(argparse.Namespace(file=file, figure=None, output=None, list=True))
        self.assertEqual([line.split()[0] for line in listed.splitlines()], figures)
        for figure in figures:
            with self.subTest(file=file.name, figure=figure):
                image = matplotlib.image.imread(self.draw(file, figure))[..., :3]
                self.assertGreater(min(image.shape[:2]), 200)
                self.assertGreater(np.std(image), 0.05)
                edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
                self.assertGreater(edge.min(), 0.99, "something is cut off")
        with h5py.File(file) as opened:
            self.assertEqual(plot.choose(opened, None), figures[0])

    def refused(self, file: Path, *parts: str, figure: str | None = None, output: str | None = None) -> None:
        with self.assertRaises(Refusal) as caught:
            self.draw(file, figure, output)
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        for part in (str(self.folder), *parts):
            self.assertIn(part, message)

    def write_images(self) -> Path:
        first, second, _ = make_pairs(20, 48)
        return self.write_pairs(first.reshape(20, 3, 4, 4), second.reshape(20, 3, 4, 4), labels=np.arange(20) % 2)

    def test_every_figure_of_a_solved_problem(self) -> None:
        pairs = {"data.source": "hdf5", "data.path": self.write_images()}
        file = self.solve_file({**SMALL, **pairs})
        self.check_figures(file, SOLVED)
        self.check_figures(self.solve_file({**SMALL, **pairs, "modes": "all"}), ["spectrum"])
        self.assertEqual(self.draw(file, "images", "modes.pdf").read_bytes()[:5], b"%PDF-")
        self.refused(self.solve_file({**SMALL, **pairs, "modes": 1}), "one dimension", figure="embeddings")
        self.draw(self.solve_file({**SMALL, "data.source": "synthetic", "data.pairs": 20}), "images")  # leaves them out

    def test_every_figure_of_a_simulation(self) -> None:
        self.check_figures(plot_files.write_simulation(self.folder / "training.h5"),
                           ["training", "probe", "network", "spectrum", "histogram", "landscape", "embeddings", "images"])
        self.check_figures(plot_files.write_components(self.folder / "modes.h5"), ["components"])
        self.check_figures(plot_files.write_supervised(self.folder / "supervised.h5"), ["supervised"])
        self.check_figures(plot_files.write_losses(self.folder / "losses.h5"), ["losses"])
        self.check_figures(plot_files.write_widths(self.folder / "width.h5"), ["width"])
        self.check_figures(plot_files.write_probes(self.folder / "probe.h5"), ["probe"])

    def test_real_simulations(self) -> None:
        if launch(["simulate", "--help"]).code != DONE:
            self.skipTest("this program has no simulate")
        linear = self.folder / "linear.h5"
        options = ["--data.pairs", 30, "--modes", 3, "--training.steps", 300, "--output", linear]
        run = launch(["simulate", "--preset", "linear", *options])
        self.assertEqual(run.code, DONE, str(run))
        self.check_figures(linear, [*SIMULATED, "embeddings", "images"])
        modes = self.folder / "modes.h5"
        run = launch(["simulate", "--preset", "modes", "--output", modes])
        self.assertEqual(run.code, DONE, str(run))
        self.check_figures(modes, ["components", *SIMULATED])

    def test_a_series_that_grows_is_drawn_too(self) -> None:
        path = self.folder / "out.h5.partial"
        with h5py.File(path, "w", libver="latest") as file:
            file.attrs["status"] = "running"
            time = file.create_dataset("time", (0,), maxshape=(None,), chunks=(64,))
            curves = file.create_dataset("measured/lambda", (0, 2), maxshape=(None, 2), chunks=(64, 2))
            loss = file.create_dataset("measured/loss", (0,), maxshape=(None,), chunks=(64,))
            file.swmr_mode = True
            for dataset, count in ((curves, 31), (loss, 31), (time, 30)):  # the last record is being written
                dataset.resize(count, axis=0)
            time[:] = np.arange(1, 31)
            curves[:] = np.linspace(0, 1, 31)[:, None]
            file.flush()
            run = subprocess.run([sys.executable, SCRIPTS / "plot.py", path], text=True, capture_output=True)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertTrue((self.folder / "out.h5.png").is_file())

    def test_exit_codes_and_names(self) -> None:
        file = plot_files.write_probes(self.folder / "probe.h5")
        for words, code, picture in (([file], 0, "probe.png"), ([file, "probe"], 0, "probe-probe.png"),
                                     ([file, "solve"], 1, None), ([file, "painting"], 2, None),
                                     ([self.folder / "absent.h5"], 1, None)):
            run = subprocess.run([sys.executable, SCRIPTS / "plot.py", *words], text=True, capture_output=True)
            self.assertEqual(run.returncode, code, run.stderr)
            if picture:
                self.assertTrue((self.folder / picture).is_file())
            if code == 1:
                self.assertRegex(run.stderr, r"\Aplot.py: .*\n\Z")

    def test_wrong_files_get_one_clear_line(self) -> None:
        text = self.folder / "text.h5"
        text.write_text("not HDF5")
        self.refused(text, "text.h5", "not an HDF5 file")
        self.refused(self.folder / "absent.h5", "no such file")
        whole = plot_files.write_simulation(self.folder / "whole.h5")
        cut = self.folder / "cut.h5"
        cut.write_bytes(whole.read_bytes()[:5000])
        self.refused(cut, "cut.h5", "cannot be opened")
        empty = self.folder / "empty.h5"
        h5py.File(empty, "w").close()
        self.refused(empty, "not a file of stepwise")
        for figure, module in FIGURES.items():
            self.refused(empty, f"the figure {figure} needs", figure=figure)
            self.assertTrue(module.lacks(h5py.File(empty)))
        with h5py.File(empty, "a") as file:
            file.attrs["schema_name"] = "stepwise-kernel"
        self.refused(empty, "a stepwise-kernel file, which has nothing to draw")
        self.refused(whole, "must end in .png", output="picture.jpg")
        self.refused(whole, "cannot write", output="absent/picture.png")
        with h5py.File(whole, "a") as file:
            file["spectrum/gamma"][1] = np.nan
            del file["measured/loss"]
            file["measured/loss"] = np.zeros((3, 3))
        self.refused(whole, "/spectrum/gamma holds nan", figure="spectrum")
        self.refused(whole, "/measured/loss is float64 (3, 3)", figure="training")

    def test_images_are_those_of_the_samples(self) -> None:
        rng = np.random.default_rng(5)
        bytes_ = rng.integers(0, 256, (30, 3, 32, 32), dtype=np.uint8)
        batch = np.concatenate([np.zeros((30, 1), np.uint8), bytes_.reshape(30, -1)], axis=1)
        batch.tofile(self.folder / "data_batch_1.bin")
        header = np.array([2051, 30, 32, 32], ">i4").tobytes()
        (self.folder / "train-images-idx3-ubyte").write_bytes(header + bytes_[:, 0].tobytes())
        wanted = np.array([7, 0, 29])
        for source, channels in (("cifar10", 3), ("mnist", 1)):
            settings = f"[data]\nsource = {source}\npath = {self.folder}\n"
            with h5py.File(plot_files.write_simulation(self.folder / f"{source}.h5", configuration=settings)) as file:
                found = pixels.images_of(file, wanted)
            np.testing.assert_allclose(found, bytes_[wanted][:, :channels].transpose(0, 2, 3, 1) / 255)
        with h5py.File(self.folder / "mnist.h5") as file, self.assertRaisesRegex(Refusal, "cannot be read"):
            pixels.images_of(file, np.array([31]))

    def test_numbers_that_pictures_are_made_with(self) -> None:
        widths = 2.0 ** np.arange(6, 12)
        power, error, factor = width.fit(widths, 3 * widths**-0.5)
        np.testing.assert_allclose((power, error, factor), (-0.5, 0, 3), atol=1e-12)
        time = np.linspace(0, 10, 21)
        steps = style.half_rises(time, np.stack([time / 10, time / 40, 1 + time], axis=1))
        np.testing.assert_allclose(steps, [5, np.nan, np.nan])


if __name__ == "__main__":
    unittest.main()
