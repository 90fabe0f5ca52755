#!/usr/bin/env python3
"""`samples/hello-swarm/run --with-cache` as a user sees it: the picture goes on from a cache while all neighbours of the player are away, peers
carry it again afterwards, and what is printed says so."""

import pathlib
import re
import subprocess
import tempfile
import unittest

from processes import BIN

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "samples" / "hello-swarm" / "run"
SECONDS = 27  # the neighbours go after 9 s and are back 6 s later


class HelloSwarm(unittest.TestCase):
    def test_the_act_with_a_cache(self):
        with tempfile.TemporaryDirectory(prefix="ppsp-e2e-") as folder:
            run = subprocess.run([SAMPLE, "testsrc:", "--headless", "--with-cache", "--seconds", str(SECONDS), "--viewers", "4",
                                  "--bin", BIN.resolve(), "--keep", folder], capture_output=True, text=True, timeout=150)
            print(run.stdout, run.stderr)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            said = run.stdout

            # The story, in its order.
            at = 0
            for sentence in (r"viewers 1 and 2, all neighbours of the player, vanish",
                             r"the player says: living from the cache: no (neighbour is connected|peer sends anything)",
                             r"the picture went on with (\d+) kB from the cache, 0 stalls; viewers 1 and 2 come back",
                             r"the player says: peers carry the picture again",
                             r"after that peers brought the player (\d+) kB"):
                found = re.compile(sentence).search(said, at)
                self.assertIsNotNone(found, f"not said, or too early: {sentence}")
                at = found.end()
            kilobytes = int(re.search(r"went on with (\d+) kB", said)[1])
            self.assertGreater(kilobytes, 6 * 100, "six seconds of 1.2 Mbit/s less what was buffered")

            # The table: who got what from whom.
            head = next(line for line in said.splitlines() if line.lstrip().startswith("start-up ms"))
            columns = re.split(r"\s{2,}", head.strip())
            rows = {cells[0]: dict(zip(columns, cells[1:])) for cells in
                    (re.split(r"\s{2,}", line.strip()) for line in said.splitlines()) if len(cells) == len(columns) + 1}
            self.assertLessEqual({"source", "viewer1-again", "viewer2-again", "viewer3", "viewer4", "player"}, set(rows))
            player = rows["player"]
            self.assertEqual(player["stalls"], "0")
            self.assertGreaterEqual(float(player["continuity"].rstrip(" %")), 99.9)
            came = {place: float(player[f"from {place}"]) for place in ("source", "peers", "cache", "CDN")}
            self.assertEqual((came["source"], came["CDN"]), (0, 0))
            self.assertGreaterEqual(came["cache"], kilobytes / 1000 - 0.1)
            self.assertGreater(came["peers"], 0.5 * float(player["media MB"]), "peers carry most of it")
            self.assertAlmostEqual(sum(came.values()), float(player["media MB"]), delta=0.6)
            self.assertGreater(float(rows["viewer3"]["from source"]) + float(rows["viewer3"]["from peers"]), 1)
            self.assertRegex(said, r"media bytes of all viewers: \d+ % from other peers, \d+ % from the source, "
                                   r"[1-9]\d* % from the cache, 0 % from the CDN")
            self.assertRegex(said, r"last rescue of player: \S+")
            picture = pathlib.Path(folder) / "snapshot.png"
            self.assertIn(f"picture:  {picture}", said)
            self.assertEqual(picture.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")


if __name__ == "__main__":
    unittest.main()
