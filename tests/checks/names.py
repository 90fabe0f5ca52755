"""No path of one machine and no address of a package registry in the tree; every room has a
README.md.
"""

import re

import checklib
from checklib import Planted, Violation

TEXT = re.compile(r"(\.(cpp|hpp|c|h|py|sh|js|mjs|html|css|md|txt|toml|json|ya?ml|cmake)|/run|/install"
                  r"|CMakeLists\.txt|\.clang-\w+)$")
# /tmp and /usr are on every machine; these folders are not.
MACHINE_PATH = re.compile(r"(?<![\w.}$\-])/(?:work|root|farm|home|tmp/w)/[\w.\-]")
REGISTRY = re.compile(r"(?:registry\.(?:npmjs|yarnpkg)|files\.pythonhosted|pypi\.(?:org|python)|"
                      r"proxy\.golang|static\.crates|index\.crates|(?:deb|security|ftp)[\w.]*\.debian)"
                      r"\.?\w*", re.IGNORECASE)
# Folders of tests/ that mirror the source folders are described by these.
MIRRORS = ("protocol", "peer", "tracker", "player", "support")


def rooms_without_readme(names):
    rooms = set()
    for name in names:
        parts = name.split("/")
        if len(parts) < 3:
            continue
        is_source = parts[0] in checklib.SOURCE_FOLDERS and parts[1] != "include" \
            and name.endswith(checklib.CPP_SUFFIXES)
        is_other = parts[0] in ("tests", "samples") and parts[1] not in MIRRORS
        if is_source or is_other:
            rooms.add(f"{parts[0]}/{parts[1]}")
    return sorted(room for room in rooms if f"{room}/README.md" not in names)


def find_violations(root, build):
    del build
    names = checklib.tree_files(root)
    violations = [Violation(room, 0, "a room without README.md")
                  for room in rooms_without_readme(set(names))]
    for name in names:
        if not TEXT.search("/" + name):
            continue
        for number, line in enumerate(checklib.read(root, name).splitlines(), 1):
            for form, problem in ((MACHINE_PATH, "a path of one machine"),
                                  (REGISTRY, "the address of a package registry")):
                match = form.search(line)
                if match:
                    violations.append(Violation(name, number, f"{problem}: {match.group(0)}"))
    return violations


# Put together here so that this file does not name what it forbids.
WORK = "/" + "work" + "/main/x"
HOME = "/" + "home" + "/someone/x"
NPM = "registry" + ".npmjs.org"
PLANTED = [
    Planted("protocol/base/planted.cpp", f"// see {WORK}\n"),
    Planted("README.md", f"cd {HOME}\n"),
    Planted("tests/e2e/run", f"cat {HOME}\n"),
    Planted("package-lock.json", f'{{"resolved": "https://{NPM}/x"}}\n'),
    Planted("README.md", "https://example.org/work/x, net/work/y and $HOME/work/\n", breaks=False),
    Planted("peer/planted/x.hpp", "\n", named="peer/planted"),
    Planted("tests/planted/x.sh", "\n", named="tests/planted"),
    Planted("tests/peer/x_test.cpp", "\n", named="tests/peer", breaks=False),
    Planted("protocol/base/README.md", None, named="protocol/base"),
]

if __name__ == "__main__":
    checklib.main(__doc__, find_violations, PLANTED,
                  lambda name: name.startswith("protocol/base/") or name == "README.md")
