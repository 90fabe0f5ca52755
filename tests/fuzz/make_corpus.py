#!/usr/bin/env python3
"""Writes the seeds of the fuzzing targets from tests/vectors and from what is written here.

Files of the corpora that it does not write (inputs that found something) stay.
"""

import base64
import json
import pathlib
import random
import struct

HERE = pathlib.Path(__file__).parent
VECTORS = HERE.parent / "vectors"
SWARM = bytes([13]) + bytes([0x11]) * 64
SWARM_HEX = SWARM.hex()
NI = "ni:///sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk"


def load(name):
    return json.loads((VECTORS / name).read_text())


def write(target, name, content):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def datagrams():
    """Addressing mode, hash, signature and chunk size by number; then the datagram."""
    modes = {"bin32": 0, "chunk32": 2, "bin64": 3, "chunk64": 4}
    for vector in load("ppspp_wire.json")["datagrams_and_messages"]:
        mode = next((n for key, n in modes.items() if key in vector["name"]), 2)
        head = bytes([mode, 0 if "sha1" in vector["name"] else 2, 0, 2])
        to = b"" if vector["kind"] == "datagram" else b"\0\0\0\1"
        write("datagram", vector["name"], head + to + bytes.fromhex(vector["hex"]))
    for number, vector in enumerate(load("live_umt.json")["datagrams"]):
        write("datagram", f"live-{number}", bytes([2, 2, 0, 2]) + bytes.fromhex(vector["hex"]))
    write("datagram", "bytes-64", bytes([1, 2, 0, 4]) + b"\0\0\0\1\3" + struct.pack(">QQ", 0, 4095))


def options():
    vectors = load("ppspp_wire.json")
    for vector in vectors["option_lists"] + vectors["malformed_option_lists"]:
        write("handshake", vector["name"], bytes.fromhex(vector["hex"]))
    # The swarm of the target agrees with this one.
    write("handshake", "fits",
          b"\0\1\1\1\2\0\x41" + SWARM + b"\3\3\4\2\5\x0d\6\2\7\0\0\x8f\x20\x09\0\0\4\0\xff")
    write("handshake", "fits-draft", b"\0\1\1\1\2\0\x14" + b"\x22" * 20 + b"\3\1\4\0\6\2\xff")
    write("handshake", "fits-recording", b"\0\1\1\1\2\0\x14" + b"\x22" * 20 + b"\3\1\4\0\6\2\x09\0\0\4\0\xff")


def memberships():
    """What is done with the genuine certificate of the target; certificates themselves lie in the corpus."""
    now = 1_790_000_000_000_000
    at = lambda time: struct.pack(">Q", time << 1)
    write("membership", "unchanged", bytes([1, 0, 0, 0, 4, 0x30]))  # any certificate begins so
    for name, edit in {"version": (0, 13, 1), "inserted": (1, 100, 0x30), "removed": (2, 40, 0)}.items():
        write("membership", name, bytes([1, 0, edit[0]]) + struct.pack(">HB", *edit[1:]))
    write("membership", "many-edits", bytes([1, 15]) + bytes(range(64)))
    for name, algorithm, size in (("p256", 13, 64), ("p384", 14, 96), ("ed25519", 15, 32), ("ed448", 16, 57), ("rsa", 8, 260)):
        write("membership", f"issuer-{name}", bytes([2, algorithm]) + b"\3\1\0\1"[:4 if name == "rsa" else 0] + b"\x9d" * size)
    for name, time in {"in-time": now, "early": now - 300_000_001, "late": now + 3_900_000_001}.items():
        write("membership", name, bytes([3]) + at(time) + b"\0")
    write("membership", "other-swarm", bytes([3]) + at(now) + b"\1" + SWARM)
    write("membership", "own-swarm", bytes([3]) + at(now) + b"\1" + b"\x11" * 65)


