"""Every header compiles alone."""

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


def search_flags(root, build):
    """The -I, -isystem and -D of the whole build: a header says nothing about its target."""
    database = build / "compile_commands.json"
    if not database.is_file():
        raise RuntimeError(f"{database} is not there: configure the build first")
    flags = {}
    for entry in json.loads(database.read_text()):
        words = iter(shlex.split(entry["command"]))
        for word in words:
            if word == "-isystem":
                flags[word, next(words)] = None
            elif word.startswith(("-I", "-D")):
                flags[word,] = None
    return ["-I", str(root)] + [word for flag in flags for word in flag]


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
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=120,
                          env=os.environ | {"CCACHE_BASEDIR": str(root)})
    errors = [line for line in done.stderr.splitlines() if "error:" in line]
    return None if done.returncode == 0 else (errors or [done.stderr.strip()])[0]


def find_violations(root, build):
    flags = search_flags(root, build)
    names = [name for name in checklib.cpp_files(root, FOLDERS) if name.endswith(".hpp")]
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

if __name__ == "__main__":
    checklib.main(__doc__, find_violations, PLANTED, lambda name: False)
