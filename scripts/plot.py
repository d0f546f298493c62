#!/usr/bin/env python3
"""Draws what is in a file of `stepwise`.

    plot.py FILE [FIGURE] [-o PICTURE.png|.pdf|.svg]      FIGURE: by default the first that the file has the data for
    plot.py FILE --list                                   the figures that it has the data for
"""
from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

SYSTEM_PYTHON = "/usr/bin/python3"  # has Debian's packages, also where another python3 comes first in PATH
SUFFIXES = (".png", ".pdf", ".svg")


def use_system_python(error: ImportError) -> None:
    """Starts again with the system's Python if that has the modules; otherwise says who lacks what."""
    lacking = f"{sys.executable}: {error}"
    if sys.executable != SYSTEM_PYTHON and os.access(SYSTEM_PYTHON, os.X_OK):
        trial = subprocess.run([SYSTEM_PYTHON, "-c", "import h5py, numpy, matplotlib"], stderr=subprocess.PIPE,
                               text=True)
        if trial.returncode == 0:
            os.execv(SYSTEM_PYTHON, [SYSTEM_PYTHON, *sys.argv])
        lacking += f"; {SYSTEM_PYTHON}: " + trial.stderr.strip().rpartition("\n")[2]
    sys.exit(f"plot.py: {lacking} (Debian: python3-h5py python3-matplotlib)")


try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from stepwise_plots import FIGURES
    from stepwise_plots.source import Refusal, open_result
except ImportError as error:
    use_system_python(error)


def about(module) -> str:
    return module.__doc__.strip().partition("\n")[0]


def parser() -> argparse.ArgumentParser:
    figures = "\n".join(f"  {name:12} {about(module)}" for name, module in FIGURES.items())
    parser = argparse.ArgumentParser(prog="plot.py", description=__doc__, epilog="figures:\n" + figures,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("figure", nargs="?", choices=FIGURES, metavar="FIGURE")
    parser.add_argument("-o", "--output", type=Path, help="picture to write; default: beside the file, as .png")
    parser.add_argument("--list", action="store_true", help="list the figures that the file has the data for")
    return parser


def choose(file, wanted: str | None) -> str:
    if wanted is None:
        wanted = next((name for name, module in FIGURES.items() if not module.lacks(file)), None)
        if wanted is None and "schema_name" in file.attrs:
            raise Refusal(f"{file.filename}: a {file.attrs['schema_name']} file, which has nothing to draw")
        if wanted is None:
            raise Refusal(f"{file.filename}: not a file of stepwise with anything to draw")
    elif lacking := FIGURES[wanted].lacks(file):
        raise Refusal(f"{file.filename}: the figure {wanted} needs {lacking}")
    return wanted


def run(arguments: argparse.Namespace) -> str:
    with open_result(arguments.file) as file:
        if arguments.list:
            return "\n".join(f"{name:12} {about(module)}" for name, module in FIGURES.items() if not module.lacks(file))
        name = choose(file, arguments.figure)
        extra = "" if arguments.figure is None else f"-{name}"
        output = arguments.output or arguments.file.with_name(arguments.file.stem + extra + ".png")
        if output.suffix.lower() not in SUFFIXES:
            raise Refusal(f"{output}: the picture's name must end in {', '.join(SUFFIXES)}")
        module = FIGURES[name]
        figure = plt.figure(figsize=module.SIZE if hasattr(module, "SIZE") else module.size(file), layout="constrained")
        module.draw(figure, file)
    try:
        figure.savefig(output)
    except OSError as error:
        raise Refusal(f"{output}: cannot write: {error.strerror}") from None
    return f"plot.py: wrote {output}"


def main() -> int:
    try:
        print(run(parser().parse_args()))
    except Refusal as refusal:
        print(f"plot.py: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