def recordings():
    """What happens is drawn; each kind of swarm, with and without the seed from the beginning."""
    draw = random.Random(7574)
    for kind in range(32):
        # The hostile neighbour opens a conversation with each of the two, and says much.
        opened = bytes([2, 1, 0, 0, 0, 7, 3, 0]) + bytes([2, 0, 0, 0, 0, 8, 3, 0])
        write("recording", f"drawn-{kind}", bytes([kind]) + opened + draw.randbytes(400))


CONTENT_MAP = {"swarm_id": "s1", "newest": 3199, "chunks_per_unit": 32, "window_units": 90,
               "holes": [[3, 2], [20, 1]], "random_access": 3008}
REPORT = {"type": "CONTENT_MAP", "stat": [CONTENT_MAP],
          "PEER_STATUS": [{"swarm_id": "s1", "uplink_bps": 5000000, "free_slots": 3,
                           "neighbours": 9, "buffer_ms": 700, "lag_ms": 20, "late_chunks": 1}],
          "RECEIPTS": [{"swarm_id": "s1", "sender": "198.51.100.2:6779", "bytes": 65536}],
          "NEIGHBOURS": [{"swarm_id": "s1", "endpoints": ["198.51.100.2:6779",
                                                          "[2001:db8::7]:1"]}]}


def request(peer, kind, **body):
    return compact({"PPSPTrackerProtocol": {
        "version": 1, "request_type": kind, "transaction_id": f"{peer}-{kind}-{len(str(body))}",
        "peer_id": peer, **body}})


def join(peer, swarm="s1", action="JOIN", mode="LEECH", port=6778):
    return request(peer, "CONNECT", connect={
        "peer_num": {"peer_count": 5},
        "peer_addr": [{"ip_address": {"address_type": "ipv4", "address": "198.51.100.9"},
                       "port": port, "priority": 1, "type": "HOST"}],
        "swarm_action": [{"swarm_id": swarm, "action": action, "peer_mode": mode}]})


def tracker_messages():
    vectors = load("ppstp.json")
    texts = {v["name"]: v.get("text") or compact(v["json"]) for v in vectors["requests"]}
    texts["report-with-extensions"] = request("p1", "STAT_REPORT", stat_report=REPORT)
    for name, text in texts.items():
        write("ppstp", f"request-{name}", "\1" + text)
        write("tracker", f"one-{name}", "\0" "0" + text + "\n")
    answer = vectors["ok_response"]
    write("ppstp", "response-ok", "\0" + compact(answer))
    write("ppstp", "response-error", "\0" + compact(vectors["error_response"]))
    result = answer["PPSPTrackerProtocol"]["swarm_result"][0]
    result["live"] = {"newest": 3199, "chunks_per_unit": 32, "random_access": 3008, "age_ms": 120}
    result["proven"] = [{"endpoint": "198.51.100.2:6779", "kbps": 900}]
    result["peer_group"]["peer_info"][0]["proven_kbps"] = 700
    write("ppstp", "response-extensions", "\0" + compact(answer))

    find = request("p2", "FIND", find={"swarm_id": "s1", "peer_num": {"peer_count": 9}})
    report = texts["report-with-extensions"]
    scripts = {
        "join-report-find-leave": ["0" + join("p1", mode="SEEDER"), "1" + join("p2", port=6779),
                                   "5" + report, "6" + find, "6" + find,
                                   "1" + join("p2", action="LEAVE")],
        "full": [f"{n}" + join(f"p{n}", swarm=f"s{n}", port=7000 + n) for n in range(9)],
        "same-address": ["0" + join(f"p{n}", port=7000 + n) for n in range(5)],
        "timers": ["0" + join("p1"), "H" + find, "C" + report, "H" + report],
    }
    for name, lines in scripts.items():
        write("tracker", name, "\0" + "\n".join(lines))


