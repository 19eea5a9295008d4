#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes keys and signatures as cosign does, by nobody's code but openssl's, and puts them into a
registry.

usage: registry_sign.py keys PREFIX ecdsa|ed25519|rsa|p384
         PREFIX.pem (PKCS #8), PREFIX.pub
       registry_sign.py lock FILE PASSPHRASE [LABEL]
         the private key, locked as cosign locks it, on standard output
       registry_sign.py unlock FILE PASSPHRASE
         what is in such a file, as PEM
       registry_sign.py sign URL REPOSITORY DIGEST KEY [WORD...]
         name=NAME      the docker-reference (URL's host and REPOSITORY)
         digest=DIGEST  what is signed, if it is something else
         payload=TEXT   instead of the payload
         tamper         the payload is changed after it was signed
         type=TYPE      the payload's type
         bundle         a bundle of cosign 3 instead; statement=TEXT is its statement,
         message        with a signature of the manifest itself,
         certificate    with a certificate as material
         predicate=URI  of another kind
         name=NAME      of its subject (bundles of cosign have none)
         save=FILE      the index of referrers goes there, not under the tag that stands in for it
       registry_sign.py verify URL REPOSITORY DIGEST PUBLIC [bundle]
         prints the docker-references, or subjects, of the signatures that are good
"""
import base64
import hashlib
import hmac
import http.client
import json
import os
import struct
import subprocess
import sys
import tempfile
import urllib.parse

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
STATEMENT = "application/vnd.in-toto+json"
KEY = "dev.cosignproject.cosign/signature"
SIGN = "https://sigstore.dev/cosign/sign/v1"


def openssl(*words, data=None):
    return subprocess.run(["openssl", *words], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=True).stdout


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def dump(document):
    return json.dumps(document, separators=(",", ":")).encode()


def encode(data):
    return base64.b64encode(data).decode()


# --- the registry ---

class Registry:
    def __init__(self, url, repository):
        self.host = urllib.parse.urlsplit(url).netloc
        self.repository = repository

    def request(self, method, path, body=b"", headers=None):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request(method, f"/v2/{self.repository}/{path}", body, headers or {})
        reply = connection.getresponse()
        return reply, reply.read()

    def get(self, path):
        reply, data = self.request("GET", path, headers={"Accept": f"{MANIFEST}, {INDEX}, "
                                                         "application/vnd.docker.distribution.manifest.v2+json"})
        return data if reply.status == 200 else None

    def blob(self, data):
        reply, _ = self.request("POST", "blobs/uploads/")
        at = urllib.parse.urlsplit(reply.headers["Location"])
        path = at.path.split(f"/v2/{self.repository}/")[1]
        reply, said = self.request("PUT", f"{path}?{at.query}&digest={digest(data)}", data,
                                   {"Content-Type": "application/octet-stream"})
        assert reply.status == 201, said
        return {"digest": digest(data), "size": len(data)}

    def put(self, reference, document, kind):
        data = dump(document)
        reply, said = self.request("PUT", f"manifests/{reference}", data, {"Content-Type": kind})
        assert reply.status == 201, said
        return {"mediaType": kind, "digest": digest(data), "size": len(data)}


# --- keys ---

def is_plain(path, public=False):
    """Ed25519 signs the message itself, not its digest."""
    return b"ED25519" in openssl("pkey", "-in", path, "-noout", "-text", *(["-pubin"] if public else []))


def sign(key, message):
    if not is_plain(key):
        return openssl("dgst", "-sha256", "-sign", key, data=message)
    with tempfile.NamedTemporaryFile() as file:
        file.write(message)
        file.flush()
        return openssl("pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", file.name)


def verifies(public, message, signature):
    with tempfile.TemporaryDirectory() as place:
        for name, data in (("message", message), ("signature", signature)):
            with open(f"{place}/{name}", "wb") as file:
                file.write(data)
        how = (["pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", f"{place}/message", "-sigfile",
                f"{place}/signature"] if is_plain(public, True) else
               ["dgst", "-sha256", "-verify", public, "-signature", f"{place}/signature", f"{place}/message"])
        return subprocess.run(["openssl", *how], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0


def make_keys(prefix, kind):
    how = {"ecdsa": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "p384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
           "ed25519": ["ED25519"], "rsa": ["RSA"]}[kind]
    openssl("genpkey", "-algorithm", *how, "-out", f"{prefix}.pem")
    openssl("pkey", "-in", f"{prefix}.pem", "-pubout", "-out", f"{prefix}.pub")
    for half in ("pem", "pub"):
        os.chmod(f"{prefix}.{half}", 0o644)


# --- NaCl's secretbox: XSalsa20 and Poly1305, from the papers ---

def rotate(x, n):
    return ((x << n) | (x >> (32 - n))) & 0xffffffff


def rounds(state):
    x = list(state)

    def quarter(a, b, c, d):
        x[b] ^= rotate((x[a] + x[d]) & 0xffffffff, 7)
        x[c] ^= rotate((x[b] + x[a]) & 0xffffffff, 9)
        x[d] ^= rotate((x[c] + x[b]) & 0xffffffff, 13)
        x[a] ^= rotate((x[d] + x[c]) & 0xffffffff, 18)
    for _ in range(10):
        for group in ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11),
                      (0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)):
            quarter(*group)
    return x


SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def salsa_state(key, block):
    k, n = struct.unpack("<8I", key), struct.unpack("<4I", block)
    return [SIGMA[0], *k[:4], SIGMA[1], *n, SIGMA[2], *k[4:], SIGMA[3]]


def stream(key, nonce, length):
    x = rounds(salsa_state(key, nonce[:16]))
    key = struct.pack("<8I", *(x[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))
    out = b""
    for counter in range((length + 63) // 64):
        state = salsa_state(key, nonce[16:] + struct.pack("<Q", counter))
        out += struct.pack("<16I", *((a + b) & 0xffffffff for a, b in zip(state, rounds(state))))
    return out[:length]


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    total = 0
    for i in range(0, len(message), 16):
        total = (total + int.from_bytes(message[i:i + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return ((total + int.from_bytes(key[16:32], "little")) % (1 << 128)).to_bytes(16, "little")


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def box(key, nonce, text):
    pad = stream(key, nonce, 32 + len(text))
    sealed = xor(text, pad[32:])
    return poly1305(pad[:32], sealed) + sealed


def unbox(key, nonce, sealed):
    pad = stream(key, nonce, 32 + len(sealed) - 16)
    if not hmac.compare_digest(poly1305(pad[:32], sealed[16:]), sealed[:16]):
        sys.exit("wrong passphrase")
    return xor(sealed[16:], pad[32:])


def kdf(passphrase, salt, n, r, p):
    return hashlib.scrypt(passphrase.encode(), salt=salt, n=n, r=r, p=p, dklen=32, maxmem=1 << 30)


def pem(label, data):
    text = encode(data)
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def lock(path, passphrase, label="ENCRYPTED SIGSTORE PRIVATE KEY"):
    text = openssl("pkcs8", "-topk8", "-nocrypt", "-in", path, "-outform", "DER")
    salt, nonce = os.urandom(32), os.urandom(24)
    sealed = box(kdf(passphrase, salt, 65536, 8, 1), nonce, text)
    print(pem(label, json.dumps({
        "kdf": {"name": "scrypt", "params": {"N": 65536, "r": 8, "p": 1}, "salt": encode(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": encode(nonce)}, "ciphertext": encode(sealed)}).encode()), end="")


def unlock(path, passphrase):
    with open(path, encoding="ascii") as file:
        lines = file.read().splitlines()
    assert lines[0] == "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"
    envelope = json.loads(base64.b64decode("".join(lines[1:-1])))
    params = envelope["kdf"]["params"]
    key = kdf(passphrase, base64.b64decode(envelope["kdf"]["salt"]), params["N"], params["r"], params["p"])
    text = unbox(key, base64.b64decode(envelope["cipher"]["nonce"]), base64.b64decode(envelope["ciphertext"]))
    print(openssl("pkey", "-inform", "DER", data=text).decode(), end="")


# --- signatures ---

def put_simple(registry, of, key, o):
    payload = o.get("payload", "").encode() or dump({
        "critical": {"identity": {"docker-reference": o["name"]}, "image": {"docker-manifest-digest": o.get("digest", of)},
                     "type": o.get("type", "cosign container image signature")}, "optional": None})
    signature = sign(key, payload)
    if "tamper" in o:
        payload = payload.replace(b"null", b"{} ")
    tag = of.replace(":", "-") + ".sig"
    before = registry.get(f"manifests/{tag}")
    manifest = json.loads(before) if before else {"schemaVersion": 2, "mediaType": MANIFEST, "layers": []}
    manifest["layers"].append({"mediaType": SIMPLE, **registry.blob(payload), "annotations": {KEY: encode(signature)}})
    config = {"architecture": "", "os": "", "config": {}, "rootfs": {
        "type": "layers", "diff_ids": [layer["digest"] for layer in manifest["layers"]]}}
    manifest["config"] = {"mediaType": "application/vnd.oci.image.config.v1+json", **registry.blob(dump(config))}
    registry.put(tag, manifest, MANIFEST)


def envelope_of(key, statement):
    message = b"DSSEv1 %d %s %d %s" % (len(STATEMENT), STATEMENT.encode(), len(statement), statement)
    return {"dsseEnvelope": {"payload": encode(statement), "payloadType": STATEMENT,
                             "signatures": [{"sig": encode(sign(key, message))}]}}


def make_bundle(registry, of, key, o):
    bundle = {"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": "x"}, "tlogEntries": []}}
    if "certificate" in o:
        bundle["verificationMaterial"] = {"certificate": {"rawBytes": "AAAA"}}
    if "message" in o:
        data = registry.get(f"manifests/{of}")
        bundle["messageSignature"] = {"messageDigest": {"algorithm": "SHA2_256", "digest": encode(hashlib.sha256(data).digest())},
                                      "signature": encode(sign(key, data))}
        return bundle
    subject = {"digest": {"sha256": o.get("digest", of)[7:]}}
    if "name" in o["given"]:
        subject["name"] = o["name"]
    statement = {"_type": "https://in-toto.io/Statement/v1", "subject": [subject],
                 "predicateType": o.get("predicate", SIGN), "predicate": {}}
    bundle.update(envelope_of(key, o.get("statement", "").encode() or dump(statement)))
    if "tamper" in o:
        bundle["dsseEnvelope"]["payload"] = encode(dump({**statement, "predicate": {"more": 1}}))
    return bundle


def put_bundle(registry, of, key, o):
    text = dump(make_bundle(registry, of, key, o))
    subject = registry.get(f"manifests/{of}")
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE,
                "config": {"mediaType": "application/vnd.oci.empty.v1+json", **registry.blob(b"{}")},
                "layers": [{"mediaType": BUNDLE, **registry.blob(text)}],
                "subject": {"mediaType": json.loads(subject)["mediaType"], "digest": of, "size": len(subject)},
                "annotations": {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": SIGN}}
    entry = registry.put(digest(dump(manifest)), manifest, MANIFEST)
    entry["artifactType"] = BUNDLE
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    if "save" in o:
        with open(o["save"], "wb") as file:
            file.write(dump(index))
        return
    tag = of.replace(":", "-")
    before = registry.get(f"manifests/{tag}")
    if before:
        index["manifests"] = json.loads(before)["manifests"] + [entry]
    registry.put(tag, index, INDEX)


# --- reading them ---

def verify_simple(registry, of, public):
    manifest = json.loads(registry.get(f"manifests/{of.replace(':', '-')}.sig") or b'{"layers": []}')
    for layer in manifest["layers"]:
        payload = registry.get(f"blobs/{layer['digest']}")
        if layer["mediaType"] == SIMPLE and verifies(public, payload, base64.b64decode(layer["annotations"][KEY])):
            critical = json.loads(payload)["critical"]
            assert critical["image"]["docker-manifest-digest"] == of
            assert critical["type"] == "cosign container image signature"
            print(critical["identity"]["docker-reference"])


def verify_bundles(registry, of, public):
    index = json.loads(registry.get(f"manifests/{of.replace(':', '-')}") or b'{"manifests": []}')
    for entry in index["manifests"]:
        manifest = json.loads(registry.get(f"manifests/{entry['digest']}"))
        assert entry["artifactType"] == manifest["artifactType"] == BUNDLE
        assert manifest["subject"]["digest"] == of
        bundle = json.loads(registry.get(f"blobs/{manifest['layers'][0]['digest']}"))
        envelope = bundle["dsseEnvelope"]
        text = base64.b64decode(envelope["payload"])
        message = b"DSSEv1 %d %s %d %s" % (len(STATEMENT), STATEMENT.encode(), len(text), text)
        if verifies(public, message, base64.b64decode(envelope["signatures"][0]["sig"])):
            der = openssl("pkey", "-pubin", "-in", public, "-outform", "DER")
            assert bundle["verificationMaterial"]["publicKey"]["hint"] == encode(hashlib.sha256(der).digest())
            statement = json.loads(text)
            assert statement["predicateType"] == SIGN
            assert statement["subject"][0]["digest"]["sha256"] == of[7:]
            print(statement["subject"][0]["name"])


def main():
    verb, *words = sys.argv[1:]
    if verb in ("keys", "lock", "unlock"):
        return {"keys": make_keys, "lock": lock, "unlock": unlock}[verb](*words)
    url, repository, of, key, *more = words
    registry = Registry(url, repository)
    o = dict(word.split("=", 1) if "=" in word else (word, "") for word in more)
    o["given"] = set(o)
    o.setdefault("name", f"{registry.host}/{repository}")
    if verb == "verify":
        return (verify_bundles if "bundle" in o else verify_simple)(registry, of, key)
    return (put_bundle if "bundle" in o else put_simple)(registry, of, key, o)


main()
