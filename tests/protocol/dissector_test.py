#!/usr/bin/env python3
"""tshark with samples/wireshark/ppspp.lua and ppsp-dump read one capture alike.

usage: dissector_test.py PPSP_DUMP PPSPP_LUA VECTORS

The capture is made of tests/vectors: every datagram and message of the wire vectors, each to a
channel that a HANDSHAKE opened for its format, and the live datagrams. Exit status 77: no tshark.
"""

import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

DUMP, LUA, VECTORS = None, None, None
LEFT, RIGHT, OTHER_PORT = 0xC0000201, 0xC0000202, 40000
MODES = {"bin32": 0, "chunk32": 2, "bin64": 3, "chunk64": 4}


def load(name):
    return json.loads((VECTORS / name).read_text())


def handshake(channel, mode, sha1=False, extra=b""):
    """Datagram 1 of a swarm with this format; the replies go to `channel`."""
    options = b"\0\1\1\1\2\0\x04abcd\3\1\4" + (b"\0" if sha1 else b"\2") + extra
    return struct.pack(">IBI", 0, 0, channel) + options + bytes([6, mode]) \
        + b"\x09\0\0\4\0\xff"


def conversations():
    """(to the right?, payload) of everything."""
    packets = []
    for number, vector in enumerate(load("ppspp_wire.json")["datagrams_and_messages"], 100):
        content = bytes.fromhex(vector["hex"])
        if vector["kind"] == "datagram":
            packets.append((True, content))
            continue
        mode = next((n for name, n in MODES.items() if name in vector["name"]), 2)
        packets.append((True, handshake(number, mode, "sha1" in vector["name"])))
        packets.append((False, struct.pack(">I", number) + content))
    live = b"\5\x0d"
    packets.append((True, handshake(9, 2, extra=live)))
    for vector in load("live_umt.json")["datagrams"]:
        packets.append((False, struct.pack(">I", 9) + bytes.fromhex(vector["hex"])[4:]))
    packets.append((True, handshake(10, 1)))
    packets.append((False, struct.pack(">IBQQQ", 10, 1, 7, 9, 5) + b"abc"))
    for number, vector in enumerate(load("ppspp_wire.json")["option_lists"], 300):
        packets.append((True, struct.pack(">IBI", 0, 0, number) + bytes.fromhex(vector["hex"])))
    # What is invalid ends where it does for both.
    for vector in load("ppspp_wire.json")["malformed_option_lists"]:
        packets.append((True, struct.pack(">IBI", 0, 0, 77) + bytes.fromhex(vector["hex"])))
    packets.append((True, handshake(11, 2)))
    to = struct.pack(">I", 11)
    packets += [(False, to + content) for content in (
        b"\x0e", b"\3\0", b"\6\3\0\0\0\7\0\0\0\4", b"\3\0\0\0\0\xff\xff\xff\xff",
        b"\1" + struct.pack(">IIQ", 5, 5, 1), b"\1" + struct.pack(">IIQ", 5, 6, 1) + b"x",
        b"\1" + struct.pack(">IIQ", 5, 5, 1) + bytes(1024) + b"\6",
        b"\1" + struct.pack(">IIQ", 5, 5, 1) + bytes(1024) + b"\x20",
        (b"\1" + struct.pack(">IIQ", 5, 5, 1) + bytes(1024)) * 2,
        b"\6" + handshake(12, 2)[4:],
        b"\x0d\0\3abc", b"\x0d\0\4abc",
        b"\2" + struct.pack(">IIq", 1, 2, -250000), b"\0\0\0\0\0", b"\0\0\0\0\0\xff",
        b"\0\0\0\0\0\0\1\xff", b"\0\0\0\0\0\0\1\1\1\xff")]
    return packets


def udp_packet(to_right, payload, port):
    """From 192.0.2.1 to 192.0.2.2, or back; the one on the left has the port."""
    source, target = (LEFT, RIGHT) if to_right else (RIGHT, LEFT)
    ports = (port, OTHER_PORT) if to_right else (OTHER_PORT, port)
    udp = struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
    return struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, source,
                       target) + udp


