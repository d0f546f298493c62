"""What the program says about itself: help, manual page, completion; and settings printed to be read again."""
from __future__ import annotations

import re
import shutil
import subprocess
import unittest

from support import DONE, INPUT, PROGRAM, ProgramTest, Run, launch

COMMANDS = re.findall(r"^  stepwise (\w+) \[settings\]", launch(["--help"]).stdout, re.MULTILINE)
OPTION = re.compile(r"^  --([\w.-]+)(?: (\S+))?", re.MULTILINE)

# What is tried in turn until an option takes it. The first is hard on the INI file.
VALUES = ("a 'b' \"c\" \\ #d; = [e]", "true", "false", "2", "7", "0.125", "1e-3", "01:02:03", "rbf", "cb_nodes=2")


def options_of_help(command: str) -> dict[str, str]:
    """Metavar by name, as --help shows them."""
    return {name: metavar for name, metavar in OPTION.findall(launch([command, "--help"]).stdout)
            if name not in ("config", "print-config", "help")}


def printed(command: str, words: list[str]) -> Run:
    return launch([command, *words, "--print-config"])


class PrintedSettings(ProgramTest):
    def other_values(self, command: str) -> dict[str, str]:
        """For every option a value that is not its default and that it takes."""
        values: dict[str, list[str]] = {}
        defaults = dict(settings_of(printed(command, []).stdout))
        metavars = options_of_help(command)
        for name, metavar in metavars.items():
            choices = [word for word in metavar.split("|") if re.fullmatch(r"[a-z][\w-]*", word)]
            values[name] = [value for value in [*choices, *VALUES] if value != defaults[name]]
        for _ in range(40 * len(values)):
            run = printed(command, [f"--{name}={candidates[0]}" for name, candidates in values.items()])
            if run.code == DONE:
                return {name: candidates[0] for name, candidates in values.items()}
            refused = re.search(r"--([\w.-]+) is '", run.stderr)
            self.assertIsNotNone(refused, str(run))
            bad = values[refused[1]].pop(0)
            for name, candidates in values.items():  # nor will others of its kind take a text
                if bad == VALUES[0] == candidates[0] and metavars[name] == metavars[refused[1]]:
                    candidates.pop(0)
            self.assertTrue(values[refused[1]], f"no value for --{refused[1]}:\n{run}")
        raise AssertionError("no end")

    def test_every_setting_at_another_value_comes_back(self) -> None:
        self.assertGreaterEqual(set(COMMANDS), {"solve", "kernel"})
        for command in COMMANDS:
            with self.subTest(command):
                values = self.other_values(command)
                first = printed(command, [f"--{name}={value}" for name, value in values.items()])
                defaults = dict(settings_of(printed(command, []).stdout))
                settings = dict(settings_of(first.stdout))
                self.assertEqual(set(settings), set(values))
                unchanged = {name for name, text in settings.items() if text == defaults[name]}
                self.assertEqual(unchanged, set())
                ini = self.folder / f"{command}.ini"
                ini.write_text(first.stdout)
                self.assertEqual(printed(command, ["--config", str(ini)]).stdout, first.stdout)

    def test_defaults_come_back_over_other_values(self) -> None:
        """A printed file is complete: it leaves nothing to the defaults of the program that reads it."""
        for command in COMMANDS:
            run = printed(command, [])
            self.assertEqual({name for name, _ in settings_of(run.stdout)}, set(options_of_help(command)))
            self.assertNotIn("\n#", run.stdout)

    def test_empty_values(self) -> None:
        first = printed("solve", ["--kernel.network", "", "--output", ""])
        ini = self.folder / "run.ini"
        ini.write_text(first.stdout)
        self.assertEqual(printed("solve", ["--config", str(ini)]).stdout, first.stdout)


def settings_of(ini: str) -> list[tuple[str, str]]:
    section, settings = "", []
    for line in ini.splitlines():
        if line.startswith("["):
            section = line.strip("[]") + "."
        elif line:
            name, _, value = line.partition("=")
            settings.append((section + name.strip(), value.strip()))
    return settings


class Help(unittest.TestCase):
    def test_every_command(self) -> None:
        for command in COMMANDS:
            run = launch([command, "--help"])
            self.assertEqual((run.code, run.messages), (DONE, []), str(run))
            lines = run.stdout.splitlines()
            self.assertTrue(lines[0].startswith(f"stepwise {command}: "), lines[0])
            self.assertEqual([line for line in lines if len(line) > 100], [])
            self.assertEqual([line for line in lines if re.fullmatch(r"\[[\w-]+\]", line)], [], "a section in words")
            self.assertTrue(any(line.startswith("  ") and f"stepwise {command} " in line for line in lines), "an example")

    def test_slips(self) -> None:
        for words, meant in ((["slove"], "stepwise solve"), (["kernels"], "stepwise kernel"),
                             (["complete", "bash"], "stepwise completion"),
                             (["solve", "--depth", "3"], "--kernel.depth"),
                             (["solve", "--data.depth", "3"], "--kernel.depth"),
                             (["solve", "--kernal.dept", "3"], "--kernel.depth"),
                             (["solve", "--kernel.type", "laplase"], "laplace"),
                             (["solve", "--solver.method", "kyrlov"], "krylov")):
            run = launch(words)
            self.assertEqual(run.code, INPUT, str(run))
            self.assertIn(f"did you mean {meant}?", run.stderr)
            self.assertEqual(len(run.messages), 1, str(run))
        run = launch(["banana"])
        self.assertEqual(run.code, INPUT, str(run))
        self.assertNotIn("did you mean", run.stderr)

    def test_what_the_texts_refuse(self) -> None:
        for words in (["completion"], ["completion", "fish"], ["completion", "bash", "zsh"], ["man", "solve"]):
            run = launch(words)
            self.assertEqual((run.code, run.stdout), (INPUT, ""), str(run))
            self.assertIn("stepwise completion zsh", run.stderr)


