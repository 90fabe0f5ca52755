"""clang-format 19 would change nothing."""

import re
import subprocess

import checklib
from checklib import Planted, Violation

FOLDERS = checklib.SOURCE_FOLDERS + ("tests", "samples")


def find_violations(root, build):
    del build
    names = checklib.cpp_files(root, FOLDERS)
    violations = []
    for start in range(0, len(names), 20):
        checked = subprocess.run(["clang-format-19", "--dry-run", "--ferror-limit=3"]
                                 + names[start:start + 20], cwd=root, capture_output=True, text=True)
        found = re.findall(r"^([^\s:][^:\n]*):(\d+):\d+: (?:warning|error): code should be",
                           checked.stderr, re.MULTILINE)
        if checked.returncode != 0 and not found:
            raise RuntimeError(checked.stderr)
        violations += [Violation(name, int(line), "clang-format-19 -i would change this line")
                       for name, line in sorted(set(found))]
    return violations


PLANTED = [
    Planted("peer/engine/planted.cpp", "int  f( ){return 1;}\n"),
    Planted("tests/peer/planted_test.cpp", "int const x=1;\n"),
    Planted("protocol/base/planted.hpp", "int const x = 1;\n", breaks=False),
]

if __name__ == "__main__":
    checklib.main(__doc__, find_violations, PLANTED, lambda name: name == ".clang-format")
