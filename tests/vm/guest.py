# SPDX-License-Identifier: Apache-2.0
"""The guest of tests/vm/run: kernel, initramfs and root file system from the distribution's packages.

Everything is kept, named by what it was made from, so that a second run makes nothing: the root by
its list of packages and the kernel's package, the initramfs by the kernel's package and its script.
"""
import contextlib
import glob
import hashlib
import lzma
import os
import shutil
import subprocess
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# What the tests call, beside what the programs are linked with.
PACKAGES = ["apparmor", "bats", "busybox-static", "dbus-user-session", "e2fsprogs", "groff-base",
            "iproute2", "kmod", "libpam-systemd", "passt", "procps", "python3", "systemd-sysv", "uidmap",
            "xz-utils", "zstd"]
KERNELS = ["linux-image-cloud-amd64", "linux-image-virtual", "linux-image-amd64"]
# In the order in which they must be loaded; what is built in is not found, and not missed.
MODULES = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
           "virtio_blk", "virtio_console"]
ROOT_SIZE = "4G"  # sparse


class Unavailable(Exception):
    """The machine or its network cannot give what a guest is made of."""


class Machine:
    def __init__(self, name, kernel, initramfs, root):
        self.name, self.kernel, self.initramfs, self.root = name, kernel, initramfs, root


def expand(top, patterns):
    return sorted(path for pattern in patterns for path in glob.glob(os.path.join(top, pattern)))


def output(*line, **more):
    done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, **more)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no word why"])[-1]
        raise Unavailable(f"{line[0]} failed: {last}")
    return done.stdout


def digest(*words):
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]


def suite():
    with open("/etc/os-release", encoding="utf-8") as file:
        pairs = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    name = pairs.get("VERSION_CODENAME", "").strip('"')
    if not name:
        raise Unavailable("/etc/os-release names no release (VERSION_CODENAME)")
    return name


# --- which packages -------------------------------------------------------------------------------

