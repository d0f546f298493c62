"""What every refused run has in common: its exit code, one message, nothing left behind."""
from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Sequence

from support import INPUT, ProgramTest, Run, launch

SECONDS = 30  # a refusal is quick


class RefusalTest(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.out = self.folder / "out"
        self.out.mkdir()
        self.here = self.folder / "here"
        self.here.mkdir()

    def contents(self) -> dict[Path, bytes]:
        """Every file, hidden ones too, in the output and the working directory."""
        return {path: path.read_bytes() if path.is_file() else b"" for folder in (self.out, self.here)
                for path in folder.rglob("*")}

    def refuse(self, words: Sequence[object], *patterns: str, code: int | tuple[int, ...] = INPUT,
               ranks: Sequence[int] = (2,), output: str | Path | None = "") -> None:
        """Each of `ranks`: `stepwise WORDS --output OUTPUT` ends with `code` and one message that has every pattern."""
        words = list(words)
        if output is not None:
            words += ["--output", output or self.out / "result.h5"]
        codes = code if isinstance(code, tuple) else (code,)
        for count in ranks:
            with self.subTest(" ".join(map(str, words)), ranks=count):
                before = self.contents()
                start = time.monotonic()
                run = launch(words, count, cwd=self.here)
                self.assertLess(time.monotonic() - start, SECONDS)
                self.assertIn(run.code, codes, str(run))
                self.check_message(run, patterns)
                self.assertEqual(self.contents(), before, "something was left behind or changed")

    def check_message(self, run: Run, patterns: Sequence[str]) -> None:
        """The log's header, warnings, stages that went well; then the one message, once."""
        before = r"[\w ,]+: \d+\.\d s|stepwise \d+\.\d+\.\d+ \(commit .*\)|  [\w]+ +\S.*|stepwise: warning: .*"
        while run.messages and re.fullmatch(before, run.messages[0]):
            run.messages.pop(0)
        text = "\n".join(run.messages)
        self.assertTrue(text.startswith("stepwise: error: "), str(run))
        self.assertEqual(text.count("stepwise: "), 1, f"one message, once\n{run}")
        self.assertNotRegex(text, r"\[rank \d+\]|terminate called|Segmentation|HDF5-DIAG|Traceback", str(run))
        for pattern in patterns:
            self.assertIsNotNone(re.search(pattern, text, re.IGNORECASE | re.DOTALL), f"no /{pattern}/ in\n{run}")
