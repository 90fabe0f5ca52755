"""A peer of the time of RFC 7574's drafts, independent of the engine: static content, SHA-1, 32-bit chunk ranges. It behaves as libswift
was seen to: a HANDSHAKE with an option above 7 gets no answer at all, peak hashes come before anything else and descend, requests grow
old, each DATA is acknowledged by itself with the delay, and what lies past the end is never asked for."""

import hashlib
import os
import socket
import struct
import threading
import time

CHUNK = 1024
HANDSHAKE, DATA, ACK, HAVE, INTEGRITY, REQUEST = 0, 1, 2, 3, 4, 8
EMPTY = bytes(20)
# What follows the type of the messages that have a fixed size.
SIZES = {ACK: 16, HAVE: 8, INTEGRITY: 28, REQUEST: 8, 6: 0, 9: 8, 10: 0, 11: 0, 5: 6, 12: 18}


def sha1(data):
    return hashlib.sha1(data).digest()


def peaks_of(chunks):
    """(first chunk, chunks) of the subtrees that cover the content, descending."""
    spans, at = [], 0
    while at < chunks:
        size = 1 << ((chunks - at).bit_length() - 1)
        spans.append((at, size))
        at += size
    return spans


class Tree:
    """All hashes of some content, by (first chunk, chunks)."""

    def __init__(self, content):
        leaves = [sha1(content[at:at + CHUNK]) for at in range(0, len(content), CHUNK)]
        self.chunks = len(leaves)
        width = 1 << (self.chunks - 1).bit_length()
        level = leaves + [EMPTY] * (width - self.chunks)
        self.hashes, size = {}, 1
        while True:
            for i, node in enumerate(level):
                self.hashes[(i * size, size)] = node
            if len(level) == 1:
                break
            level = [EMPTY if a == b == EMPTY else sha1(a + b) for a, b in zip(level[::2], level[1::2])]
            size *= 2
        self.root = level[0]

    def uncles(self, chunk):
        """From below its peak down to its sibling."""
        found, at, size = [], chunk, 1
        peak = next(span for span in peaks_of(self.chunks) if span[0] <= chunk < span[0] + span[1])
        while (at, size) != peak:
            found.append((at ^ size, size))
            at, size = at & ~size, size * 2
        return found[::-1]


def root_of_peaks(spans):
    """What peak hashes lead to; `spans` are (first, chunks, hash), descending."""
    first, size, node = spans[-1]
    for left, left_size, left_node in reversed(spans[:-1]):
        while size < left_size:
            node, size = sha1(node + EMPTY), size * 2
        node, size = sha1(left_node + node), size * 2
    return node


def now_us():
    return time.time_ns() // 1000


