#!/usr/bin/env python3
"""Writes REPORT.md from rules.toml: what of RFC 7574 and RFC 6817 is shown by tests, what does not
apply, and what is open.
"""

import pathlib
import sys
import tomllib

LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY")
STATES = ("tests", "excuse", "open")
TITLES = {"tests": "tested", "excuse": "excused", "open": "open"}


def load(folder):
    """The rules in the order of the file."""
    with open(folder / "rules.toml", "rb") as file:
        return tomllib.load(file).get("rule", [])


def state_of(rule):
    """The one of STATES that the rule has; None if there is none or more than one."""
    found = [state for state in STATES if state in rule]
    return found[0] if len(found) == 1 else None


def cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def summary(rules):
    lines = ["| level | rules | tested | excused | open |", "|---|---|---|---|---|"]
    for level in (*LEVELS, "all"):
        some = [rule for rule in rules if level in ("all", rule.get("level"))]
        counts = [sum(state_of(rule) == state for rule in some) for state in STATES]
        lines.append(f"| {level} | {len(some)} | " + " | ".join(map(str, counts)) + " |")
    return lines


def shown_by(rule):
    state = state_of(rule)
    words = "<br>".join(f"`{name}`" for name in rule["tests"]) if state == "tests" \
        else cell(rule.get(state, ""))
    note = f"<br>{cell(rule['note'])}" if "note" in rule else ""
    return words + note


def sections(rules):
    """{section: its rules}, in the order of the file."""
    by_section = {}
    for rule in rules:
        by_section.setdefault(rule.get("section", ""), []).append(rule)
    return by_section


def render(rules):
    lines = ["# Conformance", "",
             "Made by `tests/conformance/report.py` from `rules.toml`; not edited by hand. "
             "PP: RFC 7574 (PPSPP), LB: RFC 6817 (LEDBAT).", ""]
    lines += summary(rules)
    for title, state in (("Open", "open"), ("Excused", "excuse")):
        lines += ["", f"## {title}", "", "| rule | level | why |", "|---|---|---|"]
        lines += [f"| {rule.get('id')} | {rule.get('level')} | {cell(rule[state])} |"
                  for rule in rules if state_of(rule) == state]
    lines += ["", "## All rules"]
    for section, some in sections(rules).items():
        lines += ["", f"### {section}", "", "| rule | level | state | says | shown by, or why not |",
                  "|---|---|---|---|---|"]
        lines += [f"| {rule.get('id')} | {rule.get('level')} | {TITLES.get(state_of(rule))} "
                  f"| {cell(rule.get('text', ''))} | {shown_by(rule)} |" for rule in some]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    here = pathlib.Path(__file__).resolve().parent
    (here / "REPORT.md").write_text(render(load(here)), encoding="utf-8")
    sys.exit(0)