def channels():
    links = {
        "tracker": f"ppsp://tracker.example:7846/{SWARM_HEX}",
        "tls": f"ppsps://[2001:db8::1]/{SWARM_HEX}?cache=https%3A%2F%2Fcache.example%2F",
        "peers": f"ppsp:///{SWARM_HEX}?peer=192.0.2.1:6778&peer=%5B::1%5D:9&cdn=http://c.example/x",
        "recording": "ppsp://h:1/" + "b" * 64 + "?length=12345",
        "fragment": f"ppsp://h:1/{SWARM_HEX}?cdn=http://c.example/#?length=1&peer=h:1",
        "not-a-link": "https://example.org/",
    }
    for name, text in links.items():
        write("channel", f"link-{name}", "\0" + text)
    file = {"title": "News", "swarm": SWARM_HEX,
            "trackers": [["http://tracker.example:7846", "https://other.example"],
                         ["http://192.0.2.1:7846/ppstp"]],
            "caches": ["https://cache.example/"], "cdn": ["https://cdn.example/news/"],
            "chunk_size": 1024, "chunks_per_signature": 16,
            "renditions": [{"name": "low", "swarm": SWARM_HEX, "video_kbps": 800}],
            "created": 1790000000, "signature": "5a" * 64}
    write("channel", "file", "\1" + compact(file))
    file["title"] = "x" + "\u00e9" * 300  # the limit lies inside a character
    write("channel", "file-long-title",
          b"\1" + json.dumps(file, ensure_ascii=False).encode())
    for name, text in {"tracker": "https://tracker.example/ppstp", "v6": "[2001:db8::1]:6778",
                       "v4": "192.0.2.1:6778", "localhost": "localhost:7"}.items():
        write("channel", f"address-{name}", "\2" + text)


def unit_object(units, width=2, size=64):
    head = b"PPSU" + struct.pack(">BBBBIHHHH", 1, 2, 2, 0, size, width, units, len(SWARM), 64)
    records = b"".join(struct.pack(">IIQ", n * width, n * width + width - 1,
                                   (3998988800 << 32) + n * 2**31) + b"\x5a" * 64
                       for n in range(units))
    return head + SWARM + records + bytes(range(size)) * (width * units)


def in_network_storage():
    write("decade", "object", b"\0" + unit_object(2))
    write("decade", "object-one-unit", b"\0" + unit_object(1, 4, 16))
    write("decade", "object-truncated", b"\0" + unit_object(2)[:-1])
    entry = {"name": NI, "first": 32, "last": 63, "bytes": 33000,
             "first_signed_us": 1790000000000000, "last_signed_us": 1790000000050000,
             "random_access": [32]}
    index = {"type": "ppsp-live-index/1", "swarm": SWARM_HEX, "sequence": 9,
             "made_us": 1790000000100000, "chunk_size": 1024, "chunks_per_unit": 16,
             "objects": [entry, dict(entry, first=64, last=95, random_access=[])]}
    write("decade", "index", "\1" + compact(index) + "\n\"" + "5a" * 64 + "\"\n")
    names = load("ni.json")
    for number, row in enumerate(names["rows"][:8]):
        write("decade", f"name-{number}-uri", "\2" + row["ni"])
        write("decade", f"name-{number}-path", "\2" + row["well_known_path"])
        write("decade", f"name-{number}-binary", b"\2" + bytes.fromhex(row["binary"]))
    for number, text in enumerate(names["malformed"]):
        write("decade", f"name-malformed-{number}", "\2" + text)

    def part(value):
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    claims = {"jti": "token-1", "ops": ["read", "write", "delete", "transfer", "manage"],
              "objs": [NI, {"swarm": SWARM_HEX, "first": 0, "last": 9}], "nbf": 1, "exp": 9,
              "aud": "https://cache.example", "prio": "High", "bw": 1, "amt": 2, "sto": 3,
              "con": 4, "multi": False}
    header = part(compact({"typ": "JWT", "alg": "ES256"}).encode())
    for name, value in {"full": claims, "short": {"jti": "t", "ops": ["read"], "nbf": 0, "exp": 1}
                        }.items():
        write("decade", f"token-{name}",
              "\3" + ".".join([header, part(compact(value).encode()), part(b"\x5a" * 64)]))
    for name, text in {"range": "bytes=10-19", "suffix": "bytes=-5", "open": "bytes=7-",
                       "list": "bytes=0-1,3-4", "tags": 'W/"a", "tag"', "alias": "32-63",
                       "lifetime": "90s"}.items():
        write("decade", f"request-{name}", b"\4\0\x64" + text.encode())


