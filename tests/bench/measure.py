# SPDX-License-Identifier: Apache-2.0
"""Timing of commands against each other, and what a process costs in memory."""
import os
import statistics
import time


class Command:
    """argv with its environment; `reset` is an argv that is run, untimed, after each timed run."""

    def __init__(self, argv, env=None, reset=None):
        self.argv = argv
        self.env = dict(os.environ, **(env or {}))
        self.reset = reset

    def text(self):
        return " ".join(self.argv)

    def run(self, argv=None):
        """Starts and waits with as little around it as Python allows; the seconds it took."""
        argv = argv or self.argv
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                   (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
        start = time.perf_counter()
        pid = os.posix_spawnp(argv[0], argv, self.env, file_actions=actions)
        status = os.waitpid(pid, 0)[1]
        taken = time.perf_counter() - start
        if status != 0:
            code = os.waitstatus_to_exitcode(status)
            raise RuntimeError(f"status {code} from: {' '.join(argv)}")
        return taken

    def timed(self):
        taken = self.run()
        if self.reset:
            self.run(self.reset)
        return taken


def interleaved(ours, theirs, seconds, least=5, most=300):
    """A B A B …, so that whatever else the machine does meets both. Medians, and how many pairs."""
    once = ours.timed() + theirs.timed()  # also warms both up
    pairs = max(least, min(most, int(seconds / once)))
    a, b = [], []
    for _ in range(pairs):
        a.append(ours.timed())
        b.append(theirs.timed())
    return {"ours": statistics.median(a), "theirs": statistics.median(b), "pairs": pairs,
            "ours_best": min(a), "theirs_best": min(b)}


def alone(command, seconds, least=5, most=300):
    once = command.timed()
    runs = [command.timed() for _ in range(max(least, min(most, int(seconds / once))))]
    return {"ours": statistics.median(runs), "pairs": len(runs), "ours_best": min(runs)}


def pss(pid):
    """Proportional set size in bytes."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no Pss")


def processes_named(name):
    """Ids of the processes whose program file has this name."""
    found = set()
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if os.path.basename(os.readlink(f"/proc/{entry}/exe")) == name:
                found.add(int(entry))
        except OSError:
            continue
    return found
