#!/usr/bin/env python3
"""Viewers whose peers are missing or vanish: the picture comes from a real nginx or from ppsp-cache, byte for byte what the source cut,
and no server's lie gets into it."""

import http.server
import threading
import time
import unittest
import urllib.parse

from cache_test import Cache
from processes import Swarm, check_is_part_of
from publish_test import get, start_nginx


class Liar(http.server.ThreadingHTTPServer):
    """Says that it has what a web server has. Of objects or the index, whichever it `lies_about`, `lie` makes something else; who lies
    about the index has no objects."""

    daemon_threads = True

    def __init__(self, origin, lies_about, lie):
        self.lies = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                status, body = get(origin, self.path)
                about = "index" if self.path.endswith("/index") else "objects"
                if status == 200 and about == lies_about:
                    body = lie(body)
                    self.server.lies += 1
                elif about == "objects":
                    status, body = 404, b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.shutdown()
        self.server_close()


def flipped(body):
    return body[:-1] + bytes([body[-1] ^ 1])


class Rescue(unittest.TestCase):
    def setUp(self):
        self.swarm = self.enterContext(Swarm())

    def played(self, name, size_min):
        """Ends the viewer; its final figures, after its output was compared with what was cut."""
        self.assertEqual(self.swarm.stop(name), 0)
        check_is_part_of(self.swarm.cut(), self.swarm.output(name), size_min)
        return self.swarm.figures(name)

    def check_from_cdn_only(self, name, link):
        """Without peers the viewer plays, whatever caches say."""
        swarm = self.swarm
        swarm.viewer(name, link, "--no-peers")
        swarm.wait_for_output(name, 600_000, 30)
        figures = self.played(name, 500_000)
        self.assertEqual((figures["stalls"], figures["continuity"]), (0, 1), figures)
        self.assertEqual(figures["from_peers_bytes"] + figures["from_source_bytes"] + figures["from_cache_bytes"], 0)
        self.assertGreaterEqual(figures["from_cdn_bytes"], figures["media_bytes"])
        self.assertEqual((figures["last_rescue_cause"], figures["living_from"]), ("no neighbour is connected", "CDN"))
        said = (swarm.path / f"{name}.err").read_text()
        self.assertEqual(said.count("living from the CDN: no neighbour is connected\n"), 1, said)
        self.assertEqual(figures["bad_chunks"], 0)
        print(f"{name}: start-up {figures['startup_ms']} ms, latency p95 {figures['live_latency_ms']['p95']} ms")

    def test_a_viewer_without_peers_plays_from_a_web_server_and_no_lie_of_caches(self):
        swarm = self.swarm
        static, _ = start_nginx(swarm)
        link = swarm.broadcast(swarm.tracker(), "--input", "testsrc:", "--video-kbps", 600, "--cdn-dir", swarm.path / "cdn")
        swarm.start("other", "ppsp-broadcast", "--listen", "127.0.0.1:0", "--input", "testsrc:", "--video-kbps", 600,
                    "--cdn-dir", swarm.path / "other channel")
        time.sleep(4)
        other = [path for path in (swarm.path / "other channel").rglob("*") if path.is_file()]
        other_index = next(path for path in other if path.name == "index").read_bytes()
        other_object = next(path for path in other if path.parent.name == "sha-256").read_bytes()
        old_index = next((swarm.path / "cdn").rglob("index")).read_bytes()
        old_object = min((swarm.path / "cdn" / ".well-known" / "ni" / "sha-256").iterdir(), key=lambda path: path.stat().st_mtime).read_bytes()
        stale_at = time.monotonic() + 21  # 15 s, and 5 s for clocks that differ
        lies = {"wrong objects": ("objects", flipped), "truncated objects": ("objects", lambda body: body[:-1000]),
                "stale objects": ("objects", lambda body: old_object), "objects of another channel": ("objects", lambda body: other_object),
                "a wrong index": ("index", flipped), "a truncated index": ("index", lambda body: body[:-100]),
                "a stale index": ("index", lambda body: old_index), "another channel's index": ("index", lambda body: other_index)}
        liars = {name: self.enterContext(Liar(static, *lie)) for name, lie in lies.items()}
        self.check_from_cdn_only("plain", f"{link}?cdn=http://{static}/")
        time.sleep(max(0, stale_at - time.monotonic()))
        caches = "&".join(f"cache={liar.url}" for liar in liars.values())
        self.check_from_cdn_only("warned", f"{link}?{caches}&cdn=http://{static}")
        for name, liar in liars.items():
            print(f"{name}: {liar.lies} lies")
            self.assertGreaterEqual(liar.lies, 1, name)
            self.assertLessEqual(liar.lies, 6, name)

    def test_the_picture_goes_on_when_the_only_peer_vanishes_and_peers_carry_it_again(self):
        """The source speaks IPv6 only, the viewer IPv4: between them are a relay that speaks both, and a cache."""
        swarm = self.swarm
        cache = Cache(swarm, "cache")
        for name, allow in (("writer", "write"), ("reader", "read")):
            (swarm.path / name).write_text(cache.token(allow) + "\n")
        swarm.start("source", "ppsp-broadcast", "--tracker", swarm.tracker(), "--listen", "[::1]:0", "--input", "testsrc:",
                    "--video-kbps", 600, "--dump-cut", swarm.path / "cut.ts", "--cache", cache.url,
                    "--cache-token", swarm.path / "writer")
        link, udp = swarm.lines("source", 2, 60)
        relayed = f"{link.split('?')[0]}?peer={urllib.parse.quote(udp.removeprefix('udp='))}"
        self.assertTrue(link.endswith(f"?cache={cache.url}"), link)
        token = ("--cache-token", swarm.path / "reader")
        swarm.start("relay", "ppsp-peer", relayed, "--listen", "[::]:0")
        swarm.viewer("viewer", link, *token)
        swarm.wait_for_output("viewer", 1_000_000, 40)
        before = swarm.figures("viewer")
        self.assertEqual(before["from_source_bytes"], 0, before)
        self.assertGreater(before["from_peers_bytes"], before["media_bytes"] * 0.5, before)
        swarm.kill("relay")
        swarm.wait_for_output("viewer", 2_000_000, 30)
        alone = swarm.figures("viewer")
        self.assertEqual((alone["stalls"], alone["continuity"]), (0, 1), alone)
        self.assertGreater(alone["from_cache_bytes"] - before["from_cache_bytes"], 700_000, alone)
        swarm.start("relay again", "ppsp-peer", relayed, "--listen", "[::]:0")
        time.sleep(15)
        back = swarm.figures("viewer")
        time.sleep(6)
        last = swarm.figures("viewer")
        share = (last["from_peers_bytes"] - back["from_peers_bytes"]) / (last["media_bytes"] - back["media_bytes"])
        print(f"with a cache: {alone['stalls']} stalls, continuity {alone['continuity']}, cause: {alone['last_rescue_cause']}; "
              f"from peers again within 15 s: {share:.1%}")
        self.assertGreaterEqual(share, 0.9)
        figures = self.played("viewer", 1_500_000)
        said = [line for line in (swarm.path / "viewer.err").read_text().splitlines() if "living" in line or "carry" in line]
        self.assertEqual(len(said), 2, said)
        self.assertRegex(said[0], "^ppsp-peer: living from the cache: no (neighbour is connected|peer sends anything)$")
        self.assertEqual(said[1], "ppsp-peer: peers carry the picture again")
        self.assertEqual((figures["stalls"], figures["continuity"]), (0, 1), figures)

    def test_the_picture_goes_on_from_a_web_server_when_the_only_peer_vanishes(self):
        swarm = self.swarm
        static, _ = start_nginx(swarm)
        swarm.start("source", "ppsp-broadcast", "--tracker", swarm.tracker(), "--listen", "[::1]:0", "--input", "testsrc:",
                    "--video-kbps", 600, "--dump-cut", swarm.path / "cut.ts", "--cdn-dir", swarm.path / "cdn")
        link, udp = swarm.lines("source", 2, 60)
        swarm.start("relay", "ppsp-peer", f"{link}?peer={urllib.parse.quote(udp.removeprefix('udp='))}", "--listen", "[::]:0")
        swarm.viewer("viewer", f"{link}?cdn=http://{static}")
        swarm.wait_for_output("viewer", 1_000_000, 40)
        before = swarm.figures("viewer")
        self.assertGreater(before["from_peers_bytes"], before["media_bytes"] * 0.5, before)
        swarm.kill("relay")
        longest, size, last = 0, 0, time.monotonic()
        end = last + 12
        while (now := time.monotonic()) < end:
            if (grown := (swarm.path / "viewer.ts").stat().st_size) > size:
                longest, size, last = max(longest, now - last), grown, now
            time.sleep(0.02)
        longest = max(longest, end - last)
        figures = self.played("viewer", 1_500_000)
        print(f"without peers from a web server: longest gap of the output {longest * 1000:.0f} ms, {figures['stalls']} stalls")
        self.assertLess(longest, 3)
        self.assertGreater(figures["from_cdn_bytes"] - before["from_cdn_bytes"], 600_000, figures)
        self.assertEqual(figures["living_from"], "CDN")

    def test_a_viewer_says_what_is_missing(self):
        swarm = self.swarm
        link = swarm.broadcast(swarm.tracker(), "--input", "testsrc:", "--video-kbps", 600)
        for arguments, says in ((["--no-peers"], "without peers the link has to name a cache or a CDN"),
                                (["--cache-token", swarm.path / "none"], "cannot read a token from")):
            swarm.start("refused", "ppsp-peer", link, *arguments)
            self.assertEqual(swarm.processes["refused"].wait(10), 1)
            self.assertIn(says, (swarm.path / "refused.err").read_text())
        empty, _ = start_nginx(swarm)
        swarm.start("waits", "ppsp-peer", f"{link}?cdn=http://{empty}", "--no-peers", "--join-timeout", 2)
        self.assertEqual(swarm.processes["waits"].wait(10), 1)
        self.assertIn("the server named in the link does not have the channel within 2 s", (swarm.path / "waits.err").read_text())


if __name__ == "__main__":
    unittest.main()
