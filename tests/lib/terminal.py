#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command at a terminal of its own and does what a person would, step by step.

usage: terminal.py STEP... -- COMMAND [ARG...]

    see TEXT        waits until TEXT appears after what was seen last
    type TEXT       types it; \\n, \\x10 and the like as in Python
    size ROWS COLS  the window's size
    pause SECONDS
    do COMMAND      runs a shell command meanwhile
    close           the terminal is gone
    kill SIGNAL     to the command

Prints all that appeared and ends with the command's exit code (128 + n for a signal), or with 124
when something did not happen in 20 seconds.
"""
import codecs
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

PATIENCE = 20


class Terminal:
    def __init__(self, command):
        self.seen, self.at, self.open = b"", 0, True
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)

    def read(self, seconds):
        """False when the other side is closed."""
        if not self.open:
            time.sleep(seconds)
            return False
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            more = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += more
        return bool(more)

    def see(self, text):
        end = time.monotonic() + PATIENCE
        while (found := self.seen.find(text, self.at)) < 0:
            if time.monotonic() > end or not self.read(0.05) and self.seen.find(text, self.at) < 0:
                self.give_up(f"did not see {text!r}")
        self.at = found + len(text)

    def give_up(self, why):
        sys.stdout.buffer.write(self.seen)
        print(f"\nterminal.py: {why}")
        os.kill(self.pid, signal.SIGKILL)
        sys.exit(124)

    def step(self, word, text):
        if word == "see":
            self.see(codecs.decode(text, "unicode_escape").encode("latin-1"))
        elif word == "type":
            os.write(self.fd, codecs.decode(text, "unicode_escape").encode("latin-1"))
        elif word == "size":
            rows, columns = map(int, text.split())
            fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        elif word == "pause":
            end = time.monotonic() + float(text)
            while time.monotonic() < end:
                self.read(0.05)
        elif word == "do":
            subprocess.run(text, shell=True, check=True, timeout=PATIENCE)
        elif word == "close":
            os.close(self.fd)
            self.open = False
        elif word == "kill":
            os.kill(self.pid, getattr(signal, text))
        else:
            raise ValueError(word)

    def end(self):
        end = time.monotonic() + PATIENCE
        while True:
            there = self.read(0.05)
            pid, status = os.waitpid(self.pid, 0 if not there and self.open else os.WNOHANG)
            if pid:
                break
            if time.monotonic() > end:
                self.give_up("the command does not end")
        while self.open and self.read(0):
            if not select.select([self.fd], [], [], 0)[0]:
                break
        sys.stdout.buffer.write(self.seen)
        return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def main():
    split = sys.argv.index("--")
    terminal = Terminal(sys.argv[split + 1:])
    for step in sys.argv[1:split]:
        terminal.step(*(step.split(" ", 1) + [""])[:2])
    return terminal.end()


sys.exit(main())