def write_capture(path, packets):
    content = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for number, packet in enumerate(packets):
        content += struct.pack("<IIII", 1767225600, number, len(packet), len(packet)) + packet
    path.write_bytes(content)


def run(*command):
    # tshark warns when it is run by root.
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def dumped(path):
    """Lines of messages of each datagram, by ppsp-dump."""
    datagrams = []
    for line in run(DUMP, "--pcap", str(path)).stdout.splitlines():
        if line.startswith("  "):
            datagrams[-1].append(line.strip())
        else:
            datagrams.append([])
    return datagrams


def dissected(path, *options):
    """The same by tshark; None for what it does not take for PPSPP."""
    result = run("tshark", "-n", "-r", str(path), "-X", f"lua_script:{LUA}", *options, "-T", "pdml")
    assert result.returncode == 0, result.stderr
    assert "Lua Error" not in result.stdout, result.stdout
    datagrams = []
    for packet in xml.etree.ElementTree.fromstring(result.stdout).iter("packet"):
        protocol = packet.find("proto[@name='ppspp']")
        if protocol is None:
            datagrams.append(None)
            continue
        lines = [field.get("show") for field in protocol.iter("field")
                 if field.get("name") == "ppspp.summary"]
        lines += [field.get("show") for field in packet.iter("field")
                  if field.get("name") == "_ws.expert.message"]
        datagrams.append(lines)
    return datagrams


class Dissector(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "test.pcap"

    def capture(self, packets, port=6778):
        write_capture(self.path, [udp_packet(*packet, port) for packet in packets])

    def test_both_read_alike(self):
        packets = conversations()
        self.capture(packets)
        expected = dumped(self.path)
        found = dissected(self.path)
        self.assertEqual(len(expected), len(packets))
        self.assertEqual(len(found), len(packets))
        for (_, payload), left, right in zip(packets, expected, found):
            self.assertEqual(left, right, payload.hex())

    def test_all_messages_and_options_occur(self):
        self.capture(conversations())
        text = "\n".join(line for lines in dissected(self.path) for line in lines or [])
        for word in ("HANDSHAKE from", "HANDSHAKE closing", "DATA", "ACK", "HAVE", "INTEGRITY",
                     "PEX_RESv4", "PEX_REQ", "SIGNED_INTEGRITY", "REQUEST", "CANCEL", "CHOKE",
                     "UNCHOKE", "PEX_RESv6", "PEX_REScert", "minimum version", "discard window",
                     "supports", "invalid from byte"):
            self.assertIn(word, text)

    def test_conversations_are_found_on_any_port(self):
        have = struct.pack(">IBII", 5, 3, 4, 7)
        self.capture([(True, handshake(5, 2)), (False, have), (False, b"\0\0\0\5"),
                      (True, bytes(range(40))), (True, b"\0\0\0\6\6")], port=40001)
        found = dissected(self.path)
        self.assertTrue(found[0][0].startswith("HANDSHAKE from 0x00000005"))
        self.assertEqual(found[1], ["HAVE 4..7"])
        self.assertEqual(found[2], [])
        # The conversation is known by now, so the rest of it counts as PPSPP, valid or not.
        self.assertEqual(found[4], ["PEX_REQ"])

    def test_other_traffic_is_left_alone(self):
        self.capture([(True, bytes(range(40))), (True, bytes(40)), (False, b"\0\0\0\6\6")],
                     port=40001)
        self.assertEqual(dissected(self.path), [None, None, None])

    def test_decode_as_and_preferences(self):
        have = struct.pack(">IBQQ", 5, 3, 4, 7)
        self.capture([(True, have)], port=40001)
        self.assertEqual(dissected(self.path, "-d", "udp.port==40001,ppspp", "-o",
                                   "ppspp.addressing:chunk64"), [["HAVE 4..7"]])


if __name__ == "__main__":
    DUMP, LUA, VECTORS = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    if shutil.which("tshark") is None:
        print("skipped: tshark is not installed (samples/install does it)")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
