#!/usr/bin/env python3
"""Of two live caches the nearer one is used: by the source, which pushes each unit there and nowhere else until it fails, and by viewers. One
of the two is behind a path that takes 60 ms each way."""

import json
import shutil
import time
import unittest

from cache_test import Cache
from processes import Swarm, check_is_part_of
from publish_test import get, start_nginx
from slow_path import SlowPath

DELAY = 0.06


class NearestCache(unittest.TestCase):
    def setUp(self):
        self.swarm = self.enterContext(Swarm())
        self.near = Cache(self.swarm, "near", "--public-read")
        (self.swarm.path / "token").write_text(self.near.token("write") + "\n")
        shutil.copy(self.near.key, self.swarm.path / "far.key")  # one operator: a token of one is good at the other

    def slow(self, address):
        return self.enterContext(SlowPath(address, DELAY))

    def source(self, *arguments):
        self.swarm.start("source", "ppsp-broadcast", "--input", "testsrc:", "--listen", "127.0.0.1:0", "--video-kbps", 600,
                         "--dump-cut", self.swarm.path / "cut.ts", "--cache-token", self.swarm.path / "token", *arguments)
        return self.swarm.lines("source", 2, 60)[0].split("?")[0]

    def held(self, cache, swarm_id):
        """Chunk ranges of the channel's objects at a cache, ascending."""
        status, text = get(cache.address, f"/decade/v1/live/{swarm_id}/objects")
        self.assertEqual(status, 200)
        return [(one["first"], one["last"]) for one in json.loads(text)["objects"]]

    def test_a_source_pushes_each_unit_once_to_the_nearer_cache_and_all_to_the_other_when_that_is_gone(self):
        swarm = self.swarm
        far = Cache(swarm, "far", "--public-read")
        path = self.slow(far.address)
        link = self.source("--cache", path.url, "--cache", self.near.url)
        swarm_id = link.rsplit("/", 1)[1]
        time.sleep(5)
        stored, objects = self.near.metric("stored_objects"), self.held(self.near, swarm_id)
        self.assertGreaterEqual(len(objects), 6)
        self.assertLessEqual(stored - len(objects), 1, "no object was stored twice")
        self.assertEqual((far.metric("stored_objects"), far.metric("stored_bytes")), (0, 0))

        url = self.near.url
        both = f"{link}?cache={url}&cache={path.url}"
        swarm.viewer("viewer", both, "--no-peers")
        swarm.wait_for_output("viewer", 500_000, 30)
        self.assertEqual(far.metric("stored_objects"), 0)
        swarm.kill("near")
        size = (swarm.path / "viewer.ts").stat().st_size
        swarm.wait_for_output("viewer", size + 600_000, 30)
        self.assertEqual(swarm.stop("viewer"), 0)
        figures = swarm.figures("viewer")
        check_is_part_of(swarm.cut(), swarm.output("viewer"), 1_000_000)

        self.assertEqual(swarm.stop("source"), 0)
        later = self.held(far, swarm_id)
        self.near.start()
        earlier = self.held(self.near, swarm_id)
        said = (swarm.path / "source.err").read_text()
        print(f"near: {len(earlier)} objects, far: {len(later)}; the nearer one was killed: {figures['stalls']} stalls "
              f"({figures['stall_ms']:.0f} ms), continuity {figures['continuity']:.4f}")
        for ranges in (earlier, later):
            self.assertTrue(all(one[1] + 1 == two[0] for one, two in zip(ranges, ranges[1:])), ranges)
        # The other one gets what viewers may not have fetched yet, and no more.
        self.assertEqual(later[:4], earlier[-4:])
        self.assertEqual(len(set(earlier) & set(later)), 4)
        self.assertEqual(said.count(f"{url} took no units"), 1, said)
        self.assertEqual(said.count(f"{path.url} takes units"), 1, said)
        self.assertLess(figures["stall_ms"], 1000, figures)
        self.assertGreaterEqual(figures["continuity"], 0.97, figures)

    def test_viewers_use_the_nearer_of_two_that_both_have_the_channel(self):
        """One is ppsp-cache, the other nginx; for one viewer the first is far away, for another one the second."""
        swarm = self.swarm
        _, nginx = start_nginx(swarm)
        far_cache, far_nginx = self.slow(self.near.address), self.slow(nginx)
        link = self.source("--cache", self.near.url, "--cdn-put", f"http://{nginx}/")
        time.sleep(4)
        paths = {"nginx is near": (far_cache, f"{far_cache.url}&cache=http://{nginx}"),
                 "nginx is far": (far_nginx, f"{far_nginx.url}&cache={self.near.url}")}
        for name, (_, urls) in paths.items():
            swarm.viewer(name, f"{link}?cache={urls}", "--no-peers")
        for name in paths:
            swarm.wait_for_output(name, 300_000, 30)
        before = {name: (path.bytes_back, swarm.figures(name)["media_bytes"]) for name, (path, _) in paths.items()}
        time.sleep(8)
        for name, (path, _) in paths.items():
            figures = swarm.figures(name)
            media, far = figures["media_bytes"] - before[name][1], path.bytes_back - before[name][0]
            print(f"{name}: {media / 1e6:.2f} MB of media, {far / 1e6:.2f} MB of them over the long path")
            self.assertGreater(media, 400_000)
            self.assertLess(far, 0.05 * media + 20_000)  # an index now and then
            self.assertEqual((figures["stalls"], figures["continuity"]), (0, 1), figures)
            self.assertEqual(swarm.stop(name), 0)
            check_is_part_of(swarm.cut(), swarm.output(name), 600_000)


if __name__ == "__main__":
    unittest.main()