class ManPage(unittest.TestCase):
    def test_renders_with_every_option(self) -> None:
        if shutil.which("groff") is None:
            self.skipTest("no groff (Debian: groff)")
        page = launch(["man"])
        self.assertEqual(page.code, DONE, str(page))
        shown = subprocess.run(["groff", "-man", "-ww", "-Tascii", "-P-cbou", "-rLL=200n"], input=page.stdout, text=True,
                               capture_output=True, check=True)
        self.assertEqual(shown.stderr, "")
        for heading in ("NAME", "SYNOPSIS", "COMMANDS", "CONFIGURATION FILES", "EXIT STATUS"):
            self.assertRegex(shown.stdout, rf"(?m)^{heading}$")
        for command in COMMANDS:
            self.assertRegex(shown.stdout, rf"(?m)^STEPWISE {command.upper()}$")
            for name, metavar in options_of_help(command).items():
                self.assertIn(f"--{name} {metavar}", shown.stdout)
        self.assertIn("0.7*ntk(depth=5) + 0.3*rbf*linear", shown.stdout)
        self.assertIn("exp(-r^2/(2 l^2))", shown.stdout)


@unittest.skipIf(shutil.which("bash") is None, "no bash")
class BashCompletion(unittest.TestCase):
    def complete(self, *words: str) -> list[str]:
        """What bash would offer for the last of `words`; compopt, which needs a terminal, is only recorded."""
        quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in ("stepwise", *words))
        script = (f'compopt() {{ echo "compopt $*"; }}; source <("{PROGRAM}" completion bash); COMP_WORDS=({quoted}); '
                  f"COMP_CWORD={len(words)}; _stepwise; printf '%s\\n' \"${{COMPREPLY[@]}}\"; complete -p stepwise")
        shown = subprocess.run(["bash", "--norc", "-euc", script], capture_output=True, text=True, check=True)
        self.assertEqual(shown.stderr, "")
        *offers, registered = shown.stdout.splitlines()
        self.assertEqual(registered, "complete -F _stepwise stepwise")
        return [offer for offer in offers if offer]

    def test_commands(self) -> None:
        self.assertEqual(self.complete(""), [*COMMANDS, "completion", "man", "--help", "--version"])
        self.assertEqual(self.complete("sol"), ["solve"])
        self.assertEqual(self.complete("completion", ""), ["bash", "zsh"])

    def test_options(self) -> None:
        for command in COMMANDS:
            everything = [*(f"--{name}" for name in options_of_help(command)), "--config", "--print-config", "--help"]
            self.assertEqual(self.complete(command, "--"), everything)
            takes_files = command in ("align", "verify", "info", "probe")
            self.assertEqual(self.complete(command, ""), ["compopt -o default"] if takes_files else everything)
        self.assertEqual(self.complete("solve", "--kernel.ty"), ["--kernel.type"])
        self.assertEqual(self.complete("solve", "--force", "--solver.met"), ["--solver.method"])
        self.assertEqual(self.complete("solve", "--data.source", "hdf5", "--solver.met"), ["--solver.method"])

    def test_values(self) -> None:
        for words in (["--data.source", ""], ["--data.source", "="], ["--data.source", "=", ""]):
            self.assertEqual(self.complete("solve", *words), ["synthetic", "cifar10", "mnist", "stl10", "hdf5"])
        self.assertEqual(self.complete("solve", "--data.source", "=", "c"), ["cifar10"])
        self.assertEqual(self.complete("solve", "--kernel.type", "n"), ["nngp", "ntk"])
        self.assertEqual(self.complete("solve", "--modes", ""), ["all"])
        self.assertEqual(self.complete("solve", "--force", ""), ["true", "false"])
        self.assertEqual(self.complete("solve", "--kernel.depth", ""), [])

    def test_files_and_directories(self) -> None:
        for name in ("--output", "--config", "--data.path"):
            self.assertEqual(self.complete("solve", name, "a"), ["compopt -o default"])
        self.assertEqual(self.complete("solve", "--checkpoint", "a"), ["compopt -o dirnames"])


class ZshCompletion(unittest.TestCase):
    def test_is_valid(self) -> None:
        if shutil.which("zsh") is None:
            self.skipTest("no zsh (Debian: zsh)")
        script = launch(["completion", "zsh"]).stdout
        checked = subprocess.run(["zsh", "-fn"], input=script, text=True, capture_output=True)
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_names_every_option(self) -> None:
        script = launch(["completion", "zsh"]).stdout
        for command in COMMANDS:
            for name in options_of_help(command):
                self.assertIn(f"'--{name}=", script)


if __name__ == "__main__":
    unittest.main()
