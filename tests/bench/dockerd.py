# SPDX-License-Identifier: Apache-2.0
"""Docker's daemon, started by hand in a network namespace of its own, with all its files below the
benchmark's directory: of the unpacked engines (make engines), or of the machine."""
import json
import os
import shutil
import subprocess
import time

from measure import Command

# Without a network of its own, for builds; else with the bridge that a machine's daemon would have.
NO_NETWORK = {"bridge": "none", "iptables": False, "ip6tables": False, "ip-forward": False, "ip-masq": False,
              "userland-proxy": False}


class Docker:
    """Its own client speaks to its BuildKit without a plugin."""

    def __init__(self, bench, networks=False):
        self.directory = os.path.join(bench.directory, "docker-networks" if networks else "docker")
        self.engines = os.path.join(bench.build, "engines", "usr")
        self.process = None
        os.makedirs(self.directory)
        path = f"{self.engines}/bin:{self.engines}/sbin:{os.environ['PATH']}"
        self.env = dict(os.environ, PATH=path, DOCKER_BUILDKIT="1")
        self.client = [shutil.which("docker", path=path) or "docker", "-H", f"unix://{self.directory}/sock"]
        daemon = shutil.which("dockerd", path=path)
        if not daemon:
            raise RuntimeError("dockerd is not installed")
        bench.closing.append(self)
        self.start(daemon, {} if networks else NO_NETWORK)

    def start(self, daemon, settings):
        config = f"{self.directory}/daemon.json"
        with open(config, "w", encoding="utf-8") as file:
            json.dump(settings, file)
        with open(f"{self.directory}/log", "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--net", daemon, "--config-file", config, "--data-root", f"{self.directory}/data",
                 "--exec-root", f"{self.directory}/run", "-p", f"{self.directory}/pid",
                 "-H", f"unix://{self.directory}/sock"], env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(100):
            if self.process.poll() is not None:
                break
            if subprocess.run([*self.client, "version"], env=self.env, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0:
                return
            time.sleep(0.2)
        raise RuntimeError("dockerd does not start here")

    def command(self, *words, reset=None):
        return Command([*self.client, *words], self.env, reset)

    def close(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            below = [line.split()[4] for line in mounts]
        for place in sorted((m for m in below if m.startswith(self.directory + "/")), reverse=True):
            subprocess.run(["umount", "-l", place], check=False)