def udp(payload):
    return struct.pack(">HHHH", 6778, 6779, 8 + len(payload), 0) + payload


def ipv4(packet, fragment=0):
    return struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(packet), 1, fragment, 64, 17, 0,
                       0xC0000201, 0xC0000202) + packet


def ipv6(packet, extensions=((),)):
    rest, following = packet, 17
    for kind, header in reversed([e for e in extensions if e]):
        rest, following = bytes([following]) + header + rest, kind
    return struct.pack(">IHBB", 6 << 28, len(rest), following, 64) + bytes(15) + b"\1" + bytes(15) \
        + b"\2" + rest


def frames():
    datagram = udp(bytes.fromhex("0000000808000000000000000006"))
    macs = bytes(12)
    for name, content in {
        "ethernet": b"\0" + macs + b"\x08\0" + ipv4(datagram) + bytes(6),
        "vlan": b"\0" + macs + b"\x88\xa8\0\1\x81\0\0\2\x86\xdd" + ipv6(datagram),
        "fragment": b"\0" + macs + b"\x08\0" + ipv4(datagram, 0x2000),
        "arp": b"\0" + macs + b"\x08\6" + bytes(28),
        "raw": b"\1" + ipv4(datagram),
        "cooked": b"\2" + bytes(14) + b"\x08\0" + ipv4(datagram),
        "cooked-v2": b"\3" + b"\x86\xdd" + bytes(18) + ipv6(datagram),
        "null": b"\4" + struct.pack("<I", 2) + ipv4(datagram),
        "extensions": b"\5" + ipv6(datagram, ((0, b"\0" + bytes(6)), (60, b"\1" + bytes(14)),
                                              (51, b"\1" + bytes(10)), (44, bytes(7)))),
        "short": b"\1" + ipv4(datagram)[:-3],
    }.items():
        write("frame", name, content)


# The engine's steps, as tests/fuzz/engine_fuzz.cpp reads them.
LATER = bytes([0, 50])
MUCH_LATER = bytes([2, 100])
VIEWER, SOURCE = 0, 1
NEWEST = 63  # the unit before the next one, as a chunk specification


def say(session, *messages):
    return bytes([5, len(messages)]) + b"".join(messages) + bytes([session])


def with_spec(kind, spec=NEWEST):
    return bytes([kind, spec])


def repeat(session, back, change=None):
    altered = b"\0" if change is None else b"\1" + struct.pack(">HB", *change)
    return bytes([8, back]) + altered + bytes([session])


