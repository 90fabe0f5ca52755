#!/usr/bin/env python3
"""ppsp-cache in hardship: clients that mean no good, thousands that say nothing, SIGKILL in a write loop, damaged files, a full disk.

usage: PPSP_BIN=build/dev/bin tests/e2e/cache_hardship_test.py [--kills N] [--idle N]"""

import argparse
import concurrent.futures
import contextlib
import hashlib
import http.client
import os
import pathlib
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import unittest

import unit_objects
from cache_server import Cache, CacheTest

KILLS = 24
IDLE = 1000
SWARM = unit_objects.swarm_id(13).hex()


class Hostile(CacheTest):
    def raw(self, cache, data, seconds=5):
        host, port = cache.address.split(":")
        with socket.create_connection((host, int(port)), timeout=seconds) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer

    def test_paths_that_lead_elsewhere_lead_nowhere(self):
        cache = self.cache()
        token = cache.token()
        self.assertEqual(cache.put(b"x", token).status, 201)
        value = unit_objects.ni_value(b"x")
        for path in ("/.well-known/ni/sha-256/../../../../etc/passwd", "/.well-known/ni/sha-256/%2e%2e/x", "/../lock", "/",
                     f"/.well-known/ni/sha-256/{value}/", f"/.well-known/ni/sha-256//{value}", f"//.well-known/ni/sha-256/{value}",
                     f"/.well-known/ni/sha-256/{value}%00", f"/.well-known/ni/SHA-256/{value}", "/.well-known/ni/sha-256/" + "A" * 5000,
                     f"/decade/v1/live/../objects/{value}/attributes", "/decade/v1/live/0d/../index", "/decade/v1/objects//attributes",
                     f"/decade/v1/live/{SWARM.upper()}/index", f"/decade/v1/live/{SWARM}/0-11/.."):
            for method in ("GET", "PUT", "DELETE"):
                answer = cache.ask(method, path, token, b"x" if method == "PUT" else None)
                self.assertIn(answer.status, (404, 405), (method, path))
        self.assertEqual(cache.get(b"x", token).status, 200)

    def test_bodies_and_heads_beyond_the_limits(self):
        cache = self.cache("cache", "--max-object-bytes", 100_000)
        token = cache.token()
        answer = cache.put(bytes(100_001), token)
        self.assertEqual(answer.status, 413)
        self.assertIn("100000", answer.reason())
        self.assertEqual(cache.put(bytes(100_000), token).status, 201)
        head = f"PUT {unit_objects.ni_path(b'x')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        chunks = b"".join(b"4000\r\n" + bytes(0x4000) + b"\r\n" for _ in range(8))
        self.assertIn(b" 413 ", self.raw(cache, head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunks))
        self.assertIn(b" 413 ", self.raw(cache, head.encode() + b"Content-Length: 99999999999999\r\n\r\n"))
        self.assertIn(b" 400 ", self.raw(cache, head.encode() + b"Content-Length: -1\r\n\r\n"))
        self.assertIn(b" 431 ", self.raw(cache, head.encode() + b"X: " + b"y" * 20_000 + b"\r\n\r\n"))
        self.assertIn(b" 400 ", self.raw(cache, b"\x16\x03\x01 nonsense\r\n\r\n"))
        self.assertEqual(self.raw(cache, head.encode() + b"Content-Length: 50\r\n\r\nhalf"), b"")  # half a body is none
        self.assertEqual(cache.put(b"x", token).status, 201)

    def test_idle_connections_make_room_for_others(self):
        limit, count = (200, IDLE) if IDLE <= 1000 else (IDLE, IDLE + 500)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + 512, hard), hard))
        cache = self.cache("cache", "--max-connections", limit)
        token = cache.token()
        host, port = cache.address.split(":")
        data = os.urandom(300_000)
        with contextlib.ExitStack() as idle:
            for i in range(count):
                one = idle.enter_context(socket.create_connection((host, int(port)), timeout=10))
                if i % 2:
                    one.sendall(b"GET / HTTP/1.1\r\nX: ")  # slow loris: never ends its head
            began = time.monotonic()
            self.assertEqual(cache.put(data, token).status, 201)
            put = time.monotonic() - began
            self.assertEqual(cache.get(data, token).body, data)
            get = time.monotonic() - began - put
            connections, displaced = cache.metric("connections"), cache.metric("connections_displaced")
        rss = int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{cache.process.pid}/status").read_text())[1])
        print(f"{count} connections that say nothing or half a head, limit {limit}: {connections:.0f} stay, {displaced:.0f} displaced, beside "
              f"them a PUT of 300 kB in {put * 1000:.0f} ms and a GET in {get * 1000:.1f} ms; {rss / 1000:.0f} MB of memory")
        self.assertLessEqual(connections, limit)
        self.assertGreaterEqual(displaced, count - limit)
        self.assertLess(rss, 40_000 + 8 * limit)

    def test_a_slow_loris_is_cut_off(self):
        cache = self.cache()
        host, port = cache.address.split(":")
        began = time.monotonic()
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            end = False
            while not end and time.monotonic() - began < 20:
                try:
                    connection.sendall(b"G" if time.monotonic() - began < 0.1 else b"x")
                    connection.settimeout(0.5)
                    end = connection.recv(100) == b""
                except TimeoutError:
                    continue
                except OSError:
                    end = True
        self.assertTrue(end, "still open after 20 s")
        self.assertLess(time.monotonic() - began, 13)


