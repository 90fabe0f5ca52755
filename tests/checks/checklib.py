"""What the checks share: which files there are, C++ text without comments, and the self-test.

A check is a module with a docstring and a function find_violations(root, build) that returns
violations. Its self-test plants files in a temporary copy of the tree and expects the check to name
exactly those that break the rule.
"""

import argparse
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

Path = pathlib.Path
SOURCE_FOLDERS = ("protocol", "peer", "tracker", "player")
CPP_SUFFIXES = (".hpp", ".cpp")


@dataclasses.dataclass(frozen=True)
class Violation:
    path: str  # relative to the root
    line: int  # 0: the file as a whole
    text: str

    def __str__(self):
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.text}"


@dataclasses.dataclass(frozen=True)
class Planted:
    """A file put into the copy; `breaks` tells whether the check must name it (or `named`)."""

    path: str
    content: str | None  # None: the file is deleted
    breaks: bool = True
    named: str | None = None


def tree_files(root):
    """Paths relative to root: what git tracks or would track, or all files where git is not."""
    if (root / ".git").exists():
        listing = subprocess.run(
            ["git", "-c", f"safe.directory={root}", "-C", root, "ls-files", "-z", "--cached",
             "--others", "--exclude-standard"], capture_output=True, text=True)
        if listing.returncode == 0:
            names = sorted(set(listing.stdout.split("\0")) - {""})
            return [name for name in names if (root / name).is_file()]
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in ("build", ".git", ".cache")]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in files]
    return sorted(found)


def cpp_files(root, folders=SOURCE_FOLDERS):
    return [name for name in tree_files(root)
            if name.endswith(CPP_SUFFIXES) and name.split("/")[0] in folders]


def read(root, name):
    return (root / name).read_text(encoding="utf-8", errors="replace")


_TOKENS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\\ ]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL)


def code_of(text):
    """The text with comments and literals blanked, every line where it was."""
    def blank(match):
        token = match.group(0)
        # 1'000'000: the separators are no character literals.
        if token.startswith("'") and text[match.start() - 1:match.start()].isalnum():
            return token
        return re.sub(r"[^\n]", " ", token)
    return _TOKENS.sub(blank, text)


def includes_of(text):
    """(line, name, quoted) of every include."""
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
        if match:
            yield number, match.group(1) or match.group(2), match.group(1) is not None


def room_of(name):
    """protocol/wire/x.hpp -> protocol/wire; a file beside the rooms has none."""
    parts = name.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else None


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def copy_tree(root, to, wanted):
    for name in tree_files(root):
        if wanted(name):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, to / name)


def self_test(root, build, find_violations, planted, wanted):
    """Plants each file alone; returns what went wrong."""
    wrong = []
    with tempfile.TemporaryDirectory(prefix="ppsp-check-") as scratch:
        copy = Path(scratch)
        copy_tree(root, copy, wanted)
        for plant in planted:
            target = copy / plant.path
            before = target.read_bytes() if target.exists() else None
            if plant.content is None:
                target.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(plant.content)
            named = {violation.path for violation in find_violations(copy, build)}
            if ((plant.named or plant.path) in named) != plant.breaks:
                verb = "was not found" if plant.breaks else "was taken for a violation"
                wrong.append(f"{plant.path} {verb}:\n{plant.content or '(deleted)'}")
            if before is None:
                target.unlink()
            else:
                target.write_bytes(before)
    return wrong


def main(doc, find_violations, planted, wanted=lambda name: True, plant_test=self_test):
    """Exit status 0: the rule is kept; 1: it is not, and stdout says where."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--build", type=Path, help="build folder, default ROOT/build/dev")
    parser.add_argument("--self-test", action="store_true",
                        help="show that planted violations are found, in a temporary copy")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    build = (arguments.build or root / "build/dev").resolve()
    if arguments.self_test:
        wrong = plant_test(root, build, find_violations, planted, wanted)
        print("\n".join(wrong) or f"{len(planted)} planted files judged rightly")
        sys.exit(1 if wrong else 0)
    violations = find_violations(root, build)
    for violation in violations:
        print(violation)
    print(f"{len(violations)} violations")
    sys.exit(1 if violations else 0)
