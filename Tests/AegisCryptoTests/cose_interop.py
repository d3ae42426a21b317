#!/usr/bin/env python3
"""A second opinion on envelopes, from pycose and cbor2.

    cose_interop.py install DIRECTORY    makes a virtual environment with pycose and cbor2
    cose_interop.py torsion              prints the encodings of the points of small order
    cose_interop.py run                  reads a JSON task from standard input (in the environment)

A task is {"verify": [{"envelope": hex, "aad": text}], "sign": [{"seed": hex, "aad": text,
"payload": hex}], "cbor": [hex]}. The answer has the same keys: for each envelope its payload in
hexadecimal or null where it does not verify, for each signing task an envelope, and for each CBOR
value what cbor2 makes of decoding and canonically encoding it.
"""
import json
import pathlib
import subprocess
import sys

# pycose 1.1 takes decoded messages apart in place, which cbor2 6 made impossible.
PACKAGES = ["pycose==1.1.0", "cbor2>=5.6,<6"]


def install(directory):
    done = pathlib.Path(directory) / "installed"
    if done.exists() and done.read_text() == "\n".join(PACKAGES):
        return
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    pip = [str(pathlib.Path(directory) / "bin" / "pip"), "--disable-pip-version-check"]
    subprocess.run(pip + ["install", "--quiet"] + PACKAGES, check=True, stdout=sys.stderr)
    done.write_text("\n".join(PACKAGES))


def torsion():
    """The eight points P with 8P = 0 on edwards25519, from the curve's equation alone."""
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p
    root_of_minus_one = pow(2, (p - 1) // 4, p)

    def add(left, right):
        (x1, y1), (x2, y2) = left, right
        product = d * x1 * x2 * y1 * y2
        return ((x1 * y2 + x2 * y1) * pow(1 + product, -1, p) % p,
                (y1 * y2 + x1 * x2) * pow(1 - product, -1, p) % p)

    def on_curve(y):
        squared = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
        x = pow(squared, (p + 3) // 8, p)
        if x * x % p != squared:
            x = x * root_of_minus_one % p
        return (x, y) if x * x % p == squared else None

    # L times any point is in the torsion subgroup; one of order 8 generates it.
    order = 2**252 + 27742317777372353535851937790883648493
    y = 2
    while True:
        point = on_curve(y)
        y += 1
        if point is None:
            continue
        result, base, bits = (0, 1), point, order
        while bits:
            if bits & 1:
                result = add(result, base)
            base, bits = add(base, base), bits >> 1
        multiples = [result]
        while multiples[-1] != (0, 1):
            multiples.append(add(multiples[-1], result))
        if len(multiples) == 8:
            break
    spelled = set()
    for x, y in multiples:
        for value in (y, y + p):  # the second spells the same y again where it fits 255 bits
            if value < 2**255:
                for sign in (0, 1):
                    spelled.add((value | sign << 255).to_bytes(32, "little").hex())
    print(json.dumps(sorted(spelled)))


def run():
    import cbor2
    from pycose.algorithms import EdDSA
    from pycose.headers import KID, Algorithm, ContentType
    from pycose.keys import OKPKey
    from pycose.keys.curves import Ed25519
    from pycose.messages import CoseMessage, Sign1Message
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    def verify(envelope, aad):
        try:
            message = CoseMessage.decode(bytes.fromhex(envelope))
            assert isinstance(message, Sign1Message)
            assert message.phdr[Algorithm] is EdDSA and message.phdr[ContentType] == aad
            message.external_aad = aad.encode()
            message.key = OKPKey(crv=Ed25519, x=message.phdr[KID])
            return message.payload.hex() if message.verify_signature() else None
        except Exception:
            return None

    def sign(seed, aad, payload):
        public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        message = Sign1Message(
            phdr={Algorithm: EdDSA, ContentType: aad, KID: public}, payload=payload,
            external_aad=aad.encode(), key=OKPKey(crv=Ed25519, x=public, d=seed))
        return message.encode().hex()

    task = json.load(sys.stdin)
    json.dump({
        "verify": [verify(item["envelope"], item["aad"]) for item in task["verify"]],
        "sign": [sign(bytes.fromhex(item["seed"]), item["aad"], bytes.fromhex(item["payload"]))
                 for item in task["sign"]],
        "cbor": [cbor2.dumps(cbor2.loads(bytes.fromhex(item)), canonical=True).hex()
                 for item in task["cbor"]],
    }, sys.stdout)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install", directory]:
            install(directory)
        case ["torsion"]:
            torsion()
        case ["run"]:
            run()
        case _:
            sys.exit(__doc__)
