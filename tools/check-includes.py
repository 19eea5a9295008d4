#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when a module includes a header of a module above it.

The layers, lowest first. A module may include its own headers and those of every layer below;
modules on one line do not know each other. Foreign or unknown directories are an error.
"""
import os
import re
import sys

LAYERS = [
    ["base"],
    ["confine", "path"],
    ["oci"],
    ["archive"],
    ["store"],
    ["registry", "secret", "network"],
    ["runtime"],
    ["container"],
    ["lifecycle"],
    ["scan", "fetch"],
    ["transport"],
    ["build", "compose", "audit"],
    ["report"],
    ["cmd"],
    ["programs"],
]
RANK = {module: rank for rank, layer in enumerate(LAYERS) for module in layer}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def check(root):
    problems = []
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            if not name.endswith((".c", ".h")):
                continue
            path = os.path.join(folder, name)
            module = os.path.relpath(path, root).split(os.sep)[0]
            if module not in RANK:
                problems.append(f"{path}: module '{module}' has no place in tools/check-includes.py")
                continue
            with open(path, encoding="utf-8") as source:
                for number, line in enumerate(source, 1):
                    match = INCLUDE.match(line)
                    if not match:
                        continue
                    target = match.group(1).split("/")[0]
                    if "/" not in match.group(1) or target not in RANK:
                        continue  # generated or system-like headers
                    if target != module and RANK[target] >= RANK[module]:
                        problems.append(f"{path}:{number}: {module} may not include {match.group(1)}")
    return problems


def main():
    problems = check(sys.argv[1])
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write("ok\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