class Kills(CacheTest):
    def test_no_acknowledged_object_is_lost_to_sigkill(self):
        """Writers put objects until the server is killed at a random moment; what it acknowledged is there, whole."""
        cache = self.cache()
        token = cache.token("read,write")
        rng = random.Random(7069)
        acknowledged, torn = {}, 0

        def write(seed):
            mine, source = [], random.Random(seed)
            while True:
                data = source.randbytes(source.choice((10, 5_000, 200_000)))
                try:
                    answer = cache.put(data, token, **{"Decade-Expires": "86400"})
                except (OSError, http.client.HTTPException):
                    return mine
                if answer.status not in (200, 201):
                    return mine
                mine.append((unit_objects.ni_path(data), hashlib.sha256(data).digest()))

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for turn in range(KILLS):
                jobs = [pool.submit(write, rng.getrandbits(64)) for _ in range(3)]
                time.sleep(rng.uniform(0.01, 0.25))
                cache.process.send_signal(signal.SIGKILL)
                cache.process.wait()
                fresh = dict(one for job in jobs for one in job.result())
                acknowledged.update(fresh)
                torn += len(list((cache.folder / "aside").iterdir()))
                cache.start()
                known = list(acknowledged)
                for path in {*fresh, *rng.sample(known, min(20, len(known)))}:
                    answer = cache.ask("GET", path, token)
                    self.assertEqual(answer.status, 200, (turn, path))
                    self.assertEqual(hashlib.sha256(answer.body).digest(), acknowledged[path])
                self.assertEqual(list((cache.folder / "aside").iterdir()), [])
        for path, digest in acknowledged.items():
            answer = cache.ask("GET", path, token)
            self.assertEqual((answer.status, hashlib.sha256(answer.body).digest()), (200, digest))
        self.assertGreater(len(acknowledged), KILLS)
        print(f"{KILLS} kills, {len(acknowledged)} acknowledged objects, none lost; {torn} half written files cleaned up")

    def test_a_damaged_file_is_never_served(self):
        cache = self.cache()
        token = cache.token()
        objects = [os.urandom(50_000) for _ in range(3)]
        for data in objects:
            self.assertEqual(cache.put(data, token).status, 201)
        cache.stop()
        files = {path.name: path for path in (cache.folder / "objects").glob("*/*")}
        with open(files[unit_objects.ni_value(objects[0])], "r+b") as file:
            file.seek(25_000)
            file.write(b"\0\1\2\3damaged")
        os.truncate(files[unit_objects.ni_value(objects[1])], 40_000)
        cache.start()
        self.assertEqual([cache.get(one, token).status for one in objects], [404, 404, 200])
        self.assertEqual(cache.put(objects[0], token).status, 201)
        self.assertEqual(cache.get(objects[0], token).body, objects[0])

    def test_a_full_disk_is_a_507_and_leaves_nothing_behind(self):
        mount = self.swarm.path / "small"
        mount.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", mount], capture_output=True).returncode != 0:
            self.skipTest("needs the right to mount a small tmpfs")
        try:
            cache = Cache(self.swarm, "full")
            cache.stop()
            cache.folder = mount / "d"
            cache.start()
            token = cache.token()
            statuses = [cache.put(os.urandom(700_000), token).status for _ in range(4)]
            self.assertEqual(statuses, [201, 201, 507, 507])
            self.assertIn("disk is full", cache.put(os.urandom(700_000), token).reason())
            self.assertEqual(list((cache.folder / "aside").iterdir()), [])
            self.assertEqual(cache.put(b"small", token).status, 201)
            cache.stop()
        finally:
            subprocess.run(["umount", mount], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--idle", type=int, default=IDLE, help="connections that say nothing, beside which others are served")
    known, rest = parser.parse_known_args()
    KILLS, IDLE = known.kills, known.idle
    unittest.main(argv=[sys.argv[0], *rest])
