#!/usr/bin/env python3
"""Checks every #include against the diagram of the house: the stepwise_room() lines of CMakeLists.txt.

A room may include itself and what its LIBRARIES reach; apps may include every room's public headers; the tests of a
room may include what the room may, what their stepwise_test() line names after LIBRARIES, and tests/support. Headers
beside the sources (src/<room>/*.hpp) follow the same arrows but never enter a public header, apps or another room's
tests. Headers of foreign libraries need the library in the room's lines. Exit code 1 with file:line for every include
that breaks this.

    check_layers.py [--root DIRECTORY] [--selftest]
"""
from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

SOURCES = {".cpp", ".hpp", ".h", ".c"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# Foreign headers with a place of their own: prefix of the header -> target that must stand in the room's lines.
FOREIGN = {
    "mpi.h": "MPI::MPI_CXX",
    "hdf5.h": "stepwise::hdf5",
    "hdf5_hl.h": "stepwise::hdf5",
    "elpa/": "stepwise::elpa",
    "omp.h": "OpenMP::OpenMP_CXX",
    "zlib.h": "ZLIB::ZLIB",
    "boost/program_options": "Boost::program_options",
    "boost/numeric/odeint": "Boost::headers",
}


@dataclass
class Room:
    name: str
    public: list[str] = field(default_factory=list)
    private: list[str] = field(default_factory=list)


def read_calls(path: Path, function: str) -> list[list[str]]:
    """The arguments of every call of a CMake function in one file."""
    text = re.sub(r"#[^\n]*", "", path.read_text()) if path.is_file() else ""
    return [call.split() for call in re.findall(rf"\b{function}\s*\(([^)]*)\)", text) if "${" not in call]


def sections(arguments: list[str], keywords: set[str]) -> dict[str, list[str]]:
    """Arguments grouped by the keyword before them; those before any keyword under ''."""
    groups: dict[str, list[str]] = {"": []}
    current = ""
    for argument in arguments:
        if argument in keywords:
            current = argument
            groups.setdefault(current, [])
        else:
            groups[current].append(argument)
    return groups


def read_rooms(root: Path) -> dict[str, Room]:
    rooms = {}
    for arguments in read_calls(root / "CMakeLists.txt", "stepwise_room"):
        groups = sections(arguments, {"LIBRARIES", "PRIVATE"})
        name = groups[""][0]
        rooms[name] = Room(name, groups.get("LIBRARIES", []), groups.get("PRIVATE", []))
    return rooms


def read_test_libraries(root: Path) -> dict[str, list[str]]:
    extra: dict[str, list[str]] = {}
    for arguments in read_calls(root / "tests/CMakeLists.txt", "stepwise_test"):
        groups = sections(arguments, {"LIBRARIES", "PROCESSORS", "LABELS", "NAME"})
        libraries = [name.removeprefix("stepwise::") for name in groups.get("LIBRARIES", [])]
        extra.setdefault(groups[""][0], []).extend(libraries)
    return extra


def reach(rooms: dict[str, Room], names: list[str]) -> set[str]:
    """Everything reached from `names` through LIBRARIES, rooms and foreign targets alike."""
    seen: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(rooms[name].public if name in rooms else [])
    return seen


def find_cycle(edges: dict[str, set[str]]) -> list[str] | None:
    """One cycle of the graph, first node repeated at the end."""
    done: set[str] = set()

    def walk(node: str, path: list[str]) -> list[str] | None:
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        for after in sorted(edges.get(node, ())):
            cycle = walk(after, path + [node])
            if cycle:
                return cycle
        done.add(node)
        return None

    for start in sorted(edges):
        cycle = walk(start, [])
        if cycle:
            return cycle
    return None


class Checker:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.rooms = read_rooms(root)
        self.test_libraries = read_test_libraries(root)
        self.problems: list[str] = []
        self.edges: dict[str, set[str]] = {name: set() for name in self.rooms}
        self.files = 0

    def place_of(self, path: Path) -> tuple[str, str] | None:
        """(kind, room) of a file, kind being public, source, test, app or support."""
        parts = path.relative_to(self.root).parts
        if parts[:2] == ("include", "stepwise") and len(parts) > 3:
            return "public", parts[2]
        if parts[0] == "src" and len(parts) > 2:
            return "source", parts[1]
        if parts[0] == "apps":
            return "app", ""
        if parts[0] == "tests" and len(parts) > 2:
            return ("support", "") if parts[1] == "support" else ("test", parts[1])
        return None

    def target_of(self, path: Path, header: str, quoted: bool) -> tuple[str, str] | None:
        """(kind, room) of the included header; None for what is not ours."""
        if header.startswith("stepwise/"):
            parts = header.split("/")
            return "public", parts[1] if len(parts) > 2 else ""
        if quoted:
            for base in (path.parent, self.root / "src", self.root / "tests"):
                found = Path(base, header).resolve()
                if found.is_file() and found.is_relative_to(self.root):
                    return self.place_of(found)
        return None

    def allowed(self, place: tuple[str, str], public_only: bool) -> set[str]:
        kind, room = place
        if kind == "app":
            return reach(self.rooms, list(self.rooms)) | {lib for r in self.rooms.values() for lib in r.private}
        if kind == "support":
            return reach(self.rooms, ["dist"])
        names = {room} | reach(self.rooms, self.rooms[room].public)
        if not public_only:
            names |= reach(self.rooms, self.rooms[room].private)
        if kind == "test":
            names |= reach(self.rooms, self.test_libraries.get(room, []))
            names |= {"MPI::MPI_CXX"}  # the tests' main function starts MPI
        return names

    def check_include(self, path: Path, line: int, place: tuple[str, str], header: str, quoted: bool) -> None:
        kind, room = place
        where = f"{path.relative_to(self.root)}:{line}"
        who = {"app": "apps", "support": "tests/support"}.get(kind, f"room {room}")
        allowed = self.allowed(place, public_only=kind == "public")
        target = self.target_of(path, header, quoted)
        if target is None:
            for prefix, library in FOREIGN.items():
                if header.startswith(prefix) and library not in allowed:
                    self.problems.append(f"{where}: {who} may not include <{header}>: {library} is not among its "
                                         f"{'LIBRARIES' if kind == 'public' else 'LIBRARIES or PRIVATE'}")
            return
        target_kind, target_room = target
        if target_kind == "support":
            if kind not in ("test", "support"):
                self.problems.append(f"{where}: {who} may not include test code ({header})")
        elif target_kind == "source":
            if kind in ("public", "app", "support") or (kind == "test" and target_room != room):
                self.problems.append(f"{where}: {who} may not include {header}: headers in src/{target_room} "
                                     "are for the sources of rooms")
            elif target_room not in allowed:
                self.problems.append(f"{where}: {who} may not include {header}: room {target_room} is not among what "
                                     "it may use")
        elif target_kind != "public":
            if target != place:
                self.problems.append(f"{where}: {who} may not include {header}")
        elif target_room not in self.rooms:
            self.problems.append(f"{where}: {header} belongs to no room of CMakeLists.txt")
        elif target_room not in allowed:
            may = ", ".join(sorted(allowed & set(self.rooms)))
            self.problems.append(f"{where}: {who} may not include {header}: room {target_room} is not among what it "
                                 f"may use ({may})")
        if kind in ("public", "source") and target_room in self.rooms and target_room != room:
            self.edges[room].add(target_room)

    def run(self) -> list[str]:
        if not self.rooms:
            return [f"{self.root / 'CMakeLists.txt'}: no stepwise_room(...) lines found"]
        declared = {name: set(room.public + room.private) & set(self.rooms) for name, room in self.rooms.items()}
        cycle = find_cycle(declared)
        if cycle:
            self.problems.append("CMakeLists.txt: the rooms use each other in a circle: " + " -> ".join(cycle))
        for folder in ("include", "src", "apps", "tests"):
            for path in sorted((self.root / folder).rglob("*")):
                if path.suffix not in SOURCES or not path.is_file():
                    continue
                place = self.place_of(path)
                if place is None or (place[0] == "test" and place[1] not in self.rooms):
                    continue
                self.files += 1
                if place[1] and place[1] not in self.rooms:
                    self.problems.append(f"{path.relative_to(self.root)}:1: {place[1]} is no room of CMakeLists.txt")
                    continue
                for number, text in enumerate(path.read_text(errors="replace").splitlines(), 1):
                    match = INCLUDE.match(text)
                    if match:
                        self.check_include(path, number, place, match[2], match[1] == '"')
        cycle = find_cycle(self.edges)
        if cycle:
            self.problems.append("include/, src/: rooms include each other in a circle: " + " -> ".join(cycle))
        return self.problems


def selftest() -> None:
    """A toy tree with one mistake of each kind; each must be found, and nothing else."""
    files = {
        "CMakeLists.txt": "stepwise_room(a LIBRARIES x::x)\nstepwise_room(b LIBRARIES a MPI::MPI_CXX)\n"
                          "stepwise_room(c LIBRARIES a)\nstepwise_room(d LIBRARIES b PRIVATE stepwise::elpa)\n"
                          "stepwise_room(dist LIBRARIES a)\n",
        "tests/CMakeLists.txt": "stepwise_test(a PROCESSORS 1 2)\n"
                                "stepwise_test(c PROCESSORS 1 LIBRARIES stepwise::b)\n",
        "include/stepwise/a/a.hpp": "#include <vector>\n#include \"stepwise/b/b.hpp\"\n",  # upwards, and a circle
        "include/stepwise/b/b.hpp": "#include \"stepwise/a/a.hpp\"\n#include <mpi.h>\n",
        "src/b/inner.hpp": "",
        "include/stepwise/b/c.hpp": "#include \"b/inner.hpp\"\n",  # not part of the interface
        "src/b/b.cpp": "#include \"b/inner.hpp\"\n#include \"stepwise/b/b.hpp\"\n",
        "src/c/c.cpp": "#include \"stepwise/b/b.hpp\"\n#include <mpi.h>\n#include \"b/inner.hpp\"\n",  # all three
        "src/d/d.cpp": "#include \"b/inner.hpp\"\n#include <elpa/elpa.h>\n#include <mpi.h>\n",
        "include/stepwise/d/d.hpp": "#include <elpa/elpa.h>\n",  # private library in a public header
        "tests/support/help.hpp": "",
        "tests/a/a_test.cpp": "#include \"support/help.hpp\"\n#include \"stepwise/c/c.hpp\"\n",  # sideways
        "tests/c/c_test.cpp": "#include \"stepwise/b/b.hpp\"\n#include \"../support/help.hpp\"\n",
        "apps/main.cpp": "#include \"stepwise/d/d.hpp\"\n#include \"stepwise/z/z.hpp\"\n",  # no such room
    }
    expected = ["apps/main.cpp:2", "include/stepwise/a/a.hpp:2", "include/stepwise/b/c.hpp:1",
                "include/stepwise/d/d.hpp:1", "include/, src/", "src/c/c.cpp:1", "src/c/c.cpp:2", "src/c/c.cpp:3",
                "tests/a/a_test.cpp:2"]
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        found = Checker(Path(folder).resolve()).run()
        where = sorted(problem.split(": ")[0] for problem in found)
        if where != sorted(expected):
            sys.exit("check_layers selftest failed\nexpected: " + "\n  ".join(sorted(expected)) + "\nfound:\n  "
                     + "\n  ".join(found))
    print("check_layers: selftest passed")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--selftest", action="store_true", help="check the checker on a toy tree")
    arguments = parser.parse_args()
    if arguments.selftest:
        selftest()
        return 0
    checker = Checker(arguments.root.resolve())
    problems = checker.run()
    for problem in problems:
        print(problem)
    if problems:
        print(f"check_layers: {len(problems)} problem(s)", file=sys.stderr)
        return 1
    print(f"check_layers: {checker.files} files, {len(checker.rooms)} rooms, every include is allowed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
