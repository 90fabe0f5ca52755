"""Coroutines live in */shell/ and protocol/net/, and two forms that g++ 12.2 miscompiles do not occur
at all: a lambda with captures that is a coroutine, and co_await inside a conditional expression.
"""

import re

import checklib
import rooms
from checklib import Planted, Violation

FOLDERS = checklib.SOURCE_FOLDERS + ("tests", "samples")
COROUTINE = re.compile(r"\bco_(?:await|return|yield)\b|\bawaitable\s*<")
CAPTURING_LAMBDA = re.compile(
    r"\[[^\[\]]*[^\s\[\]][^\[\]]*\]\s*(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?\s*(?:mutable|noexcept|\s)*"
    r"->\s*[\w:]*\bawaitable\s*<")
CONDITIONAL = re.compile(r"\?(?:[^;{}?]|\{[^{};]*\})*\bco_await\b")


def is_home(name):
    """Tests and samples speak to shells, so they may."""
    room = checklib.room_of(name) or ""
    return name.split("/")[0] in ("tests", "samples") or bool(rooms.SHELL.match(room))


def find_violations(root, build):
    del build
    violations = []
    for name in checklib.cpp_files(root, FOLDERS):
        code = checklib.code_of(checklib.read(root, name))
        forms = [(CAPTURING_LAMBDA, "a lambda with captures is a coroutine"),
                 (CONDITIONAL, "co_await inside a conditional expression")]
        if not is_home(name):
            forms.append((COROUTINE, "a coroutine outside */shell/ and protocol/net/"))
        for form, problem in forms:
            violations += [Violation(name, checklib.line_of(code, match.start()), problem)
                           for match in form.finditer(code)]
    return violations


SHELL_FILE = "peer/shell/planted.cpp"
PLANTED = [
    Planted("peer/engine/planted.cpp", "void f() { co_return; }\n"),
    Planted("peer/engine/planted.hpp", "net::awaitable<void> f();\n"),
    Planted("peer/ingest/planted.cpp", "net::awaitable<void> f() { co_await g(); }\n"),
    Planted("peer/engine/planted.cpp", "// co_await\nauto s = \"co_await\";\n", breaks=False),
    Planted(SHELL_FILE, "net::awaitable<void> f() { co_await g(); }\n", breaks=False),
    Planted("protocol/net/planted.cpp", "void f() { if (r) { t = co_await g(); } }\n", breaks=False),
    Planted(SHELL_FILE, "auto t = co_await co_spawn(e, [copy]() -> net::awaitable<void> { co_return; }, u);\n"),
    Planted(SHELL_FILE, "auto l = [&, v = std::move(v)](int a, F (*f)(int)) mutable\n    -> awaitable<int> {};\n"),
    Planted(SHELL_FILE, "auto l = []() -> net::awaitable<void> { co_return; };\n", breaks=False),
    Planted(SHELL_FILE, "auto l = [x](int a) -> int { return a + x; };\n", breaks=False),
    Planted(SHELL_FILE, "auto t = ready ? co_await read_line()\n                : std::string{};\n"),
    Planted(SHELL_FILE, "auto t = ready ? std::string{} : co_await read_line();\n"),
    Planted(SHELL_FILE, "void f() { if (a ? b : c) { co_await g(); } }\n", breaks=False),
    Planted("tests/peer/planted_test.cpp", "auto t = ready ? 1 : co_await g();\n"),
]

if __name__ == "__main__":
    checklib.main(__doc__, find_violations, PLANTED, lambda name: False)
