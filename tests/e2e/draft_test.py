#!/usr/bin/env python3
"""Recordings exchanged in both directions with a peer of RFC 7574's drafts that shares no code with the engine (draft_peer.py): it knows
neither Supported Messages nor Chunk Size, and hashes with SHA-1."""

import os
import re
import time
import unittest

from draft_peer import CHUNK, DraftPeer
from processes import Swarm

# One chunk; a whole tree; a part of a chunk behind one; peaks of every size.
SIZES = (700, 64 * CHUNK, 64 * CHUNK + 1, 1023 * CHUNK - 5)


class DraftTest(unittest.TestCase):
    def content(self, swarm, size):
        path = swarm.path / "content"
        path.write_bytes(os.urandom(size))
        return path

    def wait(self, condition, seconds):
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            time.sleep(0.02)
        return condition()

    def seed(self, swarm, path, *arguments):
        swarm.start("seed", "ppsp-peer", "--seed", path, "--listen", "127.0.0.1:0", "--hash", "sha1", *arguments)
        link, udp = swarm.lines("seed", 2, 30)
        root = re.search(r"/([0-9a-f]{40})\?", link)
        self.assertTrue(root, link)
        return bytes.fromhex(root[1]), ("127.0.0.1", int(udp.rsplit(":", 1)[1]))

    def test_the_engine_fetches_from_a_draft_peer(self):
        for size in SIZES:
            with self.subTest(size=size), Swarm() as swarm:
                content = self.content(swarm, size).read_bytes()
                draft = DraftPeer(content)
                for length in (f"&length={size}", ""):  # known from the link, or from the peaks
                    name = f"peer{length[1:7]}"
                    link = f"ppsp:///{draft.root.hex()}?peer=127.0.0.1:{draft.port}{length}"
                    draft.their_channel, draft.told_peaks, draft.asked = None, False, []
                    swarm.start(name, "ppsp-peer", link, "--listen", "127.0.0.1:0", "--output", swarm.path / name)
                    self.assertEqual(swarm.processes[name].wait(40), 0)
                    self.assertEqual((swarm.path / name).read_bytes(), content)
                draft.stop()
                self.assertEqual(draft.faults, [])
                self.assertGreater(draft.unread_handshakes, 0, "the engine begins as the RFC says")

    def test_a_draft_peer_fetches_from_the_engine(self):
        for size in SIZES:
            with self.subTest(size=size), Swarm() as swarm:
                path = self.content(swarm, size)
                root, address = self.seed(swarm, path)
                draft = DraftPeer(peer=address, root=root)
                self.assertTrue(self.wait(draft.is_whole, 40), f"{len(draft.held)} of {draft.has_to_come} chunks")
                draft.stop()
                self.assertEqual(draft.received, path.read_bytes())
                self.assertEqual(draft.unread_handshakes, 0, "who has no option 9 is answered without it")

    def test_strict_nodes_do_not_speak_the_draft(self):
        with Swarm() as swarm:
            path = self.content(swarm, 20 * CHUNK)
            root, address = self.seed(swarm, path, "--strict")
            draft = DraftPeer(peer=address, root=root)
            self.assertFalse(self.wait(lambda: draft.read_handshakes, 3))
            draft.stop()
            draft = DraftPeer(path.read_bytes())
            link = f"ppsp:///{draft.root.hex()}?peer=127.0.0.1:{draft.port}"
            swarm.start("peer", "ppsp-peer", link, "--listen", "127.0.0.1:0", "--strict", "--output", swarm.path / "copy",
                        "--join-timeout", "8")
            self.assertEqual(swarm.processes["peer"].wait(20), 1)
            draft.stop()
            self.assertGreater(draft.unread_handshakes, 3)
            self.assertEqual(draft.read_handshakes, 0)


if __name__ == "__main__":
    unittest.main()
