"""Pure code asks the system for nothing: the objects of ppsp_protocol, ppsp_engine and
ppsp_tracker_core use none of the symbols listed in purity_forbidden.txt.
"""

import re
import subprocess
import tempfile

import checklib
import rooms
from checklib import Path, Planted, Violation

LIST = Path(__file__).with_name("purity_forbidden.txt")
LIBRARIES = {"protocol": "protocol", "engine": "peer", "tracker_core": "tracker"}


def forbidden_by_library():
    patterns = {library: [] for library in LIBRARIES}
    current = []
    for line in LIST.read_text().splitlines():
        if line.startswith("["):
            current = line.strip("[]").split()
        elif line and not line.startswith("#"):
            for library in current:
                patterns[library].append(line)
    return {library: re.compile("|".join(f"(?:{one})" for one in some))
            for library, some in patterns.items()}


def undefined_symbols(objects):
    """{object: demangled names it asks for}; weak ones are somebody's choice, not a need."""
    listing = subprocess.run(["nm", "-A", "-u", "-C", *objects], capture_output=True, text=True,
                             check=True).stdout
    symbols = {}
    for line in listing.splitlines():
        match = re.match(r"(.*?):\s+U (.*)", line)
        if match:
            symbols.setdefault(match.group(1), []).append(match.group(2))
    return symbols


def find_violations(root, build):
    forbidden = forbidden_by_library()
    by_room = rooms.libraries_by_room(root)
    objects = {}
    violations = []
    for name in checklib.cpp_files(root):
        library = by_room.get(checklib.room_of(name))
        if library not in LIBRARIES or not rooms.is_pure(name, by_room) \
                or name.endswith(("_main.cpp", ".hpp")):
            continue
        folder, rest = name.split("/", 1)
        compiled = build / folder / "CMakeFiles" / f"ppsp_{library}.dir" / f"{rest}.o"
        if compiled.is_file():
            objects[str(compiled)] = (name, library)
        else:
            violations.append(Violation(name, 0, f"is not built in {build}"))
    for compiled, symbols in (undefined_symbols(objects) if objects else {}).items():
        name, library = objects[compiled]
        violations += [Violation(name, 0, f"asks the system: {symbol}") for symbol in symbols
                       if forbidden[library].fullmatch(symbol)]
    return violations


PLANTED = [
    Planted("peer/engine/planted.cpp", "#include <ctime>\nlong f() { return std::time(nullptr); }\n"),
    Planted("peer/engine/planted.cpp", "#include <thread>\nvoid f() { std::thread{[] {}}.join(); }\n"),
    Planted("peer/policy/planted.cpp",
            "#include <chrono>\nlong f() { return std::chrono::steady_clock::now()"
            ".time_since_epoch().count(); }\n"),
    Planted("peer/policy/planted.cpp", "#include <random>\nunsigned f() { return std::random_device{}(); }\n"),
    Planted("peer/channel/planted.cpp",
            "#include <sys/socket.h>\nlong f(int s, char* b) { return recv(s, b, 1, 0); }\n"),
    Planted("peer/content/planted.cpp",
            "#include <fstream>\n#include <string>\nstd::string f() { std::ifstream s{\"x\"}; std::string t; s >> t; return t; }\n"),
    Planted("peer/content/planted.cpp",
            "#include <openssl/evp.h>\nEVP_MD_CTX* f() { return EVP_MD_CTX_new(); }\n"),
    Planted("protocol/integrity/planted.cpp",
            "#include <openssl/evp.h>\nEVP_MD_CTX* f() { return EVP_MD_CTX_new(); }\n", breaks=False),
    Planted("protocol/wire/planted.cpp",
            "#include <openssl/rand.h>\nint f(unsigned char* b) { return RAND_bytes(b, 1); }\n"),
    Planted("tracker/registry/planted.cpp", "#include <cstdlib>\nchar* f() { return std::getenv(\"X\"); }\n"),
    Planted("peer/engine/planted.cpp",
            "#include <string>\n#include <vector>\nstd::vector<std::string> f() { return {\"a\", \"b\"}; }\n",
            breaks=False),
]


def plant_compiled(root, build, find, planted, wanted):
    """Compiles each planted file to where the build would put it."""
    del build

    def compile_and_find(copy, _):
        with tempfile.TemporaryDirectory(prefix="ppsp-purity-") as scratch:
            by_room = rooms.libraries_by_room(copy)
            for name in checklib.cpp_files(copy):
                folder, rest = name.split("/", 1)
                library = by_room[checklib.room_of(name)]
                compiled = Path(scratch, folder, "CMakeFiles", f"ppsp_{library}.dir", f"{rest}.o")
                compiled.parent.mkdir(parents=True)
                subprocess.run(["c++", "-std=c++20", "-O1", "-c", copy / name, "-o", compiled],
                               check=True)
            return find(copy, Path(scratch))

    return checklib.self_test(root, None, compile_and_find, planted, wanted)


if __name__ == "__main__":
    checklib.main(__doc__, find_violations, PLANTED, lambda name: name.endswith("CMakeLists.txt"),
                  plant_compiled)