def kernel_package(wanted):
    """The package that holds the kernel: what the metapackage depends on, or the one that was named."""
    for name in [wanted] if wanted else KERNELS:
        if not subprocess.run(["apt-cache", "show", name], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0:
            continue
        for line in output("apt-cache", "depends", "--important", name).splitlines():
            kind, _, depends = line.strip().partition(" ")
            if kind == "Depends:" and depends.startswith("linux-image-"):
                return depends
        return name
    raise Unavailable(f"apt knows no kernel package {wanted or ' or '.join(KERNELS)}")


def libraries(build):
    """The packages whose shared libraries the programs that were built need."""
    programs = [path for path in glob.glob(f"{build}/caisson*") + glob.glob(f"{build}/tests/unit/test-*")
                if os.path.isfile(path) and os.access(path, os.X_OK)]
    paths = set()
    for line in output("ldd", *programs).splitlines():
        words = line.split()
        if len(words) > 2 and words[1] == "=>" and words[2].startswith("/"):
            paths.add(os.path.realpath(words[2]))
    packages = set()
    for path in sorted(paths):
        # Where / and /usr are one, dpkg may know the file by its older name.
        for name in (path, path.removeprefix("/usr")):
            done = subprocess.run(["dpkg-query", "-S", name], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True, check=False)
            if done.returncode == 0:
                packages.add(done.stdout.split(":")[0])
                break
    return sorted(packages)


@contextlib.contextmanager
def apt_of(kernel_suite, cache):
    """apt's configuration for another suite than the machine's: lists and sources of its own."""
    place = os.path.join(cache, f"apt-{kernel_suite}")
    os.makedirs(os.path.join(place, "lists", "partial"), exist_ok=True)
    sources = os.path.join(place, "sources.list")
    with open(sources, "w", encoding="utf-8") as file:
        file.write(f"deb http://deb.debian.org/debian {kernel_suite} main\n")
    config = os.path.join(place, "apt.conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f'Dir::Etc::SourceList "{sources}";\nDir::Etc::SourceParts "/dev/null";\n'
                   f'Dir::State::Lists "{place}/lists";\nDir::Cache "{place}";\n')
    os.environ["APT_CONFIG"] = config
    try:
        output("apt-get", "update", "-qq")
        yield
    finally:
        del os.environ["APT_CONFIG"]


# --- making ---------------------------------------------------------------------------------------

def kept(path, make):
    """The file at path, made by make(temporary path) when it is not there yet."""
    if not os.path.exists(path):
        new = path + ".new"
        make(new)
        os.rename(new, path)
    return path


def fetch_kernel(package, cache):
    """The directory into which this version of the package is unpacked."""
    version = output("apt-cache", "show", "--no-all-versions", package).split("Version: ")[1].split()[0]
    place = os.path.join(cache, f"{package}_{version.replace(':', '_')}")

    def make(new):
        print(f"   fetching {package} {version}", flush=True)
        with tempfile.TemporaryDirectory(prefix="fetch.", dir=cache) as directory:
            output("apt-get", "download", "-qq", package, cwd=directory)
            shutil.rmtree(new, ignore_errors=True)
            output("dpkg-deb", "-x", glob.glob(f"{directory}/*.deb")[0], new)
    return kept(place, make)


def module_data(path):
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def cpio_entry(number, name, mode, data):
    fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = ("070701" + "".join(f"{field:08x}" for field in fields)).encode() + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def make_initramfs(new, kernel):
    """busybox, the script and the modules; as the kernel wants it (cpio "newc"), not compressed."""
    with open("/bin/busybox", "rb") as file:
        entries = [("busybox", 0o100755, file.read())]
    with open(os.path.join(HERE, "initramfs.sh"), "rb") as file:
        entries.append(("init", 0o100755, file.read()))
    entries += [(name, 0o040755, b"") for name in ["dev", "proc", "sys", "root", "modules"]]
    for number, name in enumerate(MODULES):
        found = [path for path in glob.glob(f"{kernel}/**/*.ko*", recursive=True)
                 if os.path.basename(path).split(".")[0].replace("-", "_") == name]
        if found:
            entries.append((f"modules/{number}-{name}.ko", 0o100644, module_data(found[0])))
    entries.append(("TRAILER!!!", 0, b""))
    with open(new, "wb") as file:
        for number, entry in enumerate(entries):
            file.write(cpio_entry(number + 1, *entry))


def make_packages(new, packages):
    print(f"   making a root file system of {len(packages)} packages and what they need", flush=True)
    output("mmdebstrap", "--variant=apt", "--include=" + ",".join(packages), "--format=tar",
           "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
           "--dpkgopt=path-exclude=/usr/share/man/*", suite(), new)


def make_root(new, packages_tar, kernel, cache):
    with tempfile.TemporaryDirectory(prefix="root.", dir=cache) as tree:
        output("tar", "-x", "-C", tree, "--numeric-owner", "--xattrs-include=*", "-f", packages_tar)
        source = glob.glob(f"{kernel}/lib/modules/*") + glob.glob(f"{kernel}/usr/lib/modules/*")
        release = os.path.basename(source[0])
        os.makedirs(f"{tree}/usr/lib/modules", exist_ok=True)
        output("cp", "-a", "--", source[0], f"{tree}/usr/lib/modules/")
        output("chroot", tree, "/sbin/depmod", release)
        os.makedirs(f"{tree}/caisson-vm")
        output("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", tree, new, ROOT_SIZE)


def make(cache, build, wanted, kernel_suite):
    with apt_of(kernel_suite, cache) if kernel_suite else contextlib.nullcontext():
        package = kernel_package(wanted)
        kernel = fetch_kernel(package, cache)
    with open(os.path.join(HERE, "initramfs.sh"), encoding="utf-8") as file:
        script = file.read()
    if not os.path.exists("/bin/busybox"):
        raise Unavailable("needs busybox-static")
    name = os.path.basename(kernel)
    initramfs = kept(os.path.join(cache, f"initramfs-{digest(name, script, *MODULES)}"),
                     lambda new: make_initramfs(new, kernel))
    packages = sorted(set(PACKAGES + libraries(build)))
    key = digest(suite(), ROOT_SIZE, *packages)
    root = os.path.join(cache, f"root-{key}-{digest(name)}.ext4")
    if not os.path.exists(root):
        if os.geteuid() != 0:
            raise Unavailable("making the guest's root file system needs root")
        tar = kept(os.path.join(cache, f"packages-{key}.tar"), lambda new: make_packages(new, packages))
        kept(root, lambda new: make_root(new, tar, kernel, cache))
    images = glob.glob(f"{kernel}/boot/vmlinuz-*")
    if not images:
        raise Unavailable(f"{name} holds no kernel")
    return Machine(name, images[0], initramfs, root)


# --- what travels ---------------------------------------------------------------------------------

def leave_out(build):
    """Objects, libraries and this cache are not needed to test what was built."""
    def filter_entry(entry):
        path = "/" + entry.name
        if path == f"{build}/vm" or path.endswith((".p", ".a", ".ninja", "/__pycache__")):
            return None
        return entry
    return filter_entry


def pack(path, top, build, command, init):
    """A tar archive with tests and programs, at their own paths, and what the guest is to do."""
    inside = os.path.join(os.path.dirname(path), "command")
    with open(inside, "w", encoding="utf-8") as file:
        file.write(f"cd '{top}' || exit 125\n{command}\n")
    with tarfile.open(path, "w") as tar:
        tar.add(inside, "caisson-vm/command")
        tar.add(os.path.join(HERE, "guest.sh"), "caisson-vm/start")
        for source in [build] + [os.path.join(top, name) for name in ["tests", "data", "src", "README.md"]]:
            tar.add(source, source.lstrip("/"), filter=leave_out(build))
