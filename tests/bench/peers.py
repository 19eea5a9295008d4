# SPDX-License-Identifier: Apache-2.0
"""The other engines on this machine, set up below a temporary directory and never in /etc."""
import ctypes
import json
import os
import resource
import shutil
import subprocess
import tarfile

from measure import Command

CLONE_NEWNS = 0x00020000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18


def output(argv, env=None):
    done = subprocess.run(argv, env=dict(os.environ, **(env or {})), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip()


def first_line(argv):
    try:
        return output(argv).splitlines()[0]
    except (OSError, RuntimeError, IndexError):
        return ""


def leave_empty_unified_tree():
    """In a mount namespace of its own, takes away a v2 tree that has no controllers: crun refuses
    hosts that have both. Call in a child process."""
    unified = "/sys/fs/cgroup/unified"
    libc = ctypes.CDLL(None, use_errno=True)
    if not os.path.ismount(unified):
        return
    if libc.unshare(CLONE_NEWNS) != 0 or \
            libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) != 0 or \
            libc.umount2(unified.encode(), 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot take the v2 tree away")


def unpack(archive, rootfs):
    """The layers of a docker-archive into a directory: what bwrap and crun run."""
    with tarfile.open(archive) as outer:
        manifest = json.load(outer.extractfile("manifest.json"))
        for layer in manifest[0]["Layers"]:
            with tarfile.open(fileobj=outer.extractfile(layer), mode="r:*") as inner:
                inner.extractall(rootfs, numeric_owner=True)


def applies(rule):
    """Whether Docker would keep the rule here, for a container with few capabilities."""
    includes = rule.get("includes", {})
    arches = {"x86_64": "amd64", "aarch64": "arm64"}
    here = arches.get(os.uname().machine)
    return not includes.get("caps") and here in includes.get("arches", [here])


def crun_bundle(directory, rootfs, profile):
    """A bundle as Docker would write it: its namespaces, capabilities, masked paths and seccomp."""
    subprocess.run(["crun", "spec"], cwd=directory, check=True)
    path = os.path.join(directory, "config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    with open(profile, encoding="utf-8") as file:
        docker = json.load(file)
    rules = [{key: rule[key] for key in ("names", "action", "args", "errnoRet") if key in rule}
             for rule in docker["syscalls"] if applies(rule)]
    config["process"].update(terminal=False, args=["/bin/true"])
    config["root"] = {"path": rootfs, "readonly": True}
    config["linux"]["seccomp"] = {"defaultAction": docker["defaultAction"],
                                  "architectures": ["SCMP_ARCH_X86_64"], "syscalls": rules}
    if "defaultErrnoRet" in docker:
        config["linux"]["seccomp"]["defaultErrnoRet"] = docker["defaultErrnoRet"]
    if os.uname().machine != "x86_64":
        del config["linux"]["seccomp"]["architectures"]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)


class Podman:
    """podman with its store below the benchmark's directory. Where the defaults do not run on this
    machine (limits of files that may not be raised, a crun that refuses mixed control groups), a
    containers.conf of the benchmark's own says otherwise; `note` tells."""

    def __init__(self, directory, archive, image):
        self.directory = os.path.join(directory, "podman")
        os.makedirs(self.directory)
        self.env, self.note = {}, "its defaults"
        self.base = ["podman", "--root", f"{self.directory}/root", "--runroot",
                     f"{self.directory}/run", "--cgroup-manager", "cgroupfs"]
        self.image = image
        output(self.command("load", "-q", "-i", archive))
        try:
            output(self.run_command("true"))
        except RuntimeError:
            self.adapt()
            output(self.run_command("true"), self.env)

    def adapt(self):
        lines = ["[containers]"]
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        tasks = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        ulimits = [f'"{name}={1024}:{1024}"' for name, hard in (("nofile", files), ("nproc", tasks))
                   if hard != resource.RLIM_INFINITY]
        lines.append(f"default_ulimits = [{', '.join(ulimits)}]")
        if shutil.which("runc"):
            lines += ["[engine]", 'runtime = "runc"']
        path = f"{self.directory}/containers.conf"
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        self.env = {"CONTAINERS_CONF": path}
        self.note = "containers.conf: " + "; ".join(lines)

    def command(self, *words):
        return [*self.base, *words]

    def run_command(self, *words):
        return self.command("run", "--rm", "--network", "none", self.image, *words)

    def timed(self, *words, reset=None):
        return Command(self.command(*words), self.env, self.command(*reset) if reset else None)

    def close(self):
        """Everything that it left: containers, then mounts of its store, then files."""
        subprocess.run(self.command("rm", "-fa", "-t", "0"), env=dict(os.environ, **self.env),
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            below = [line.split()[4] for line in mounts]
        for place in sorted((m for m in below if m.startswith(self.directory)), reverse=True):
            subprocess.run(["umount", place], check=False)
