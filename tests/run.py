#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests: cmocka programs through meson, bats files beside each other.

Each bats file has its own roots below one temporary directory, so files run in any order and beside
each other. Afterwards nothing may be left: a mount, a process or a control group of the tests counts
as a failure. The last line is "N passed, N failed, N skipped".
"""
import argparse
import collections
import concurrent.futures
import glob
import json
import os
import pwd
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.reasons = collections.Counter()

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.reasons += other.reasons

    def skip(self, reason):
        self.skipped += 1
        self.reasons[reason or "no reason given"] += 1


def count(pattern, text):
    return sum(int(number) for number in re.findall(pattern, text))


def units_by_meson(build):
    """(name, result, output) of every unit test, as meson tells."""
    done = subprocess.run(["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout)
    with open(os.path.join(build, "meson-logs", "testlog.json"), encoding="utf-8") as lines:
        for line in lines:
            test = json.loads(line)
            yield test["name"], test["result"], test.get("stdout", "") + test.get("stderr", "")


def run_unit(test):
    """One unit test without meson. It is on a slow machine then, an emulated one as a rule."""
    try:
        done = subprocess.run(test["cmd"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, env=dict(os.environ, **test["env"]), text=True,
                              errors="replace", timeout=10 * test["timeout"], check=False)
    except subprocess.TimeoutExpired as late:
        return test["name"], "TIMEOUT", (late.stdout or b"").decode(errors="replace")
    result = {0: "OK", 77: "SKIP"}.get(done.returncode, "FAIL")
    return test["name"], result, done.stdout


def units_by_hand(build):
    """The same on a machine that has what was built there, but no meson (tests/vm)."""
    with open(os.path.join(build, "meson-info", "intro-tests.json"), encoding="utf-8") as file:
        tests = json.load(file)
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for name, result, text in pool.map(run_unit, tests):
            if result not in ("OK", "SKIP"):
                print(f"{name}: {result}\n{text}", flush=True)
            yield name, result, text


def run_units(build, tally):
    """cmocka's own counts; a program without them (a crash, a script) counts as one test."""
    print("== unit tests", flush=True)
    with open(os.path.join(build, "meson-info", "intro-tests.json"), encoding="utf-8") as file:
        if not json.load(file):
            print(f"FAIL no unit test was built: cmocka was missing when {build} was configured")
            tally.failed += 1
            return
    units = units_by_meson if shutil.which("meson") else units_by_hand
    for name, result, text in units(build):
        passed = count(r"\[  PASSED  \] (\d+) test", text)
        failed = count(r"\[  FAILED  \] (\d+) test", text)
        skipped = count(r"\[  SKIPPED \] (\d+) test", text)
        good = result in ("OK", "EXPECTEDFAIL")
        if result == "SKIP" and not passed:
            tally.skip(f"{name} said so")
            continue
        tally.passed += passed if passed or failed else int(good)
        tally.failed += failed or int(not good)
        for _ in range(skipped):
            tally.skip(f"unit test {name}: the machine lacks something")


def own_network():
    """Each file has a host's network of its own, in which caisson makes what it makes: nothing of the
    machine's is touched, and files do not meet."""
    if os.geteuid() != 0:
        return []
    return ["unshare", "--net", "sh", "-ec", 'ip link set lo up; exec "$@"', "sh"]


# More at a time than there are processors, since most of them wait for something most of the time.
JOBS = int(os.environ.get("CAISSON_TEST_JOBS", 0)) or 2 * (os.cpu_count() or 1) + 1


