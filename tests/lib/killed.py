#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lives of a container, over and over, in which some process of the engine is killed at some moment.

usage: killed.py CAISSON TIMES SEED

Each life is create, start, exec, stop, rm, run -d, rm -f and run --rm, one command after the other; at a
random moment one of the engine's processes (a command, a monitor, whoever makes or cleans up a container) is
killed with SIGKILL. Afterwards what caisson says has to be true: a container that is said to run has its
process, one that is said not to run has none, and everything can be removed. Prints what was wrong and ends
with 1, or prints how often which command was hit.
"""
import collections
import json
import os
import random
import signal
import subprocess
import sys
import time

CAISSON, TIMES, SEED = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
STATE = os.environ["CAISSON_STATE"]
LIFE = [
    ["create", "--name", "web", "busybox", "sleep", "100"],
    ["start", "web"],
    ["exec", "web", "true"],
    ["stop", "-t", "0", "web"],
    ["rm", "web"],
    ["run", "-d", "--name", "web", "--restart", "on-failure:1", "busybox", "sleep", "100"],
    ["exec", "-d", "web", "sleep", "50"],
    ["rm", "-f", "web"],
    ["run", "--rm", "--name", "web", "busybox", "true"],
]


def caisson(*words, check=False):
    done = subprocess.run([CAISSON, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"caisson {' '.join(words)}: {done.returncode}: {done.stderr.strip()}")
    return done


def engine_processes():
    """Those that use our state directory and run the engine's programs, not a container's."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                ours = f"CAISSON_STATE={STATE}\0".encode() in file.read() + b"\0"
            program = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            continue
        if ours and os.path.basename(program).split(" ")[0].startswith("caisson"):
            found.append(int(pid))
    return found


def live(hits, killer_is_due, dice):
    for words in LIFE:
        began = time.monotonic()
        child = subprocess.Popen([CAISSON, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        if killer_is_due(words):
            time.sleep(dice.random() * 0.03)
            victims = engine_processes()
            if victims:
                victim = dice.choice(victims)
                try:
                    os.kill(victim, signal.SIGKILL)
                    hits[words[0] + (" (itself)" if victim == child.pid else " (another)")] += 1
                except ProcessLookupError:
                    pass
        child.wait(timeout=60)
        if time.monotonic() - began > 50:
            raise AssertionError(f"{words} took a minute")


def running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def check():
    """What is said is true, and goes on being so."""
    listed = caisson("ps", "-aq", "--no-trunc", check=True).stdout.split()
    for name in listed:
        done = caisson("inspect", name)
        if done.returncode != 0:
            if "no such" in done.stderr:
                continue
            raise AssertionError(f"inspect {name}: {done.stderr}")
        state = json.loads(done.stdout)[0]["State"]
        if state["Running"] and not running(state["Pid"]):
            time.sleep(0.2)  # it may have ended just now
            again = caisson("inspect", name)
            if again.returncode == 0 and json.loads(again.stdout)[0]["State"]["Running"]:
                raise AssertionError(f"said to run: {state}")
        if not state["Running"] and state["Pid"]:
            raise AssertionError(f"said not to run, with a process: {state}")
        caisson("rm", "-f", name, check=True)
    # The name is free, and everything works.
    deadline = time.monotonic() + 10
    while True:
        done = caisson("run", "--rm", "--name", "web", "busybox", "echo", "fine")
        if done.stdout == "fine\n":
            break
        if time.monotonic() > deadline:
            raise AssertionError(f"run after all: {done.returncode}: {done.stderr}")
        caisson("rm", "-f", "web")
        time.sleep(0.1)


def main():
    dice = random.Random(SEED)
    hits = collections.Counter()
    for number in range(TIMES):
        target = dice.randrange(len(LIFE))
        count = [0]

        def due(_, target=target, count=count):
            count[0] += 1
            return count[0] - 1 == target

        try:
            live(hits, due, dice)
            check()
        except AssertionError as wrong:
            print(f"life {number} of seed {SEED}, killed at {LIFE[target]}: {wrong}")
            return 1
    print(", ".join(f"{count} {what}" for what, count in sorted(hits.items())))
    return 0


sys.exit(main())
