"""Every header compiles alone.

A header that its own .cpp includes first is compiled alone by the build; the others are compiled here.
"""

import concurrent.futures
import json
import os
import shlex
import shutil
import subprocess
import tempfile

import checklib
from checklib import Planted, Violation

FOLDERS = checklib.SOURCE_FOLDERS + ("tests", "samples")


def compile_database(build):
    database = build / "compile_commands.json"
    if not database.is_file():
        raise RuntimeError(f"{database} is not there: configure the build first")
    return json.loads(database.read_text())


def search_flags(root, entries):
    """The -I, -isystem and -D of the whole build: a header says nothing about its target."""
    flags = {}
    for entry in entries:
        words = iter(shlex.split(entry["command"]))
        for word in words:
            if word == "-isystem":
                flags[word, next(words)] = None
            elif word.startswith("-I"):
                flags[word] = None
            elif word.startswith("-D"):
                # One value of each name will do.
                flags.setdefault(word.split("=")[0], word)
    words = ["-I", str(root)]
    for flag, value in flags.items():
        words += flag if isinstance(flag, tuple) else [value or flag]
    return words


def is_proved_by_build(root, name, built):
    """Whether x.cpp beside x.hpp is built, includes x.hpp before anything else, and x.hpp may be
    included twice.
    """
    source = name.removesuffix(".hpp") + ".cpp"
    if str(root / source) not in built or not (root / source).is_file():
        return False
    first = next(checklib.includes_of(checklib.read(root, source)), None)
    return first is not None and first[1] == name and "#pragma once" in checklib.read(root, name)


def compile_alone(root, name, flags, scratch):
    """Compiles a file that includes the header and nothing else; returns what is wrong."""
    stub = name.replace("/", "_") + ".cpp"
    # Twice: a header without a guard fails.
    (scratch / stub).write_text(f'#include "{name}"\n#include "{name}"\n')
    command = ["clang++-19", "-std=c++20", "-fPIC", *flags, "-c", stub, "-o", stub + ".o"]
    if shutil.which("ccache"):
        command.insert(0, "ccache")
    # From inside the folder, so that its name, another one every time, is not part of what ccache
    # compares.
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=300,
                          env=os.environ | {"CCACHE_BASEDIR": str(root)})
    errors = [line for line in done.stderr.splitlines() if "error:" in line]
    return None if done.returncode == 0 else (errors or [done.stderr.strip()])[0]


def find_violations(root, build):
    entries = compile_database(build)
    flags = search_flags(root, entries)
    built = {entry["file"] for entry in entries}
    names = [name for name in checklib.cpp_files(root, FOLDERS)
             if name.endswith(".hpp") and not is_proved_by_build(root, name, built)]
    with tempfile.TemporaryDirectory(prefix="ppsp-headers-") as scratch, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = list(pool.map(
            lambda name: compile_alone(root, name, flags, checklib.Path(scratch)), names))
    return [Violation(name, 0, f"does not compile alone: {problem}")
            for name, problem in zip(names, problems) if problem]


PLANTED = [
    Planted("protocol/base/planted.hpp", "#pragma once\nstd::string f();\n"),
    Planted("protocol/base/planted.hpp", "struct Twice {};\n"),
    Planted("protocol/base/planted.hpp", '#pragma once\n#include "protocol/base/missing.hpp"\n'),
    Planted("protocol/base/planted.hpp", "#pragma once\n#include <string>\nstd::string f();\n",
            breaks=False),
]

HIDDEN = "#pragma once\nstd::string f();\n"
PAIR = "protocol/base/planted"


def plant_pairs(root, build, find, planted, wanted):
    """The listed files, and then pairs of x.hpp and x.cpp of which the build has compiled x.cpp."""
    wrong = checklib.self_test(root, build, find, planted, wanted)
    for source, breaks in ((f'#include <string>\n#include "{PAIR}.hpp"\n', True),
                           (f'#include "{PAIR}.hpp"\n', False)):
        with tempfile.TemporaryDirectory(prefix="ppsp-check-") as scratch:
            copy = checklib.Path(scratch)
            (copy / PAIR).parent.mkdir(parents=True)
            (copy / f"{PAIR}.cpp").write_text(source)
            (copy / f"{PAIR}.hpp").write_text(HIDDEN)
            (copy / "compile_commands.json").write_text(
                json.dumps([{"file": str(copy / f"{PAIR}.cpp"), "command": "c++"}]))
            if bool(find(copy, copy)) != breaks:
                wrong.append(f"{PAIR}.hpp was judged wrongly beside:\n{source}")
    return wrong


if __name__ == "__main__":
    checklib.main(__doc__, find_violations, PLANTED, lambda name: False, plant_pairs)
