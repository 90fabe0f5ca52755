"""Include lines obey the arrows: protocol <- engine <- peer <- player, protocol <- tracker_core <-
tracker; nothing includes tests/; Boost, Asio, spdlog, CLI11 and OpenSSL stay where they cost nobody
else compile time.
"""

import re

import checklib
import rooms
from checklib import Planted, Violation

# Costly to parse, or no business of a caller: never in a header that another room includes.
PRIVATE = re.compile(r"^(boost/(?!asio|json/fwd\.hpp|system/)|spdlog/|fmt/|openssl/|toml\+\+/)")
# External headers of shells and media: no business of pure code at all.
IMPURE = re.compile(r"^(boost/(asio|beast)|spdlog/|CLI/|lib(av|sw)\w+/|gst/|glib|sys/socket|"
                    r"netinet/|unistd\.h|fstream|filesystem|thread|mutex|condition_variable|random$)")


def judge_quoted(name, included, root, by_room):
    """What is wrong with `#include "included"` in `name`, or None."""
    if included.startswith("tests/"):
        return "includes tests/"
    if not (root / included).is_file():
        return f'"{included}" is no path from the root of the tree'
    if included.split("/")[0] not in checklib.SOURCE_FOLDERS:
        return f'"{included}" lies outside {", ".join(checklib.SOURCE_FOLDERS)}'
    library = rooms.library_of(name, by_room)
    other = rooms.library_of(included, by_room)
    if other != library and other not in rooms.ALLOWED[library]:
        return f"{library} may not include {other} ({included})"
    if rooms.is_system_file(included) and rooms.is_pure(name, by_room):
        return f"{included} touches the system, and {library} is pure"
    return None


def judge_external(name, included, by_room):
    library = rooms.library_of(name, by_room)
    if rooms.is_pure(name, by_room) and IMPURE.match(included):
        return f"<{included}> in {library}, which is pure"
    if library == "engine" and re.match(r"^(openssl|boost)/", included):
        return f"<{included}> in the engine: ports are handed in"
    if included.startswith("boost/asio") and name.endswith(".hpp"):
        room = checklib.room_of(name) or ""
        if not rooms.SHELL.match(room) and not name.startswith("player/"):
            return f"<{included}> in a header outside */shell/ and protocol/net/"
    return None


def reached_from(header, users):
    """Files that include the header, directly or through other headers."""
    reached, todo = set(), [header]
    while todo:
        for user in users.get(todo.pop(), ()):
            if user not in reached:
                reached.add(user)
                # What a .cpp includes goes no further.
                todo += [user] if user.endswith(".hpp") else []
    return sorted(reached)


def leaked_headers(files, includes):
    """Costly includes that more files pay for than need them; yields violations."""
    users = {}
    for name in files:
        for _, included, quoted in includes[name]:
            if quoted:
                users.setdefault(included, set()).add(name)
    for name in files:
        external = [(line, included) for line, included, quoted in includes[name] if not quoted]
        payers = reached_from(name, users) if name.endswith(".hpp") else [name]
        outside = [user for user in payers if checklib.room_of(user) != checklib.room_of(name)]
        no_main = [user for user in payers if user.endswith(".cpp") and "_main." not in user]
        for line, included in external:
            if PRIVATE.match(included) and (outside or "/include/" in name):
                yield Violation(name, line, f"<{included}> in a header that reaches "
                                f"{outside[0] if outside else 'other programs'}")
            if included.startswith("CLI/") and no_main:
                yield Violation(name, line, f"<{included}> reaches {no_main[0]}; it belongs into "
                                "*_main.cpp, or a header that only those include")


def find_violations(root, build):
    del build
    by_room = rooms.libraries_by_room(root)
    files = checklib.cpp_files(root)
    includes = {name: list(checklib.includes_of(checklib.read(root, name))) for name in files}
    violations = []
    for name in files:
        for line, included, quoted in includes[name]:
            problem = (judge_quoted(name, included, root, by_room) if quoted
                       else judge_external(name, included, by_room))
            if problem:
                violations.append(Violation(name, line, problem))
    return violations + list(leaked_headers(files, includes))


