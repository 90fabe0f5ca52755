#!/usr/bin/env python3
"""Recordings between real processes: any file from seed to leechers, players that seek in what is still on its way, and a broadcast that
becomes a recording when it ends."""

import hashlib
import http.client
import json
import os
import pathlib
import re
import subprocess
import time
import unittest

from processes import BIN, Swarm

MEGABYTE = 1_000_000


class Recordings(Swarm):
    def content(self, name, size):
        path = self.path / name
        path.write_bytes(os.urandom(size))
        return path

    def seed(self, name, path, *arguments):
        self.start(name, "ppsp-peer", "--seed", path, "--listen", "127.0.0.1:0", *arguments)
        link, udp = self.lines(name, 2, 30)
        assert re.fullmatch(r"ppsp://\S*/[0-9a-f]{40,128}\?\S+", link), link
        assert udp.startswith("udp=127.0.0.1:"), udp
        return link

    def leech(self, name, link, *arguments):
        return self.start(name, "ppsp-peer", link, "--listen", "127.0.0.1:0", *arguments)

    def wait(self, name, seconds):
        return self.processes[name].wait(seconds)

    def error(self, name):
        return (self.path / f"{name}.err").read_text()


class RecordingTest(unittest.TestCase):
    def test_a_file_comes_over_whole_and_the_program_ends(self):
        with Recordings() as swarm:
            content = swarm.content("content", 20 * MEGABYTE + 7)
            link = swarm.seed("seed", content)
            self.assertIn("length=20000007", link)
            swarm.leech("peer", link, "--output", swarm.path / "copy", "--stats-json", swarm.path / "peer.json")
            self.assertEqual(swarm.wait("peer", 60), 0)
            self.assertEqual((swarm.path / "copy").read_bytes(), content.read_bytes())
            self.assertFalse((swarm.path / "copy.part").exists())
            figures = swarm.figures("peer")
            self.assertEqual(figures["content_bytes"], 20 * MEGABYTE + 7)
            self.assertTrue(figures["final"])
            self.assertEqual(swarm.stop("seed"), 0)

    def test_every_hash_function_makes_a_root_of_its_size(self):
        with Recordings() as swarm:
            content = swarm.content("content", MEGABYTE // 2 + 1)
            for name, digits in (("sha1", 40), ("sha224", 56), ("sha256", 64), ("sha384", 96), ("sha512", 128)):
                link = swarm.seed(f"seed-{name}", content, "--hash", name)
                self.assertRegex(link, rf"/[0-9a-f]{{{digits}}}\?")
                swarm.leech(f"peer-{name}", link, "--output", swarm.path / name)
                self.assertEqual(swarm.wait(f"peer-{name}", 60), 0, name)
                self.assertEqual((swarm.path / name).read_bytes(), content.read_bytes())

    def test_the_size_need_not_be_known(self):
        with Recordings() as swarm:
            content = swarm.content("content", 3 * MEGABYTE + 1)
            link = re.sub(r"&?length=\d+", "", swarm.seed("seed", content))
            swarm.leech("peer", link, "--output", swarm.path / "copy")
            self.assertEqual(swarm.wait("peer", 60), 0)
            self.assertEqual((swarm.path / "copy").read_bytes(), content.read_bytes())

    def test_a_tracker_introduces_leechers_and_they_help_one_another(self):
        with Recordings() as swarm:
            content = swarm.content("content", 12 * MEGABYTE)
            tracker = swarm.tracker()
            link = swarm.seed("seed", content, "--tracker", tracker, "--upload-kbps", 30_000, "--stats-json", swarm.path / "seed.json")
            for i in range(3):
                swarm.leech(f"peer{i}", link, "--output", swarm.path / f"copy{i}")
            for i in range(3):
                self.assertEqual(swarm.wait(f"peer{i}", 90), 0)
                self.assertEqual((swarm.path / f"copy{i}").read_bytes(), content.read_bytes())
            swarm.stop("seed")
            copies = swarm.figures("seed")["upload_media_bytes"] / (12 * MEGABYTE)
            self.assertLess(copies, 2.5, "the seed sent every leecher its own copy")

    def test_stdout_gets_it_in_order(self):
        with Recordings() as swarm:
            content = swarm.content("content", 5 * MEGABYTE)
            link = swarm.seed("seed", content)
            done = subprocess.run([BIN / "ppsp-peer", link, "--listen", "127.0.0.1:0", "--output", "-"], capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout, content.read_bytes())

    def test_players_seek_in_what_is_still_on_its_way(self):
        with Recordings() as swarm:
            content = swarm.content("content", 40 * MEGABYTE)
            data = content.read_bytes()
            link = swarm.seed("seed", content, "--upload-kbps", 16_000)  # 20 s for all of it
            swarm.leech("peer", link, "--gateway", "127.0.0.1:0")
            gateway = re.search(r"gateway=(\S+)", swarm.lines("peer", 1, 20)[0])[1]

            def get(headers, method="GET", path="/recording"):
                connection = http.client.HTTPConnection(gateway, timeout=15)
                connection.request(method, path, headers=headers)
                answer = connection.getresponse()
                return answer, answer.read()

            began = time.monotonic()
            answer, body = get({"Range": "bytes=30000000-30999999"})
            self.assertEqual(answer.status, 206)
            self.assertEqual(answer.headers["Content-Range"], "bytes 30000000-30999999/40000000")
            self.assertEqual(body, data[30_000_000:31_000_000])
            answer, body = get({"Range": "bytes=-1000"})
            self.assertEqual(body, data[-1000:])
            self.assertLess(time.monotonic() - began, 10, "seeking waited for what lies before")
            answer, _ = get({"Range": "bytes=40000000-"})
            self.assertEqual((answer.status, answer.headers["Content-Range"]), (416, "bytes */40000000"))
            answer, body = get({}, method="HEAD")
            self.assertEqual((answer.status, answer.headers["Content-Length"], body), (200, "40000000", b""))
            answer, body = get({}, path="/status")
            self.assertEqual(json.loads(body)["content_length"], 40 * MEGABYTE)
            answer, body = get({}, path="/")
            self.assertIn(b'src="/recording"', body)
            answer, _ = get({}, path="/stream.ts")
            self.assertEqual(answer.status, 404)
            self.assertEqual(swarm.stop("peer"), 0)

    def test_a_broadcast_becomes_a_recording(self):
        with Recordings() as swarm:
            tracker = swarm.tracker()
            folder = swarm.path / "recordings"
            swarm.broadcast(tracker, "--input", "testsrc:", "--record", folder, "--seconds", "6")
            self.assertEqual(swarm.wait("source", 40), 0)
            [recorded] = folder.glob("*.ts")
            self.assertEqual(recorded.read_bytes(), swarm.cut())
            self.assertEqual(list(folder.glob("*.part")), [])
            link = pathlib.Path(f"{recorded}.link").read_text().strip()
            self.assertIn(str(recorded), swarm.error("source"))
            self.assertEqual(swarm.seed("seed", recorded, "--tracker", tracker), link)
            swarm.leech("peer", link, "--output", swarm.path / "copy")
            self.assertEqual(swarm.wait("peer", 60), 0)
            self.assertEqual((swarm.path / "copy").read_bytes(), recorded.read_bytes())

    def test_a_full_disk_is_told_before_and_while_it_happens(self):
        with Recordings() as swarm:
            disk = swarm.path / "disk"
            disk.mkdir()
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True, check=False)
            if mounted.returncode != 0:
                self.skipTest("mounting a small disk is not permitted here")
            try:
                content = swarm.content("content", 5 * MEGABYTE)
                link = swarm.seed("seed", content)
                for name, address in (("early", link), ("late", re.sub(r"&?length=\d+", "", link))):
                    swarm.leech(name, address, "--output", disk / name)
                    self.assertEqual(swarm.wait(name, 30), 1)
                    self.assertIn("No space left on device", swarm.error(name))
                self.assertFalse((disk / "early.part").exists())
                (disk / "late.part").unlink()
                # A broadcast goes on without its recording, and what was recorded is whole.
                swarm.broadcast(swarm.tracker(), "--input", "testsrc:", "--record", disk / "rec", "--seconds", "15", "--video-kbps", "4000",
                                "--encode")
                self.assertEqual(swarm.wait("source", 60), 0)
                self.assertIn("the recording ends here", swarm.error("source"))
                [recorded] = (disk / "rec").glob("*.ts")
                kept = recorded.read_bytes()
                self.assertGreater(len(kept), MEGABYTE)
                self.assertEqual(kept, swarm.cut()[:len(kept)])
                self.assertGreater(len(swarm.cut()), len(kept))
            finally:
                subprocess.run(["umount", disk], check=True)

    def test_who_has_nobody_to_ask_hears_why(self):
        with Recordings() as swarm:
            tracker = swarm.tracker()
            root = hashlib.sha256(b"nothing").hexdigest()
            swarm.leech("peer", f"ppsp{tracker[4:]}/{root}?length=1000", "--join-timeout", "2")
            self.assertEqual(swarm.wait("peer", 20), 1)
            self.assertIn("nobody has this recording; waited 2 s", swarm.error("peer"))
            for arguments, sentence in (
                    (["--seed", swarm.path / "missing"], "No such file or directory"),
                    (["--seed", swarm.path], "it is no file"),
                    (["--seed", swarm.content("empty", 0)], "an empty file cannot be seeded")):
                done = subprocess.run([BIN / "ppsp-peer", *arguments], capture_output=True, text=True, timeout=20)
                self.assertEqual(done.returncode, 1)
                self.assertIn(sentence, done.stderr)
            for arguments, sentence in (
                    ([], "give a link, or a file with --seed"),
                    (["--seed", "x", f"ppsp:///{root}?peer=127.0.0.1:1"], "not both"),
                    (["--seed", "x", "--output", "y"], "--seed only sends"),
                    ([f"ppsp:///{root}?peer=127.0.0.1:1", "--output", "udp://127.0.0.1:5"], "not to udp://")):
                done = subprocess.run([BIN / "ppsp-peer", *map(str, arguments)], capture_output=True, text=True, timeout=20)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(sentence, done.stderr)


if __name__ == "__main__":
    unittest.main()