def engine():
    have, request_, cancel, ack = (with_spec(kind) for kind in (3, 8, 9, 2))
    future = with_spec(8, 70)
    scripts = {
        "plays": LATER * 8,
        "asks-and-acknowledges": say(0, request_, future) + LATER + say(0, bytes([2, 140, 100]))
        + LATER + say(0, cancel) + LATER,
        "asks-source": say(1, request_, future) + LATER * 3 + say(1, bytes([2, 140, 100])) + LATER,
        "announces": say(0, have, with_spec(3, 64), with_spec(3, 90)) + LATER * 4,
        "chokes": say(0, have, bytes([10])) + LATER + say(0, bytes([11])) + LATER,
        "repeats": LATER + b"".join(repeat(0, n) for n in range(6)) + LATER,
        "repeats-changed": LATER + b"".join(repeat(0, n, (40 + 9 * n, 1)) for n in range(8)) + LATER,
        "wrong-data": say(0, bytes([1, 3, 100, 0, 7])) + say(0, bytes([1, 3, 100, 1])) + LATER,
        "old-clock": say(0, bytes([1, 3, 255]) + b"\x80" + b"\0" * 7 + b"\0\7") + LATER,
        "forged-munro": say(0, bytes([4, NEWEST, 9]), bytes([7, NEWEST, 100])) + LATER,
        "pex": say(0, bytes([6]), bytes([5, 0, 10, 0, 0, 99, 26, 122]), bytes([5, 1, 4]),
                   bytes([12, 5, 26, 122]), bytes([13, 3, 1, 2, 3])) + MUCH_LATER,
        "dialled": bytes([13, 2, 1, 1, 1, 3, VIEWER]) + LATER
        + bytes([11, 2, 0, 0, 0, 77, 1]) + have + LATER * 2,
        "opens-many": b"".join(bytes([10, 5, 0, 128 + n, n % 2, 0, 0, 1, n, 0, 0])
                                for n in range(24)),
        "opens-and-proves-many": b"".join(bytes([10, 5, 0, 128 + n, n % 2, 0, 0, 1, n, 0, 1])
                                          for n in range(16)) + MUCH_LATER
        + b"".join(bytes([10, 5, 0, n, n % 2, 0, 0, 2, n, 0, 1]) for n in range(7)) + LATER,
        "rivals": b"".join(bytes([10, 5, 0, 128 + n, VIEWER, 0, 0, 1, n, 0, 1]) for n in range(4))
        + (b"".join(say(n, future, with_spec(8, 90)) for n in range(6)) + LATER) * 4,
        "opens-with-requests": bytes([10, 5, 0, 3, VIEWER, 0, 0, 1, 9, 2]) + request_ + have
        + b"\1",
        "closes": say(0, bytes([0, 0, 0, 0, 0, 0])) + LATER * 2,
        "link-cut": bytes([18, 1]) + LATER * 4 + bytes([18, 5]) + MUCH_LATER,
        "source-pauses": bytes([18, 2]) + MUCH_LATER + bytes([18, 6]) + MUCH_LATER,
        "rejoins": bytes([18, 0]) + LATER * 4,
        "edge": bytes([12]) + struct.pack(">QIBQI", 3199, 8, 1, 3008, 120) + bytes([VIEWER])
        + LATER * 2,
        "uplinks": bytes([14, 1, 1, 0]) + struct.pack(">I", 9000) + bytes([VIEWER]) + MUCH_LATER,
        "cuts": bytes([15, 1, 8]) + b"\x47\x40\0\x10\0\0\xb0\x0d" + LATER * 2,
        "storage": bytes([16, 1, 0, 0]) + LATER * 4 + bytes([18, 1]) + LATER * 6,
        "storage-lies": bytes([18, 1, 16, 2, 0, 90]) + LATER * 6 + bytes([16, 2, 2, 1]) + LATER * 6,
        "storage-fails": bytes([18, 1, 16, 3, 0, 0]) + LATER * 4 + bytes([16, 0, 0, 0])
        + LATER * 4 + b"".join(bytes([17, n, n, 0, 40]) + unit_object(1, 2, 16)[:40] + LATER
                               for n in range(6)),
        "storage-alone": LATER * 12 + bytes([18, 1, 16, 1, 0, 0]) + LATER * 12 + bytes([18, 2])
        + LATER * 8,
        "silence": MUCH_LATER * 20,
        "garbage": bytes([3, 9]) + b"\0\0\0\0\0\1\2\3\4" + bytes([0, VIEWER]) + bytes([4, 3, 9, 9, 9, 0]),
    }
    for name, steps in scripts.items():
        for variant, choice in (("", 0), ("-wide", 2 | 64 | 128), ("-no-upload", 1 | 16 | 32)):
            write("engine", name + variant, bytes([choice]) + steps)


if __name__ == "__main__":
    datagrams()
    frames()
    options()
    memberships()
    recordings()
    tracker_messages()
    channels()
    in_network_storage()
    engine()