PLANTED = [
    Planted("protocol/base/planted.hpp", '#include "peer/engine/planted_io.hpp"\n'),
    Planted("protocol/base/planted.hpp", '#include "protocol/base/time.hpp"\n', breaks=False),
    Planted("protocol/base/planted.hpp", '#include "time.hpp"\n'),
    Planted("protocol/base/planted.hpp", '#include "tests/support/pair.hpp"\n'),
    Planted("protocol/wire/planted.cpp", '#include <boost/asio.hpp>\n'),
    Planted("protocol/wire/planted.cpp", '#include <spdlog/spdlog.h>\n'),
    Planted("protocol/wire/planted.cpp", '#include <boost/json.hpp>\n', breaks=False),
    Planted("protocol/base/time.hpp", '#include <boost/json.hpp>\n'),
    Planted("protocol/wire/planted.hpp", '#include <boost/json.hpp>\n', breaks=False),
    Planted("peer/engine/planted.hpp", '#include "protocol/base/time.hpp"\n', breaks=False),
    Planted("peer/engine/planted.cpp", '#include <openssl/evp.h>\n'),
    Planted("peer/policy/planted.cpp", '#include <thread>\n'),
    Planted("peer/engine/planted.cpp", '#include "protocol/integrity/key_file.hpp"\n'),
    Planted("peer/shell/planted.cpp", '#include "protocol/integrity/key_file.hpp"\n', breaks=False),
    Planted("protocol/integrity/key_file.cpp", "#include <unistd.h>\n", breaks=False),
    Planted("protocol/integrity/key_files.cpp", "#include <unistd.h>\n"),
    Planted("peer/shell/planted.hpp", '#include <boost/asio.hpp>\n', breaks=False),
    Planted("peer/ingest/planted.hpp", '#include <boost/asio.hpp>\n'),
    Planted("peer/shell/planted.cpp", '#include <CLI/CLI.hpp>\n'),
    Planted("protocol/base/time.hpp", '#include <CLI/CLI.hpp>\n'),
    Planted("peer/shell/planted_options.hpp", '#include <CLI/CLI.hpp>\n', breaks=False),
    Planted("peer/shell/planted_main.cpp", '#include <CLI/CLI.hpp>\n', breaks=False),
    Planted("peer/include/ppsp/planted.hpp", '#include <boost/json.hpp>\n'),
]
# Further arrows, to a header that is there in the copy: (from, to, allowed).
TARGETS = {"protocol/base/time.hpp": "protocol", "protocol/net/planted_x.hpp": "net",
           "peer/engine/planted_x.hpp": "engine", "peer/shell/planted_x.hpp": "peer",
           "tracker/registry/planted_x.hpp": "tracker_core", "player/bridge/planted_x.hpp": "player",
           "protocol/integrity/key_file.hpp": None}
SOURCES = {"protocol/wire/planted.cpp": "protocol", "protocol/net/planted.cpp": "net",
           "peer/engine/planted.cpp": "engine", "peer/shell/planted.cpp": "peer",
           "tracker/registry/planted.cpp": "tracker_core", "tracker/shell/planted.cpp": "tracker",
           "player/bridge/planted.cpp": "player"}


def plant_all(root, build, find, planted, wanted):
    """The listed files, and then every pair of libraries."""
    def find_with_targets(copy, build):
        for name in TARGETS:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).touch()
        return find(copy, build)

    pairs = [Planted(source, f'#include "{target}"\n',
                     breaks=of_target != of_source and of_target not in rooms.ALLOWED[of_source])
             for source, of_source in SOURCES.items() for target, of_target in TARGETS.items()
             if of_target]
    return checklib.self_test(root, build, find_with_targets, planted + pairs, wanted)


if __name__ == "__main__":
    checklib.main(__doc__, find_violations, PLANTED,
                  lambda name: name.endswith("CMakeLists.txt") or
                  name.startswith(("protocol/base/", "protocol/congestion/")),
                  plant_all)
