"""Objects of signed units (samples/guide/objects.md), written anew from the format's description and the signatures in
tests/vectors/live_umt.json: a second implementation to test the first one with.

Called as a program it prints tests/vectors/unit_object.json."""

import base64
import hashlib
import json
import pathlib
import struct

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors"
CHUNK_SIZE = 512


def live_vectors():
    return json.loads((VECTORS / "live_umt.json").read_text())


def pattern(begin, end):
    """Content of the live vectors (tests/vectors/README.md)."""
    return bytes((i * 31 + (i >> 8) * 17 + 7 + 101) & 0xFF for i in range(begin, end))


def signed_units(width, algorithm):
    """[(first, last, ntp time, signature, payload)] for 32-bit chunk ranges."""
    units = []
    for group in live_vectors()["sets"]:
        if group["nchunks_per_sig"] != width:
            continue
        for munro in group["munros"]:
            first, last = munro["first_chunk"], munro["last_chunk"]
            for one in munro["signatures"]:
                if (one["algorithm"], one["cam"]) == (algorithm, 2):
                    units.append((first, last, int(munro["ntp64"], 16), bytes.fromhex(one["signature"]),
                                  pattern(first * CHUNK_SIZE, (last + 1) * CHUNK_SIZE)))
    return units


def swarm_id(algorithm=13):
    keys = live_vectors()["keys"]
    return bytes.fromhex(keys["swarm_id_p256" if algorithm == 13 else "swarm_id_ed25519"])


def make_object(swarm, units, chunk_size=CHUNK_SIZE):
    width = units[0][1] - units[0][0] + 1
    head = b"PPSU" + bytes([1, 2, 2, 0])
    head += struct.pack(">IHHHH", chunk_size, width, len(units), len(swarm), len(units[0][3])) + swarm
    for first, last, time, signature, _ in units:
        head += struct.pack(">IIQ", first, last, time) + signature
    return head + b"".join(unit[4] for unit in units)


def ni_value(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def ni_path(data):
    return "/.well-known/ni/sha-256/" + ni_value(data)


def main():
    rows = []
    for algorithm in (13, 15):
        for count in (1, 2, 3):
            units = signed_units(4, algorithm)[:count]
            if len(units) < count:
                continue
            data = make_object(swarm_id(algorithm), units)
            rows.append({"algorithm": algorithm, "units": count, "first_chunk": units[0][0],
                         "last_chunk": units[-1][1], "size": len(data),
                         "head_hex": data[:len(data) - sum(len(u[4]) for u in units)].hex(),
                         "ni": "ni:///sha-256;" + ni_value(data)})
    print(json.dumps({"about": "Objects of signed units (samples/guide/objects.md) made of the first units of live_umt.json, "
                               "4 chunks per signature; written by tests/e2e/unit_objects.py.", "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
