#!/usr/bin/env python3
"""The varnish of samples/varnish in front of a real nginx with a channel's objects: viewers without peers play from it, and what one of
them has fetched the other gets from its memory."""

import http.client
import json
import pathlib
import re
import shutil
import socket
import subprocess
import time
import unittest

from processes import Swarm, check_is_part_of
from publish_test import free_ports, start_nginx

SAMPLE = pathlib.Path(__file__).parents[2] / "samples" / "varnish" / "default.vcl"
VARNISHD = shutil.which("varnishd") or "/usr/sbin/varnishd"


class Varnish:
    def __init__(self, swarm, origin):
        text, count = re.subn(r'\.port = "8080"', f'.port = "{origin.split(":")[1]}"', SAMPLE.read_text())
        assert count == 1
        (swarm.path / "varnish.vcl").write_text(text)
        self.folder = swarm.path / "varnish"
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        log = swarm.path / "varnish.err"
        with open(log, "wb") as err:
            process = subprocess.Popen(
                [VARNISHD, "-F", "-j", "none", "-a", self.address, "-f", swarm.path / "varnish.vcl", "-n", self.folder, "-s", "malloc,64m",
                 "-p", "thread_pools=1", "-p", "thread_pool_min=10"], stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        swarm.processes["varnish"] = process
        end = time.monotonic() + 60  # it compiles its configuration first
        while time.monotonic() < end and process.poll() is None:
            try:
                host, port = self.address.split(":")
                socket.create_connection((host, int(port)), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(log.read_text())

    def counters(self):
        """Requests by what came of them, and bytes from the origin and to viewers."""
        text = subprocess.run(["varnishstat", "-1", "-j", "-n", self.folder], capture_output=True, text=True, check=True, timeout=20).stdout
        values = {name: one["value"] for name, one in json.loads(text)["counters"].items()}
        fetched = sum(value for name, value in values.items() if name.endswith(".default.beresp_bodybytes"))
        return {"hit": values["MAIN.cache_hit"], "miss": values["MAIN.cache_miss"], "fetched": fetched,
                "served": values["MAIN.s_resp_bodybytes"]}

    def get(self, path, method="GET", headers=None):
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()


def grown(before, after):
    return {name: after[name] - before[name] for name in after}


@unittest.skipUnless(pathlib.Path(VARNISHD).exists(), "varnishd is not installed (Debian package varnish)")
class VarnishInFront(unittest.TestCase):
    def setUp(self):
        self.swarm = self.enterContext(Swarm())
        self.origin, _ = start_nginx(self.swarm)
        self.varnish = Varnish(self.swarm, self.origin)

    def test_two_viewers_cost_the_origin_one_fetch(self):
        swarm, varnish = self.swarm, self.varnish
        link = swarm.broadcast(swarm.tracker(), "--input", "testsrc:", "--video-kbps", 600, "--cdn-dir", swarm.path / "cdn")
        link = f"{link}?cdn=http://{varnish.address}/"
        time.sleep(3)
        start = varnish.counters()
        swarm.viewer("first", link, "--no-peers")
        swarm.wait_for_output("first", 600_000, 40)
        alone = grown(start, varnish.counters())
        swarm.viewer("second", link, "--no-peers")
        swarm.wait_for_output("second", 100_000, 40)
        start = varnish.counters()
        swarm.wait_for_output("second", 700_000, 40)
        together = grown(start, varnish.counters())
        for name, size_min in (("first", 1_000_000), ("second", 600_000)):
            self.assertEqual(swarm.stop(name), 0)
            check_is_part_of(swarm.cut(), swarm.output(name), size_min)
            figures = swarm.figures(name)
            self.assertEqual((figures["stalls"], figures["continuity"], figures["bad_chunks"]), (0, 1, 0), figures)
            self.assertGreaterEqual(figures["from_cdn_bytes"], figures["media_bytes"])
            self.assertEqual(figures["from_peers_bytes"] + figures["from_source_bytes"] + figures["from_cache_bytes"], 0)
        print(f"one viewer: {alone}, two viewers: {together}, {together['served'] / together['fetched']:.2f} bytes served per byte fetched")
        self.assertLess(alone["served"], 1.2 * alone["fetched"])
        self.assertGreater(together["hit"], 0.3 * (together["hit"] + together["miss"]))
        self.assertGreater(together["served"], 1.5 * together["fetched"])

    def until(self, condition, otherwise):
        end = time.monotonic() + 10
        while not condition():
            self.assertLess(time.monotonic(), end, otherwise)
            time.sleep(0.05)

    def is_hit(self, path, body):
        answer, got = self.varnish.get(path, headers={"Cookie": "a=b"})
        self.assertEqual((answer.status, got), (200, body))
        return answer.getheader("X-Cache").startswith("HIT")

    def test_each_kind_of_path_is_kept_as_the_guide_says(self):
        varnish, folder = self.varnish, self.swarm.path / "cdn"
        named, live = "/.well-known/ni/sha-256/abc", "/decade/v1/live/0d00/"
        self.assertEqual(varnish.get(named)[0].status, 404)
        for path, body in ((named, b"object"), (live + "0-9", b"alias"), (live + "index", b"old")):
            file = folder / path[1:]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
            answer, got = varnish.get(path)  # a 404 a moment ago is forgotten
            self.assertEqual((answer.status, got), (200, body), path)
            self.until(lambda: self.is_hit(path + "?again=1", body), f"{path} is not kept")
        answer, got = varnish.get(named, headers={"Range": "bytes=1-3"})
        self.assertEqual((answer.status, got), (206, b"bje"))
        self.assertIn("immutable", answer.getheader("Cache-Control"))
        (folder / live[1:] / "index").write_bytes(b"new")
        self.until(lambda: varnish.get(live + "index")[1] == b"new", "a stale index is served")
        self.assertEqual(varnish.get(live + "index")[0].getheader("Cache-Control"), "public, max-age=1")
        self.assertTrue(self.is_hit(named, b"object"))
        answer, _ = varnish.get(live + "10-19")
        self.assertEqual((answer.status, answer.getheader("Cache-Control")), (404, "no-store"))
        self.assertEqual(varnish.get("/index.html")[0].status, 404)
        self.assertEqual(varnish.get(named, "PUT")[0].status, 405)


if __name__ == "__main__":
    unittest.main()
