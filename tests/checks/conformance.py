"""tests/conformance/rules.toml is whole: each rule has tests that exist, or an excuse, or says what
is open; every test that carries a rule's id is listed there; and REPORT.md is what report.py makes.
"""

import importlib.util
import re
import tomllib

import checklib
from checklib import Path, Planted, Violation

FOLDER = "tests/conformance"
RULES = f"{FOLDER}/rules.toml"
REPORT = f"{FOLDER}/REPORT.md"
ID = re.compile(r"(PP|LB)-\d+(\.\d+)*-[a-z]")
SECTION = re.compile(r"RFC (7574|6817) §\d+(\.\d+)*")
FIELDS = {"id", "level", "section", "text", "note", "tests", "excuse", "open"}
TEST = re.compile(r"\b(?:TEST|TEST_F|TEST_P|TYPED_TEST|RC_GTEST_PROP|RC_GTEST_FIXTURE_PROP)\s*"
                  r"\(\s*(\w+)\s*,\s*(\w+)")
NAMED_AFTER = re.compile(r"(PP|LB)_((?:\d+_)+)([a-z])_")


def generator():
    """report.py beside this tree's rules, whatever tree is checked: a copy may lack it."""
    path = Path(__file__).resolve().parents[1] / "conformance/report.py"
    spec = importlib.util.spec_from_file_location("conformance_report", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tests_of(root):
    """{"Suite.Name": (file, line)} of every GoogleTest in the tree."""
    found = {}
    for name in checklib.cpp_files(root, ("tests",)):
        text = checklib.code_of(checklib.read(root, name))
        for match in TEST.finditer(text):
            found[f"{match[1]}.{match[2]}"] = (name, checklib.line_of(text, match.start()))
    return found


def rule_named_by(test):
    """PP_3_1_1_a_datagram_1 -> PP-3.1.1-a; None for a name without a rule."""
    match = NAMED_AFTER.match(test.split(".")[1])
    return f"{match[1]}-{match[2].strip('_').replace('_', '.')}-{match[3]}" if match else None


def problems_of(rule, report, tests):
    if not ID.fullmatch(rule.get("id", "")):
        yield "an id has the form PP-3.1.1-a"
    if rule.get("level") not in report.LEVELS:
        yield f"its level is none of {', '.join(report.LEVELS)}"
    if not SECTION.fullmatch(rule.get("section", "")):
        yield "its section has the form RFC 7574 §3.1"
    if not rule.get("text", "").endswith("."):
        yield "its text is no sentence"
    yield from (f"unknown field {field}" for field in sorted(set(rule) - FIELDS))
    state = report.state_of(rule)
    if state is None:
        yield "it needs exactly one of tests, excuse and open"
    elif state != "tests" and not str(rule[state]).endswith("."):
        yield f"its {state} is no sentence"
    elif state == "tests" and not rule["tests"]:
        yield "its list of tests is empty"
    named = rule.get("tests", [])
    yield from (f"there is no test {test}" for test in named if test not in tests)
    yield from (f"test {test} is listed twice" for test in set(named) if named.count(test) > 1)


def find_violations(root, build):
    del build
    report = generator()
    text = checklib.read(root, RULES)
    try:
        rules = report.load(root / FOLDER)
    except tomllib.TOMLDecodeError as error:
        return [Violation(RULES, 0, str(error))]
    tests = tests_of(root)
    violations = []
    ids = [rule.get("id", "?") for rule in rules]
    for rule in rules:
        own = rule.get("id", "?")
        line = checklib.line_of(text, text.find(f'id = "{own}"')) if f'"{own}"' in text else 0
        violations += [Violation(RULES, line, f"{own}: {problem}")
                       for problem in problems_of(rule, report, tests)]
        if ids.count(own) > 1:
            violations.append(Violation(RULES, line, f"{own} is there twice"))
    if not rules:
        violations.append(Violation(RULES, 0, "no rule"))
    listed = {rule.get("id"): str(rule) for rule in rules}
    for test, (name, line) in tests.items():
        own = rule_named_by(test)
        if own and test not in listed.get(own, ""):
            violations.append(Violation(name, line, f"{test} is not listed under {own}"))
    if not violations:
        made = report.render(rules)
        kept = checklib.read(root, REPORT) if (root / REPORT).is_file() else ""
        if made != kept:
            violations.append(Violation(REPORT, 0, f"{FOLDER}/report.py makes another one"))
    return violations


def rule(own="PP-3-b", section="RFC 7574 §3", level="MUST", rest='tests = ["A.b"]'):
    return f'[[rule]]\nid = "{own}"\nlevel = "{level}"\nsection = "{section}"\n' \
        f'text = "So it is."\n{rest}\n'


# Beside the rules, each copy has the tree's tests, of which this is one.
REAL = 'tests = ["Serving.PP_3_b_a_datagram_carries_several_messages"]'


def plant(text):
    return Planted(RULES, text)


PLANTED = [
    plant(rule()),  # no such test
    plant(rule(rest="")),
    plant(rule(rest='excuse = "It is optional."\nopen = "It is not built."')),
    plant(rule(rest=f'{REAL}\nopen = "It is not built."')),
    plant(rule(rest='excuse = ""')),
    plant(rule(rest='tests = []')),
    plant(rule(rest='open = "Later."') * 2),
    plant(rule(own="3-b", rest='open = "Later."')),
    plant(rule(level="WILL", rest='open = "Later."')),
    plant(rule(section="somewhere", rest='open = "Later."')),
    plant(rule(rest=f'{REAL}\nwhy = "Because."')),
    plant("[[rule]\n"),
    plant(""),
    Planted(REPORT, "# Conformance\n"),
    Planted(REPORT, None),
    Planted("tests/conformance/planted_test.cpp", "TEST(PpRules, PP_3_b_it_holds)\n{\n}\n"),
    Planted("tests/peer/planted_test.cpp", "TEST_F(PpRules,\n       PP_99_1_z_it_holds)\n{\n}\n"),
    Planted("tests/peer/planted_test.cpp", "// TEST(PpRules, PP_3_b_it_holds)\n", breaks=False),
    Planted("tests/peer/planted_test.cpp", "TEST(Pair, holds)\n{\n}\n", breaks=False),
]

if __name__ == "__main__":
    checklib.main(__doc__, find_violations, PLANTED, lambda name: name.startswith("tests/"))