class DraftPeer:
    """One socket and one thread. `peer` is whom to dial, and with what root; None waits to be dialled."""

    def __init__(self, content=None, peer=None, root=None):
        self.tree = Tree(content) if content is not None else None
        self.content = content
        self.root = self.tree.root if self.tree else root
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.02)
        self.port = self.socket.getsockname()[1]
        self.peer, self.dials = peer, peer is not None
        self.own_channel, self.their_channel = struct.unpack("!I", os.urandom(4))[0] | 1, None
        self.unread_handshakes = 0  # with options that the drafts do not know
        self.read_handshakes = 0
        self.faults = []  # what would have broken libswift
        self.asked, self.told_peaks, self.peaks = [], False, []
        self.hashes, self.held, self.pending, self.has_asked = {}, {}, {}, 0.0
        self.has_to_come, self.is_stopped = 0, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def stop(self):
        self.is_stopped = True
        self.thread.join()
        self.socket.close()

    @property
    def received(self):
        """The content, as far as it goes without a gap."""
        parts, at = [], 0
        while at in self.held:
            parts.append(self.held[at])
            at += 1
        return b"".join(parts)

    def is_whole(self):
        return bool(self.peaks) and len(self.held) == self.has_to_come

    # sending
    def send(self, body, channel=None):
        to = self.their_channel if channel is None else channel
        self.socket.sendto(struct.pack("!I", to) + body, self.peer)

    def handshake(self, with_swarm):
        options = b"\x00\x01" + b"\x01\x01"
        if with_swarm:
            options += b"\x02" + struct.pack("!H", 20) + self.root
        options += b"\x03\x01" + b"\x04\x00" + b"\x06\x02" + b"\xff"
        return bytes([HANDSHAKE]) + struct.pack("!I", self.own_channel) + options

    def say_what_we_have(self):
        return struct.pack("!BII", HAVE, 0, self.tree.chunks - 1) if self.tree else b""

    def run(self):
        next_dial, next_keep_alive = 0.0, time.monotonic() + 1
        while not self.is_stopped:
            if self.dials and self.their_channel is None and time.monotonic() >= next_dial:
                next_dial = time.monotonic() + 1
                self.send(self.handshake(True), 0)
            if self.their_channel is not None and time.monotonic() >= next_keep_alive:
                next_keep_alive = time.monotonic() + 1
                self.send(b"")
            try:
                datagram, sender = self.socket.recvfrom(20000)
            except TimeoutError:
                pass
            else:
                self.read(datagram, sender)
            self.serve()
            self.ask()

    # reading
    def read(self, datagram, sender):
        channel = struct.unpack("!I", datagram[:4])[0]
        body = datagram[4:]
        if channel == 0:
            opened = self.read_handshake(body)
            if opened is None or opened[2] != self.root:
                return
            self.peer, self.their_channel = sender, opened[0]
            self.send(self.handshake(False) + self.say_what_we_have())
            return
        if channel != self.own_channel:
            return
        if body[:1] == bytes([HANDSHAKE]):
            opened = self.read_handshake(body)
            if opened is None:
                return
            if opened[0] == 0:
                self.their_channel, self.asked = None, []  # it closed
                return
            if self.their_channel is None:
                self.their_channel = opened[0]
                self.send(self.say_what_we_have())
            body = body[opened[1]:]
        while body:
            taken = self.read_message(body)
            if taken is None:
                return  # what it does not know ends the datagram
            body = body[taken:]

    def read_handshake(self, body):
        """(channel, size, swarm id), or None for what a draft peer does not answer."""
        channel, at, swarm = struct.unpack("!I", body[1:5])[0], 5, None
        while body[at] != 255:
            option, at = body[at], at + 1
            if option == 2:
                size = struct.unpack("!H", body[at:at + 2])[0]
                swarm, at = body[at + 2:at + 2 + size], at + 2 + size
            elif option in (0, 1, 3, 4, 5, 6):
                expected = {3: 1, 4: 0, 6: 2}.get(option)
                if expected is not None and body[at] != expected:
                    return None
                at += 1
            else:
                self.unread_handshakes += 1
                return None
        self.read_handshakes += 1
        return channel, at + 1, swarm

    def read_message(self, body):
        kind = body[0]
        if kind == DATA:
            first, last, sent = struct.unpack("!IIQ", body[1:17])
            self.on_data(first, last, sent, body[17:])
            return len(body)
        if kind not in SIZES or len(body) < 1 + SIZES[kind]:
            return None
        if kind in (HAVE, REQUEST, INTEGRITY):
            first, last = struct.unpack("!II", body[1:9])
        if kind == REQUEST:
            self.on_request(first, last)
        elif kind == INTEGRITY:
            self.on_hash(first, last - first + 1, body[9:29])
        return 1 + SIZES[kind]

    # seeding
    def on_request(self, first, last):
        if self.tree is None:
            return
        if last >= self.tree.chunks or first > last:
            self.faults.append(f"asked for {first}..{last} of {self.tree.chunks} chunks")
            return
        known = {chunk for chunk, _ in self.asked}
        self.asked += [(chunk, time.monotonic()) for chunk in range(first, last + 1) if chunk not in known]

    def serve(self):
        if not self.asked or self.their_channel is None:
            return
        batch, self.asked = self.asked[:32], self.asked[32:]
        for chunk, asked_at in batch:
            if time.monotonic() - asked_at > 1.5:
                continue  # forgotten; who wants it asks again
            body = b""
            if not self.told_peaks:
                self.told_peaks = True
                for first, size in peaks_of(self.tree.chunks):
                    body += self.integrity(first, size)
            for first, size in self.tree.uncles(chunk):
                body += self.integrity(first, size)
            data = self.content[chunk * CHUNK:(chunk + 1) * CHUNK]
            self.send(body + struct.pack("!BIIQ", DATA, chunk, chunk, now_us()) + data)
        time.sleep(0.005)

    def integrity(self, first, size):
        return struct.pack("!BII", INTEGRITY, first, first + size - 1) + self.tree.hashes[(first, size)]

    # fetching
    def on_hash(self, first, size, node):
        if self.tree:
            return
        expected = sum(span[1] for span in self.peaks)
        if not self.has_to_come and first == expected and (not self.peaks or size < self.peaks[-1][1]):
            self.peaks.append((first, size, node))
            if root_of_peaks(self.peaks) == self.root:
                self.has_to_come = expected + size
                self.hashes.update({(at, width): peak for at, width, peak in self.peaks})
            return
        self.pending[(first, size)] = node

    def on_data(self, first, last, sent, data):
        if self.tree or not self.has_to_come or first != last or not self.check(first, data):
            self.pending.clear()
            return
        self.pending.clear()
        new = first not in self.held
        self.held[first] = data
        delay = (now_us() - sent) & 0xFFFFFFFFFFFFFFFF
        kind = struct.pack("!BIIQ", ACK, first, first, delay) if new else struct.pack("!BII", HAVE, first, first)
        self.send(kind)

    def check(self, chunk, data):
        """Climbs to a hash that is known, over hashes of this datagram or earlier ones; then all on the way are known."""
        at, size, node, way = chunk, 1, sha1(data), []
        while (at, size) not in self.hashes:
            sibling = (at ^ size, size)
            other = self.hashes.get(sibling) or self.pending.get(sibling)
            if other is None or size > self.has_to_come:
                return False
            way += [((at, size), node), (sibling, other)]
            node = sha1(node + other) if at < sibling[0] else sha1(other + node)
            at, size = at & ~size, size * 2
        if self.hashes[(at, size)] != node:
            return False
        self.hashes.update(way)
        return True

    def ask(self):
        if self.tree or self.their_channel is None or self.is_whole():
            return
        if self.held and time.monotonic() - self.has_asked < 0.1 or time.monotonic() - self.has_asked < 0.05:
            return
        self.has_asked = time.monotonic()
        if not self.has_to_come:
            self.peaks = []
            self.send(struct.pack("!BII", REQUEST, 0, 0))
            return
        missing = [chunk for chunk in range(self.has_to_come) if chunk not in self.held][:64]
        self.send(b"".join(struct.pack("!BII", REQUEST, chunk, chunk) for chunk in missing))
