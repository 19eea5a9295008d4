#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts images that the tests need into a registry, by nobody's client.

usage: registry_put.py URL REPOSITORY:TAG [WORD...]

  layers=N       layers besides busybox's (0); each has the file /layer-I with size=BYTES of data
  size=BYTES     of each of them (1000)
  seed=TEXT      what the data is made of
  pack=gzip|plain|zstd
  docker         Docker's media types instead of OCI's
  platforms=A,B  an index; each platform's image has /platform with its name
  base=DIR       a directory whose files are the first layer (busybox's, of the tests)
  foreign        the last layer is a foreign one
  annotation     an entry unknown/unknown, as attestations have, comes first in the index
  schema1        a manifest of the old kind
  wrong-diff-id[=ID]  the configuration names another diff id for the last layer
  escape         the last layer has a name that leaves the tree
  bomb           the last layer is a gzip bomb
  bare           no base at all
  save=FILE      write the document there instead of giving the registry it
Prints the digest of what the tag means.
"""
import gzip
import hashlib
import http.client
import io
import json
import os
import subprocess
import sys
import tarfile
import urllib.parse

DOCKER = "application/vnd.docker."
OCI = "application/vnd.oci.image."


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    def __init__(self, url, repository):
        self.host = urllib.parse.urlsplit(url).netloc
        self.repository = repository

    def request(self, method, path, body=b"", headers=None):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        data = reply.read()
        if reply.status >= 300:
            sys.exit(f"{method} {path}: {reply.status} {data[:500]!r}")
        return reply

    def blob(self, data):
        reply = self.request("POST", f"/v2/{self.repository}/blobs/uploads/")
        at = urllib.parse.urlsplit(reply.headers["Location"])
        self.request("PUT", f"{at.path}?{at.query}&digest={digest(data)}", data,
                     {"Content-Type": "application/octet-stream"})
        return {"digest": digest(data), "size": len(data)}

    def manifest(self, reference, document, media_type):
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.request("PUT", f"/v2/{self.repository}/manifests/{reference}", data,
                     {"Content-Type": media_type})
        return {"digest": digest(data), "size": len(data), "mediaType": media_type}


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def tar_of(directory):
    return subprocess.run(["tar", "-C", directory, "--owner=0", "--group=0", "--numeric-owner", "-cf", "-",
                           "."], stdout=subprocess.PIPE, check=True).stdout


def data_of(seed, size):
    """Bytes that no compressor makes less of, the same each time."""
    out = bytearray()
    at = hashlib.sha256(seed.encode()).digest()
    while len(out) < size:
        at = hashlib.sha256(at).digest()
        out += at
    return bytes(out[:size])


def pack(data, how):
    if how == "gzip":
        return gzip.compress(data, 1, mtime=0), "+gzip"
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout, "+zstd"
    return data, ""


def bomb():
    return gzip.compress(tar([("bomb", bytes(1 << 30))]), 9)


class Image:
    def __init__(self, registry, options):
        self.registry = registry
        self.options = options

    def plain_layers(self, platform):
        o = self.options
        layers = []
        if "bare" not in o:
            layers.append(tar_of(o["base"]))
        if platform:
            layers.append(tar([("platform", platform.encode())]))
        for i in range(int(o.get("layers", 0))):
            seed = o.get("seed", "") + str(i)
            layers.append(tar([(f"layer-{i}", data_of(seed, int(o.get("size", 1000))))]))
        if "escape" in o:
            layers.append(tar([("../../escaped", b"out")]))
        return layers

    def put(self, platform=None):
        o = self.options
        docker = "docker" in o
        descriptors, diff_ids = [], []
        for plain in self.plain_layers(platform):
            packed, suffix = pack(plain, o.get("pack", "gzip"))
            kind = f"{DOCKER}image.rootfs.diff.tar.gzip" if docker else f"{OCI}layer.v1.tar{suffix}"
            descriptors.append({"mediaType": kind, **self.registry.blob(packed)})
            diff_ids.append(digest(plain))
        if "bomb" in o:
            packed = bomb()
            descriptors.append({"mediaType": f"{OCI}layer.v1.tar+gzip", **self.registry.blob(packed)})
            diff_ids.append(digest(gzip.decompress(packed)))
        if "foreign" in o:
            descriptors[-1]["mediaType"] = f"{DOCKER}image.rootfs.foreign.diff.tar.gzip"
        if "wrong-diff-id" in o:
            diff_ids[-1] = o["wrong-diff-id"] or digest(b"something else")
        words = (platform or "linux/amd64").split("/")
        config = {"os": words[0], "architecture": words[1], "config": {"Cmd": ["sh"], "Env": ["FROM=registry"]},
                  "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        if len(words) > 2:
            config["variant"] = words[2]
        kind = f"{DOCKER}container.image.v1+json" if docker else f"{OCI}config.v1+json"
        manifest = {"schemaVersion": 2,
                    "mediaType": f"{DOCKER}distribution.manifest.v2+json" if docker else f"{OCI}manifest.v1+json",
                    "config": {"mediaType": kind, **self.registry.blob(json.dumps(config).encode())},
                    "layers": descriptors}
        return manifest

    def put_index(self, platforms):
        docker = "docker" in self.options
        entries = []
        if "annotation" in self.options:
            one = self.put(platforms[0])
            entry = self.registry.manifest(digest(json.dumps(one).encode()), one, one["mediaType"])
            entry["platform"] = {"os": "unknown", "architecture": "unknown"}
            entries.append(entry)
        for platform in platforms:
            one = self.put(platform)
            entry = self.registry.manifest(digest(json.dumps(one).encode()), one, one["mediaType"])
            words = platform.split("/")
            entry["platform"] = {"os": words[0], "architecture": words[1]}
            if len(words) > 2:
                entry["platform"]["variant"] = words[2]
            entries.append(entry)
        return {"schemaVersion": 2,
                "mediaType": f"{DOCKER}distribution.manifest.list.v2+json" if docker else f"{OCI}index.v1+json",
                "manifests": entries}


def main():
    url, name, *words = sys.argv[1:]
    repository, tag = name.rsplit(":", 1)
    options = dict(word.split("=", 1) if "=" in word else (word, "") for word in words)
    options.setdefault("base", os.environ.get("BASE", ""))
    registry = Registry(url, repository)
    image = Image(registry, options)
    platforms = options.get("platforms")
    document = image.put_index(platforms.split(",")) if platforms else image.put()
    if "save" in options:
        with open(options["save"], "w", encoding="utf-8") as file:
            json.dump(document, file)
        return
    print(registry.manifest(tag, document, document["mediaType"])["digest"])


main()
