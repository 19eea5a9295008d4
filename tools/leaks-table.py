#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns data/leaks/rules.json into the table that src/scan is built with (scan/rules.h).

usage: tools/leaks-table.py RULES.json OUT.c
What is no rule is an error of the build; whether an expression is one says tests/unit/test-leaks.c.
"""
import json
import re
import sys

WHERE = {"content": "LEAKS_CONTENT", "words": "LEAKS_WORDS", "name": "LEAKS_NAME"}
SEVERITY = {"stop": "LEAK_STOP", "note": "LEAK_NOTE"}
FIELDS = {"id": str, "title": str, "severity": str, "where": list, "begins": list, "expression": str,
          "entropy": (int, float), "text": bool, "examples": list, "paths": list, "harmless": list}
RULES_MAX = 64  # a set of them is one word
BEGINNING = range(3, 49)  # bytes: ANCHOR_MIN, ANCHOR_MAX


def fail(what):
    sys.exit(f"{sys.argv[1]}: {what}")


def quote(text):
    out = "".join(c if " " <= c <= "~" and c not in '"\\' else "".join(f"\\{b:03o}" for b in c.encode())
                  for c in text)
    return f'"{out}"'


def texts(values):
    """A NULL-terminated list, or NULL."""
    if not values:
        return "NULL"
    return "(const char *const[]){" + ", ".join(map(quote, values)) + ", NULL}"


def paths(values):
    for value in values:
        if set(value) != {"path", "why"}:
            fail(f"harmless paths have a path and say why: {value}")
    return [value["path"] for value in values]


def check(rule, seen):
    name = rule.get("id", "a rule without id")
    for field, value in rule.items():
        if field not in FIELDS or not isinstance(value, FIELDS[field]):
            fail(f"{name}: {field}")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or name in seen:
        fail(f"{name}: ids are words between dashes, each once")
    if not rule.get("title") or rule.get("severity") not in SEVERITY:
        fail(f"{name}: title, severity")
    if not rule.get("where") or set(rule["where"]) - set(WHERE):
        fail(f"{name}: where is some of {', '.join(WHERE)}")
    if ("name" in rule["where"]) == ("expression" in rule):
        fail(f"{name}: a name needs no expression, anything else does")
    if not rule.get("begins") and not rule.get("paths"):
        fail(f"{name}: a rule for every file needs what its matches begin with")
    for text in rule.get("begins", []):
        if len(text.encode()) not in BEGINNING:
            fail(f"{name}: {text}: too short or too long")
        if rule["expression"].startswith("(?i)") and text != text.lower():
            fail(f"{name}: {text}: lower case, since case does not matter")
    seen.add(name)


def row(rule):
    fields = [
        (".id", quote(rule["id"])),
        (".title", quote(rule["title"])),
        (".severity", SEVERITY[rule["severity"]]),
        (".where", " | ".join(WHERE[w] for w in rule["where"])),
        (".begins", texts(rule.get("begins"))),
        (".fold", "true" if rule.get("expression", "").startswith("(?i)") else "false"),
        (".expression", quote(rule["expression"]) if "expression" in rule else "NULL"),
        (".entropy", str(round(rule.get("entropy", 0) * 100))),
        (".text", "true" if rule.get("text") else "false"),
        (".examples", texts(rule.get("examples"))),
        (".paths", texts(rule.get("paths"))),
        (".harmless", texts(paths(rule.get("harmless", [])))),
    ]
    return "    {" + ",\n     ".join(f"{name} = {value}" for name, value in fields) + "},\n"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        data = json.load(file)
    seen = set()
    if not 0 < len(data["rules"]) <= RULES_MAX:
        fail(f"at most {RULES_MAX} rules")
    for rule in data["rules"]:
        check(rule, seen)
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write("/* Made by tools/leaks-table.py from data/leaks/rules.json. */\n"
                  '#include "scan/rules.h"\n\n#include <stddef.h>\n\n'
                  "const struct leak_rule leak_rules[] = {\n")
        out.write("".join(map(row, data["rules"])))
        out.write("};\nconst size_t leak_rule_count = sizeof leak_rules / sizeof *leak_rules;\n")
        out.write(f"const char *const *const leak_harmless = {texts(paths(data['harmless']))};\n")
        out.write(f"const char *const *const leak_placeholders = {texts(data['placeholders'])};\n")


if __name__ == "__main__":
    main()