def run_bats(path, environment, only, user):
    began = time.monotonic()
    before, told = user.settings(path) if user else ([], {})
    choice = ["--filter", only] if only else []
    # What a user's containers made belongs to other ids, which bats could not remove.
    keep = ["--no-tempdir-cleanup"] if user else []
    done = subprocess.run([*own_network(), *before, "bats", "--tap", *choice, *keep, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", env={**environment, **told}, check=False)
    return path, done.returncode, done.stdout, time.monotonic() - began


def read_tap(path, status, text, seconds, tally, who):
    """Prints what became of one file and adds it up; whether it failed."""
    planned, seen, failed = 0, 0, False
    for line in text.splitlines():
        if line.startswith("# time: "):
            print(f"     {line[2:]}")
        plan = re.match(r"1\.\.(\d+)$", line)
        result = re.match(r"(not )?ok \d+ (.*)", line)
        if plan:
            planned = int(plan.group(1))
        elif result:
            seen += 1
            skipped = re.search(r"# skip ?(.*)", result.group(2))
            if result.group(1):
                tally.failed += 1
                failed = True
            elif skipped:
                tally.skip(skipped.group(1))
            else:
                tally.passed += 1
    if seen < planned or (status != 0 and not failed):
        tally.failed += max(planned - seen, 1)
        failed = True
    name = "/".join(path.split("/")[-3:])
    print(f"{'FAIL' if failed else 'ok  '} {name}{who} ({seconds:.0f} s)", flush=True)
    if failed:
        print(text, flush=True)
    return failed


def run_files(files, environment, only, user, tally, who):
    """What failed runs once more by itself, since a test that waits for another process may not have
    got its turn beside others. Whatever passes only then is told."""
    late = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=JOBS) as pool:
        for outcome in pool.map(lambda path: run_bats(path, environment, only, user), files):
            first = Tally()
            if read_tap(*outcome, first, who):
                late.append(outcome[0])
            else:
                tally.add(first)
    for path in late:
        print(f"once more, alone: {os.path.basename(path)}", flush=True)
        if not read_tap(*run_bats(path, environment, only, user), tally, who):
            print(f"unsteady: {os.path.basename(path)}{who} passed only alone", flush=True)


def interfaces():
    """Bridges and cables of networks in the machine's own network namespace."""
    return {name for name in os.listdir("/sys/class/net") if re.match(r"cs-|cv[0-9a-f]{10}", name)}


INTERFACES_BEFORE = interfaces()


def leftovers(directory):
    """What the tests forgot: mounts below their directory, processes that name it, interfaces."""
    found = [f"interface {name}" for name in sorted(interfaces() - INTERFACES_BEFORE)]
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        found += [f"mount on {line.split()[4]}" for line in mounts if directory in line]
    for entry in glob.glob("/proc/[0-9]*"):
        pid = int(entry.rsplit("/", 1)[1])
        try:
            with open(f"{entry}/environ", "rb") as file:
                ours = f"CAISSON_TEST_DIR={directory}\0".encode() in file.read() + b"\0"
            with open(f"{entry}/cmdline", "rb") as file:
                words = file.read()
        except OSError:
            continue
        if ours or (directory.encode() in words and pid != os.getpid()):
            found.append(f"process {pid}: {words.replace(bytes(1), b' ').decode(errors='replace')}")
    return found


class OrdinaryUser:
    """Somebody made for the tests, with subordinate ids; programs and tests where they can read
    them. As a context: the user is gone at its end."""

    def __init__(self, directory, build):
        self.directory, self.build = directory, build
        self.name = f"caisson-test-{os.getpid()}"
        self.runtime = None

    def __enter__(self):
        subprocess.run(["useradd", "--no-create-home", "--home-dir", f"{self.directory}/home",
                        "--shell", "/bin/sh", self.name], check=True)
        tree = f"{self.directory}/tree"
        for name in ("tests", "data"):
            shutil.copytree(f"{TOP}/{name}", f"{tree}/{name}", symlinks=True)
        shutil.copytree(self.build, f"{tree}/build", symlinks=True, ignore=shutil.ignore_patterns(
            "*.p", "*.a", "meson-*", "*.ninja*", ".ninja*", "vm", "engines", "compile_commands.json"))
        for name, mode in (("home", 0o755), ("run", 0o700)):
            os.mkdir(f"{self.directory}/{name}")
            os.chmod(f"{self.directory}/{name}", mode)
        subprocess.run(["chown", "-R", f"{self.name}:", self.directory], check=True)
        self.runtime = self.manager() or f"{self.directory}/run"
        return self

    def __exit__(self, *_):
        if shutil.which("loginctl"):
            for verb in ("disable-linger", "terminate-user"):
                subprocess.run(["loginctl", verb, self.name], stderr=subprocess.DEVNULL, check=False)
        for _ in range(100):  # as long as a process of theirs is just ending, it says no
            if subprocess.run(["userdel", self.name], stderr=subprocess.DEVNULL, check=False).returncode == 0:
                return
            time.sleep(0.1)
        print(f"left behind: user {self.name}", flush=True)

    def manager(self):
        """Where systemd runs, as for somebody who has logged in: the directory by which their own
        manager is reached. The tests themselves are outside of what it manages."""
        if not os.path.isdir("/run/systemd/system") or not shutil.which("loginctl"):
            return None
        subprocess.run(["loginctl", "enable-linger", self.name], check=False)
        runtime = f"/run/user/{pwd.getpwnam(self.name).pw_uid}"
        for _ in range(300):
            if os.path.exists(f"{runtime}/systemd/private"):
                return runtime
            time.sleep(0.1)
        return None

    def before(self):
        return ["setpriv", "--reuid", self.name, "--regid", self.name, "--init-groups",
                "--inh-caps=-all", "--"]

    def settings(self, path):
        """(what runs it, what it is told). Where a test needs a host of its own, which only root can
        make, the file runs as root, and only caisson in it as the user (tests/lib/network.bash)."""
        with open(path, encoding="utf-8") as file:
            if "load ../lib/network\n" in file.read():
                return [], {"CAISSON_TEST_USER": self.name}
        return self.before(), {}

    def environment(self):
        return {"HOME": f"{self.directory}/home", "USER": self.name, "LOGNAME": self.name,
                "XDG_RUNTIME_DIR": self.runtime,
                "CAISSON_BUILD": f"{self.directory}/tree/build"}


def run_as_ordinary_user(files, build, tally, only):
    """The same tests again; what only root can do says so and is skipped."""
    if os.geteuid() != 0:
        return
    lacking = [name for name in ("useradd", "userdel", "newuidmap", "setpriv")
               if not shutil.which(name)]
    if lacking:
        tally.skip(f"tests as an ordinary user need {', '.join(lacking)}")
        return
    directory = tempfile.mkdtemp(prefix="caisson-test.", dir="/var/tmp")
    os.chmod(directory, 0o755)
    try:
        with OrdinaryUser(directory, build) as user:
            there = [f"{directory}/tree/{os.path.relpath(path, TOP)}" for path in files]
            run_all_bats(there, build, tally, only, user)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def tests_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read().count("\n@test ")


def run_all_bats(files, build, tally, only, user=None):
    print(f"== command-line tests{', as an ordinary user' if user else ''}", flush=True)
    random.shuffle(files)
    # Those with many tests first, so that no long one is alone at the end.
    files.sort(key=lambda path: -(tests_of(path) // 8))
    directory = user.directory if user else tempfile.mkdtemp(prefix="caisson-test.", dir="/var/tmp")
    environment = dict(os.environ, CAISSON_BUILD=build, CAISSON_TEST_DIR=directory,
                       TMPDIR=directory, LC_ALL="C.UTF-8")
    for name in ("CAISSON_ROOT", "CAISSON_STATE"):
        environment.pop(name, None)
    environment.update(user.environment() if user else {})
    who = " as a user" if user else ""
    try:
        run_files(files, environment, only, user, tally, who)
        for what in leftovers(directory):
            print(f"FAIL left behind: {what}")
            tally.failed += 1
    finally:
        subprocess.run(["chattr", "-R", "-f", "-i", directory], stderr=subprocess.DEVNULL,
                       check=False)
        shutil.rmtree(directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="the build directory")
    parser.add_argument("--unit", action="store_true", help="only the unit tests")
    parser.add_argument("--as", choices=["root", "user", "both"], default="both", dest="who",
                        help="who runs the command-line tests, when root starts this")
    parser.add_argument("--filter", default="", help="only tests of bats files whose names match")
    parser.add_argument("files", nargs="*", help="only these bats files")
    words = parser.parse_args()
    build = os.path.abspath(words.build)
    tally = Tally()
    if not words.files:
        run_units(build, tally)
    files = words.files or sorted(glob.glob(f"{TOP}/tests/cli/*.bats") +
                                  glob.glob(f"{TOP}/tests/escape/*.bats"))
    files = [os.path.abspath(path) for path in files]
    if not words.unit and files and (words.who != "user" or os.geteuid() != 0):
        run_all_bats(list(files), build, tally, words.filter)
    if not words.unit and files and words.who != "root":
        run_as_ordinary_user(list(files), build, tally, words.filter)
    for reason, times in sorted(tally.reasons.items()):
        print(f"skipped {times}: {reason}")
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
