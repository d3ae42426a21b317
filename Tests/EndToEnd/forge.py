#!/usr/bin/env python3
"""Makes a TLS leaf in somebody's name, honest or forged, with OpenSSL alone.

A leaf is self-issued and carries a TLS binding: a COSE_Sign1 with the node's identity key over the
digest of the TLS key. This builds both from a node's directory, with anything in it changed.

forge.py DIR OUT --mesh HEX [options]      writes OUT.pem (leaf and key), OUT.der (leaf)
  --name NODE          the node that the binding names (default: the one of DIR)
  --host NODE          the node in the leaf's names (default: as --name)
  --sequence N         of the binding (default: now, in milliseconds)
  --age SECONDS        since the binding has expired
  --binding-of LEAF    carry the binding of this leaf (DER) instead of an own one
  --damage             flip a bit of the binding's signature
"""

import argparse
import base64
import hashlib
import os
import subprocess
import tempfile
import time

BINDING = "2.25.2849527880889853336"
DOMAIN = "aegis/1/tls-binding"


def head(major, argument):
    if argument < 24:
        return bytes([major << 5 | argument])
    width = next(width for width in (1, 2, 4, 8) if argument < 1 << 8 * width)
    return bytes([major << 5 | 24 + (1, 2, 4, 8).index(width)]) + argument.to_bytes(width, "big")


def cbor(value):
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(key) + cbor(value[key]) for key in sorted(value))


def openssl(*arguments, data=None):
    return subprocess.run(
        ["openssl", *arguments], input=data, check=True, capture_output=True
    ).stdout


def node_text(key):
    return base64.b32encode(key).decode().rstrip("=").lower()


def node_bytes(text):
    return base64.b32decode(text.upper() + "=" * (-len(text) % 8))


def signature(seed, message):
    """Ed25519 through OpenSSL, from the PKCS #8 form of the seed (RFC 8410)."""
    with tempfile.TemporaryDirectory() as folder:
        key, data = os.path.join(folder, "key"), os.path.join(folder, "data")
        with open(key, "wb") as file:
            file.write(bytes.fromhex("302e020100300506032b657004220420") + seed)
        with open(data, "wb") as file:
            file.write(message)
        return openssl("pkeyutl", "-sign", "-rawin", "-in", data, "-inkey", key,
                       "-keyform", "DER")


def binding(options, seed, own, tls_key):
    now = int(time.time())
    ends = now - options.age if options.age else now + 86_400
    payload = cbor({
        1: bytes.fromhex(options.mesh), 2: node_bytes(options.name or node_text(own)),
        3: hashlib.sha256(tls_key).digest(),
        4: options.sequence if options.sequence is not None else int(time.time() * 1000),
        5: ends - 172_800, 6: ends,
    })
    protected = cbor({1: -8, 3: DOMAIN, 4: own})
    signed = signature(seed, cbor(["Signature1", protected, DOMAIN.encode(), payload]))
    if options.damage:
        signed = bytes([signed[0] ^ 1]) + signed[1:]
    return b"\xd2" + cbor([protected, {}, payload, signed])


def stolen_binding(path):
    """The COSE_Sign1 in a leaf: what follows the extension's identifier."""
    leaf = open(path, "rb").read()
    lines = openssl("asn1parse", "-inform", "DER", "-in", path).decode().splitlines()
    place = next(number for number, line in enumerate(lines) if BINDING in line)
    offset, _, rest = lines[place + 1].strip().partition(":")
    header = int(rest.split("hl=")[1].split()[0])
    length = int(rest.split(" l=")[1].split()[0])
    content = leaf[int(offset) + header : int(offset) + header + length]
    return content[content.index(b"\xd2") :]


def octets(content):
    size = len(content)
    width = 0 if size < 128 else 1 if size < 256 else 2
    length = size.to_bytes(width, "big") if width else bytes([size])
    return b"\x04" + (bytes([0x80 | width]) if width else b"") + length + content


def main(options):
    with open(os.path.join(options.directory, "identity.key"), "rb") as file:
        key_file = file.read()
    own, seed = key_file[10:42], key_file[42:74]
    key_path = options.out + ".key"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key_path)
    tls_key = openssl("pkey", "-in", key_path, "-pubout", "-outform", "DER")
    if options.binding_of:
        carried = stolen_binding(options.binding_of)
    else:
        carried = binding(options, seed, own, tls_key)
    host = options.host or options.name or node_text(own)
    configuration = f"""
        [req]
        distinguished_name = name
        x509_extensions = leaf
        prompt = no
        [name]
        CN = {host[:8]}
        [leaf]
        basicConstraints = critical,CA:FALSE
        extendedKeyUsage = serverAuth,clientAuth
        subjectAltName = DNS:{host}.node.aegis,URI:aegis://{options.mesh}/node/{host}
        {BINDING} = DER:{octets(carried).hex()}
        """
    with open(options.out + ".cnf", "w", encoding="ascii") as file:
        file.write("\n".join(line.strip() for line in configuration.splitlines()))
    leaf = openssl("req", "-x509", "-new", "-key", key_path, "-days", "2",
                   "-config", options.out + ".cnf")
    with open(options.out + ".pem", "wb") as file:
        file.write(leaf + open(key_path, "rb").read())
    with open(options.out + ".der", "wb") as file:
        file.write(openssl("x509", "-outform", "DER", data=leaf))


parser = argparse.ArgumentParser()
parser.add_argument("directory")
parser.add_argument("out")
parser.add_argument("--mesh", required=True)
parser.add_argument("--name")
parser.add_argument("--host")
parser.add_argument("--sequence", type=int)
parser.add_argument("--age", type=int, default=0)
parser.add_argument("--binding-of")
parser.add_argument("--damage", action="store_true")
main(parser.parse_args())
