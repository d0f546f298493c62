"""One set of names for the command line and for INI files."""
from __future__ import annotations

import unittest
from pathlib import Path

import numpy as np

from support import DONE, INPUT, ProgramTest, Run, launch, make_pairs, read_result

INI = """# a comment
modes = 3
seed = 5

[data]
source = hdf5
path = {path}
pairs = 14
[views]
crop = 0
[kernel]
type = ntk       # of a ReLU network
depth = 2
weight-variance = 1.75
[solver]
method = spectral
block-size = 8
[dynamics]
alpha = 1e-6
points = 25
"""


class Config(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        first, second, test = make_pairs(16, 9, tests=3)
        self.path = self.write_pairs(first, second, test)
        self.ini = self.folder / "run.ini"
        self.ini.write_text(INI.format(path=self.path))

    def refused(self, text: str, *fragments: str) -> Run:
        """The INI file with `text` as its content must be refused with each fragment in the message."""
        self.ini.write_text(text)
        run = launch(["solve", "--config", self.ini, "--output", self.folder / "refused.h5"])
        self.assertEqual(run.code, INPUT, str(run))
        for fragment in fragments:
            self.assertIn(fragment, run.stderr)
        self.assertFalse((self.folder / "refused.h5").exists())
        return run

    def test_file_and_command_line_say_the_same(self) -> None:
        by_file = self.solve({"config": self.ini}, ranks=2)
        by_words = self.solve({"data.source": "hdf5", "data.path": self.path, "data.pairs": 14, "views.crop": 0,
                               "kernel.type": "ntk", "kernel.depth": 2, "kernel.weight-variance": 1.75,
                               "solver.method": "spectral", "solver.block-size": 8, "dynamics.alpha": 1e-6,
                               "dynamics.points": 25, "modes": 3, "seed": 5}, ranks=2)
        for name in ("gamma", "tau", "time", "curves", "train", "test"):
            np.testing.assert_array_equal(getattr(by_file, name), getattr(by_words, name))

    def test_command_line_wins(self) -> None:
        result = self.solve({"config": self.ini, "modes": 2, "dynamics.points": 9})
        self.assertEqual(result.curves.shape, (9, 2))

    def test_output_in_file(self) -> None:
        output = self.folder / "from_ini.h5"
        self.ini.write_text(f"output = {output}\n" + self.ini.read_text())
        run = launch(["solve", "--config", self.ini])
        self.assertEqual(run.code, DONE, str(run))
        self.assertEqual(len(read_result(output).gamma), 28)

    def test_equals_sign_and_booleans(self) -> None:
        base = ["solve", f"--data.path={self.path}", "--data.source=hdf5", "--modes=2"]
        gammas = []
        for number, flag in enumerate(([], ["--data.standardize=false"], ["--data.standardize"],
                                       ["--data.standardize=true"])):
            output = self.folder / f"flag{number}.h5"
            run = launch([*base, *flag, f"--output={output}"])
            self.assertEqual(run.code, DONE, str(run))
            gammas.append(read_result(output).gamma)
        np.testing.assert_array_equal(gammas[0], gammas[1])
        np.testing.assert_array_equal(gammas[2], gammas[3])
        self.assertGreater(abs(gammas[2][0] / gammas[0][0] - 1), 1e-6)

    def test_unknown_key_names_file_and_line(self) -> None:
        self.refused("modes = 2\n[kernel]\n\ntipe = rbf\n", "run.ini:4", "tipe")

    def test_unknown_top_level_key(self) -> None:
        self.refused("modus = 2\n", "run.ini:1", "modus")

    def test_unknown_section(self) -> None:
        self.refused("modes = 2\n[kernels]\ntype = rbf\n", "run.ini:", "kernels")

    def test_key_of_another_section(self) -> None:
        self.refused("[solver]\ndepth = 3\n", "run.ini:2", "depth")

    def test_line_that_is_no_assignment(self) -> None:
        self.refused("modes = 2\n[kernel]\ntype rbf\n", "run.ini:3")

    def test_bad_value_in_file(self) -> None:
        self.refused("[kernel]\ndepth = three\n", "depth", "three")
        self.refused("[kernel]\ntype = rbv\n", "rbv")

    def test_missing_file(self) -> None:
        run = launch(["solve", "--config", self.folder / "absent.ini", "--output", self.folder / "x.h5"])
        self.assertEqual(run.code, INPUT, str(run))
        self.assertIn("absent.ini", run.stderr)

    def test_config_that_is_a_directory(self) -> None:
        run = launch(["solve", "--config", self.folder, "--output", self.folder / "x.h5"])
        self.assertEqual(run.code, INPUT, str(run))

    def test_print_config_is_complete_and_can_be_read_back(self) -> None:
        run = launch(["solve", "--config", self.ini, "--kernel.depth", 4, "--output", self.folder / "p.h5",
                      "--print-config"])
        self.assertEqual(run.code, DONE, str(run))
        self.assertFalse((self.folder / "p.h5").exists(), "printing computes nothing")
        for word in ("[data]", "[views]", "[kernel]", "[solver]", "[dynamics]", "readout-weight-variance",
                     "length-scale", "t-max", "standardize", "flip", "noise"):
            self.assertIn(word, run.stdout)
        printed = self.folder / "printed.ini"
        printed.write_text(run.stdout)
        again = launch(["solve", "--config", printed, "--print-config"])
        self.assertEqual(again.stdout, run.stdout)
        expected = self.solve({"config": self.ini, "kernel.depth": 4})
        actual = self.solve({"config": printed})
        np.testing.assert_array_equal(actual.gamma, expected.gamma)

    def test_paths_that_look_like_comments_survive_printing(self) -> None:
        for number, name in enumerate(("a#b.h5", "a #b.h5", "#a.h5", " a ;b.h5", '"a".h5')):
            with self.subTest(name):
                output = self.folder / f"{number}" / name
                output.parent.mkdir()
                words = ["solve", "--config", self.ini, "--output", name]
                self.ini.with_name("printed.ini").write_text(launch([*words, "--print-config"]).stdout)
                run = launch(["solve", "--config", self.ini.with_name("printed.ini")], cwd=output.parent)
                self.assertEqual(run.code, DONE, str(run))
                self.assertEqual([path.name for path in output.parent.iterdir()], [name])

    def test_what_belongs_on_the_command_line(self) -> None:
        for word in ("config", "help", "print-config"):
            self.refused(f"{word} = true\n", "run.ini:1", word, "command line")

    def test_binary_file(self) -> None:
        run = launch(["solve", "--config", self.path, "--output", self.folder / "x.h5"])
        self.assertEqual(run.code, INPUT, str(run))
        self.assertIn("not a text file", run.stderr)
        self.assertTrue(run.stderr.replace("\n", "").isprintable(), repr(run.stderr))

    def test_help_and_version(self) -> None:
        for words in (["--help"], ["solve", "--help"], ["--version"]):
            run = launch(words)
            self.assertEqual(run.code, DONE, str(run))
            self.assertFalse(run.messages, str(run))
        run = launch(["solve", "--help"])
        for name in ("--data.source", "--kernel.readout-bias-variance", "--solver.grid", "--dynamics.t-max"):
            self.assertIn(name, run.stdout)
        self.assertRegex(launch(["--version"]).stdout, r"\d+\.\d+\.\d+")

    def test_report(self) -> None:
        """The closing report names the file and shows the modes; no escape codes where there is no terminal."""
        output = self.folder / "report.h5"
        run = launch(["solve", "--config", self.ini, "--output", output], ranks=2)
        self.assertEqual(run.code, DONE, str(run))
        for word in ("gamma", "tau", Path(output).name):
            self.assertIn(word, run.stdout)
        self.assertNotIn("\x1b", run.stdout + run.stderr)
        self.assertNotIn("\r", run.stdout + run.stderr)


if __name__ == "__main__":
    unittest.main()
