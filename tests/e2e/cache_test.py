#!/usr/bin/env python3
"""ppsp-cache as a program: objects by name, ranges and conditions, tokens and what they refuse, live index and aliases, transfers
between servers.

usage: PPSP_BIN=build/dev/bin tests/e2e/cache_test.py"""

import base64
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

import unit_objects
from cache_server import CACHE, Cache, CacheTest, changed, units
from processes import Swarm

SWARM = unit_objects.swarm_id(13).hex()
OTHER_SWARM = unit_objects.swarm_id(15).hex()


class Objects(CacheTest):
    def test_an_object_is_put_read_in_parts_and_deleted(self):
        cache = self.cache()
        token = cache.token()
        data = os.urandom(300_000)
        put = cache.put(data, token, **{"Content-Type": "video/mp2t"})
        self.assertEqual((put.status, put.headers["Location"]), (201, unit_objects.ni_path(data)))
        self.assertEqual(cache.put(data, token).status, 200)
        whole = cache.get(data, token)
        self.assertEqual((whole.status, whole.body), (200, data))
        tag = whole.headers["ETag"]
        self.assertEqual(tag, f'"{unit_objects.ni_value(data)}"')
        self.assertIn("immutable", whole.headers["Cache-Control"])
        self.assertEqual(cache.get(data, token, {"If-None-Match": tag}).status, 304)
        for header, status, part in (("bytes=100-199", 206, data[100:200]), ("bytes=299999-", 206, data[-1:]),
                                     ("bytes=-5", 206, data[-5:]), ("bytes=300000-", 416, None),
                                     ("bytes=5-1", 200, data), ("lines=1-2", 200, data)):
            answer = cache.get(data, token, {"Range": header})
            self.assertEqual(answer.status, status, header)
            if part is not None:
                self.assertEqual(answer.body, part, header)
        self.assertEqual(cache.get(data, token, {"Range": "bytes=0-9", "If-Range": '"other"'}).status, 200)
        head = cache.ask("HEAD", unit_objects.ni_path(data), token)
        self.assertEqual((head.status, head.headers["Content-Length"], head.body), (200, "300000", b""))
        attributes = json.loads(cache.ask("GET", f"/decade/v1/objects/{unit_objects.ni_value(data)}/attributes", token).body)
        self.assertEqual((attributes["size"], attributes["media_type"]), (300_000, "application/octet-stream"))
        self.assertEqual(cache.ask("DELETE", unit_objects.ni_path(data), token).status, 204)
        self.assertEqual(cache.get(data, token).status, 404)
        self.assertEqual(cache.ask("DELETE", unit_objects.ni_path(data), token).status, 404)
        cache.stop()

    def test_the_server_names_what_is_posted(self):
        cache = self.cache()
        token = cache.token()
        answer = cache.ask("POST", "/decade/v1/objects", token, b"hello")
        self.assertEqual((answer.status, answer.headers["Location"]), (201, unit_objects.ni_path(b"hello")))
        self.assertEqual(cache.get(b"hello", token).body, b"hello")

    def test_bytes_that_do_not_match_the_name_are_refused(self):
        cache = self.cache()
        token = cache.token()
        answer = cache.ask("PUT", unit_objects.ni_path(b"a"), token, b"b")
        self.assertEqual(answer.status, 409)
        self.assertIn("do not match", answer.reason())
        self.assertEqual(cache.get(b"a", token).status, 404)
        self.assertEqual(cache.get(b"b", token).status, 404)

    def test_what_expired_is_gone(self):
        cache = self.cache()
        token = cache.token()
        self.assertEqual(cache.put(b"short", token, **{"Decade-Expires": "1"}).status, 201)
        self.assertEqual(cache.put(b"long", token, **{"Decade-Expires": "100"}).status, 201)
        end = time.monotonic() + 10
        while cache.metric("expired_objects") < 1 and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(cache.get(b"short", token).status, 404)
        self.assertEqual(cache.get(b"long", token).status, 200)
        self.assertEqual(len(list((cache.folder / "objects").glob("*/*"))), 1)

    def test_the_longest_unused_makes_room_under_the_byte_limit(self):
        cache = self.cache("cache", "--max-bytes", 100_000)
        token = cache.token()
        objects = [bytes([i]) * 40_000 for i in range(3)]
        self.assertEqual(cache.put(objects[0], token).status, 201)
        self.assertEqual(cache.put(objects[1], token).status, 201)
        self.assertEqual(cache.get(objects[0], token).status, 200)
        self.assertEqual(cache.put(objects[2], token).status, 201)
        self.assertEqual([cache.get(one, token).status for one in objects], [200, 404, 200])
        self.assertEqual(len(list((cache.folder / "objects").glob("*/*"))), 2)
        answer = cache.put(bytes(100_001), token)
        self.assertEqual(answer.status, 507)
        self.assertLessEqual(cache.metric("held_bytes"), 100_000)


class Live(CacheTest):
    def test_units_are_found_by_their_chunks(self):
        cache = self.cache()
        token = cache.token("read,write", "--swarm", SWARM)
        data = units()
        self.assertEqual(cache.put(data, token).status, 201)
        alias = cache.ask("GET", f"/decade/v1/live/{SWARM}/0-11", token)
        self.assertEqual((alias.status, alias.body), (200, data))
        self.assertEqual(alias.headers["Content-Location"], unit_objects.ni_path(data))
        self.assertIn("max-age=2", alias.headers["Cache-Control"])
        self.assertEqual(cache.ask("GET", f"/decade/v1/live/{SWARM}/0-7", token).status, 404)
        listed = json.loads(cache.ask("GET", f"/decade/v1/live/{SWARM}/objects", token).body)["objects"]
        self.assertEqual([(one["first"], one["last"]) for one in listed], [(0, 11)])
        cache.stop()
        cache.start()
        self.assertEqual(cache.ask("GET", f"/decade/v1/live/{SWARM}/0-11", token).body, data)

    def test_an_index_that_the_channel_did_not_sign_is_refused(self):
        cache = self.cache()
        token = cache.token("read,write", "--swarm", SWARM)
        text = '{"type":"ppsp-live-index/1"}\n"' + "00" * 64 + '"\n'
        answer = cache.ask("PUT", f"/decade/v1/live/{SWARM}/index", token, text)
        self.assertEqual(answer.status, 403)
        self.assertIn("signed", answer.reason())
        self.assertEqual(cache.ask("GET", f"/decade/v1/live/{SWARM}/index", token).status, 404)
        self.assertEqual(cache.ask("PUT", f"/decade/v1/live/{OTHER_SWARM}/index", token, text).status, 403)


class Tokens(CacheTest):
    def test_nothing_is_served_or_stored_without_a_right(self):
        cache, other = self.cache(), self.cache("other")
        data = b"secret"
        self.assertEqual(cache.put(data, cache.token()).status, 201)
        good = cache.token("read")
        expired = subprocess.run([CACHE, "token", "--key", cache.key, "--allow", "read,write", "--for", "1s"],
                                 capture_output=True, text=True, check=True).stdout.strip()
        time.sleep(2.1)
        for token, word in ((None, "token"), ("x", "malformed"), (expired, "expired"),
                            (changed(good, ops=["read", "write"]), "changed"), (other.token(), "changed"),
                            (good[:-4] + "AAAA", "changed"),
                            (cache.token("read,write", "--audience", "http://elsewhere:1"), "another server")):
            for answer in (cache.get(data, token), cache.put(b"new", token)):
                self.assertEqual(answer.status, 401, (token, answer.body))
                self.assertIn(word, answer.reason())
                self.assertIn("Bearer", answer.headers["WWW-Authenticate"])
        self.assertEqual(cache.get(data, good).status, 200)
        for answer in (cache.put(b"new", good), cache.ask("DELETE", unit_objects.ni_path(data), good),
                       cache.get(data, cache.token("write"))):
            self.assertEqual(answer.status, 403, answer.body)
            self.assertIn("does not allow", answer.reason())
        self.assertEqual(cache.metric("held_objects"), 1)

    def test_a_channels_token_is_for_verified_units_of_this_channel(self):
        cache = self.cache()
        mine, others = cache.token("read,write,delete", "--swarm", SWARM), cache.token("read,write,delete", "--swarm", OTHER_SWARM)
        data, foreign = units(), units(2, 15)
        self.assertEqual(cache.put(data, mine).status, 201)
        self.assertEqual(cache.put(foreign, others).status, 201)
        for answer in (cache.put(foreign, mine), cache.get(foreign, mine), cache.get(data, others),
                       cache.ask("DELETE", unit_objects.ni_path(data), others), cache.put(b"no units", mine),
                       cache.put(data[:-1], mine), cache.put(data[:-1] + b"x", mine),
                       cache.ask("GET", f"/decade/v1/live/{SWARM}/0-11", others),
                       cache.ask("GET", f"/decade/v1/live/{SWARM}/objects", others)):
            self.assertEqual(answer.status, 403, answer.body)
        self.assertIn("not what the channel's key signed", cache.put(data[:-1] + b"x", mine).reason())
        self.assertEqual(cache.metric("held_objects"), 2)
        only = cache.token("read", "--object", f"ni:///sha-256;{unit_objects.ni_value(data)}")
        self.assertEqual((cache.get(data, only).status, cache.get(foreign, only).status), (200, 403))

    def test_quotas(self):
        cache = self.cache()
        self.assertEqual(cache.put(bytes(1000), cache.token()).status, 201)
        token = cache.token("read,write", "--quota-bytes", 2500)
        self.assertEqual([cache.get(bytes(1000), token).status for _ in range(3)], [200, 200, 429])
        self.assertEqual(cache.get(bytes(1000), token, {"Range": "bytes=0-99"}).status, 206)
        self.assertEqual(cache.put(bytes(1001), token).status, 429)
        time.sleep(1.5)
        cache.swarm.kill(cache.name)  # what was used is not forgotten
        cache.start()
        self.assertEqual(cache.get(bytes(1000), token).status, 429)
        storing = cache.token("write", "--storage-bytes", 1500)
        self.assertEqual([cache.put(bytes([i]) * 1000, storing).status for i in (1, 2)], [201, 429])
        once = cache.token("read", "--once")
        self.assertEqual([cache.get(bytes(1000), once).status for _ in range(2)], [200, 401])

    def test_a_token_can_be_revoked_for_good(self):
        cache = self.cache()
        manager, token = cache.token("manage"), cache.token("read,write")
        self.assertEqual(cache.put(b"x", token).status, 201)
        claims = token.split(".")[1]
        name = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["jti"]
        self.assertEqual(cache.ask("DELETE", f"/decade/v1/tokens/{name}", token).status, 403)
        self.assertEqual(cache.ask("DELETE", f"/decade/v1/tokens/{name}", manager).status, 204)
        self.assertEqual(cache.get(b"x", token).status, 401)
        cache.swarm.kill(cache.name)
        cache.start()
        answer = cache.get(b"x", token)
        self.assertEqual(answer.status, 401)
        self.assertIn("revoked", answer.reason())
        status = json.loads(cache.ask("GET", "/decade/v1/status", manager).body)
        self.assertEqual((len(status["objects"]), status["used"]["stored_bytes"]), (1, 1))

    def test_bandwidth_of_a_token_and_its_requests_at_a_time(self):
        cache = self.cache()
        data = os.urandom(400_000)
        self.assertEqual(cache.put(data, cache.token()).status, 201)
        slow = cache.token("read", "--rate-kbps", 1600, "--requests", 1)  # 400 kB less a burst of 64 kB: 1.7 s
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            first = pool.submit(cache.get, data, slow)
            while cache.metric("hits") < 1:
                time.sleep(0.01)
            second = cache.get(data, slow)
            self.assertEqual((second.status, second.headers["Retry-After"]), (429, "1"))
            self.assertEqual(cache.get(data, cache.token("read")).body, data)  # others are not held up
            self.assertLess(time.monotonic() - began, 1.5)
            self.assertEqual(first.result().body, data)
        self.assertGreater(time.monotonic() - began, 1.5)

    def test_the_whole_limit_is_shared_fairly(self):
        cache = self.cache("cache", "--upload-kbps", 8000)
        data = os.urandom(500_000)
        self.assertEqual(cache.put(data, cache.token()).status, 201)
        few, many = cache.token("read"), cache.token("read")
        done = {}

        def fetch(kind, token):
            body = cache.get(data, token).body
            assert body == data
            done.setdefault(kind, []).append(time.monotonic() - began)

        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            jobs = [pool.submit(fetch, "many", many) for _ in range(4)] + [pool.submit(fetch, "few", few)]
            for job in jobs:
                job.result()
        # 2.5 MB at 1 MB/s. One connection of one token against four of another: half the rate, not a fifth.
        self.assertLess(done["few"][0], 1.5)
        self.assertGreater(max(done["many"]), 2.0)


class Transfers(CacheTest):
    def test_from_server_to_server(self):
        here, there = self.cache("here"), self.cache("there")
        data, more = units(), units(2)
        name = f"ni:///sha-256;{unit_objects.ni_value(data)}"
        self.assertEqual(there.put(data, there.token()).status, 201)
        order = {"op": "fetch", "object": name, "remote": there.url, "remote_token": there.token("read", "--object", name)}
        token = here.token("transfer,read,write", "--swarm", SWARM)

        def transfer(token, **changes):
            return here.ask("POST", "/decade/v1/transfers", token, json.dumps({**order, **changes}))

        self.assertEqual(transfer(here.token("read,write")).status, 403)
        answer = transfer(token)
        self.assertEqual((answer.status, answer.headers["Location"]), (201, unit_objects.ni_path(data)))
        self.assertEqual(here.get(data, token).body, data)
        self.assertEqual(here.put(more, token).status, 201)
        stored = transfer(token, op="store", object=f"ni:///sha-256;{unit_objects.ni_value(more)}",
                          remote_token=there.token("write"))
        self.assertEqual(stored.status, 200)
        self.assertEqual(there.get(more, there.token()).body, more)
        for changes, status in (({"remote_token": "x"}, 502), ({"remote_token": there.token("write")}, 502),
                                ({"object": f"ni:///sha-256;{unit_objects.ni_value(b'?')}"}, 502),
                                ({"op": "store", "object": f"ni:///sha-256;{unit_objects.ni_value(b'?')}"}, 404),
                                ({"remote": "http://127.0.0.1:1"}, 502), ({"remote": "file:///etc/passwd"}, 400),
                                ({"object": "x"}, 400), ({"op": "x"}, 400), ({"remote_token": "a\r\nb"}, 400)):
            answer = transfer(token, **changes)
            self.assertEqual(answer.status, status, (changes, answer.body))
            self.assertTrue(answer.reason())
        # Another channel's units come from there, but this token may not keep them.
        foreign = units(2, 15)
        self.assertEqual(there.put(foreign, there.token()).status, 201)
        answer = transfer(token, object=f"ni:///sha-256;{unit_objects.ni_value(foreign)}", remote_token=there.token("read"))
        self.assertEqual(answer.status, 403)
        self.assertEqual(here.get(foreign, here.token()).status, 404)


class Program(unittest.TestCase):
    def run_cache(self, *arguments, environment=None):
        return subprocess.run([CACHE, *map(str, arguments)], capture_output=True, text=True, timeout=20,
                              env={**os.environ, **(environment or {})})

    def refused(self, *arguments, says, environment=None, status=2):
        result = self.run_cache(*arguments, environment=environment)
        self.assertEqual((result.returncode, result.stdout, result.stderr.count("\n")), (status, "", 1), result.stderr)
        for text in says:
            self.assertIn(text, result.stderr)

    def test_wrong_usage_is_one_sentence(self):
        with tempfile.TemporaryDirectory() as folder:
            both = ("--dir", f"{folder}/d", "--key", f"{folder}/k")
            self.refused(says=["--dir", "--key"])
            self.refused(*both, "--listen", "here", says=["--listen"])
            self.refused(*both, "--max-bytes", "many", says=["--max-bytes"])
            self.refused(*both, "--bogus", says=["--bogus"])
            self.refused(*both, says=["loud"], environment={"PPSP_LOG_LEVEL": "loud"})
            self.refused("--dir", "/proc/nowhere", "--key", f"{folder}/k", says=["/proc/nowhere"], status=1)
            key = ("token", "--key", f"{folder}/k")
            for arguments, word in ((("--allow", "fly", "--for", "1h"), "fly"), (("--allow", "read", "--for", "1"), "--for"),
                                    (("--allow", "read", "--for", "1h", "--swarm", "zz"), "--swarm"),
                                    (("--allow", "read", "--for", "1h", "--object", "x"), "--object"),
                                    (("--allow", "read", "--for", "1h", "--priority", "x"), "--priority")):
                self.refused(*key, *arguments, says=[word])
            self.refused("token", "--key", f"{folder}/none", "--allow", "read", "--for", "1h", says=["none"], status=1)
        for word in ("--help", "--version"):
            self.assertEqual(self.run_cache(word).returncode, 0)
        self.assertRegex(self.run_cache("--version").stdout, r"^ppsp-cache \d+\.\d+\.\d+\n$")

    def test_the_sample_names_exactly_the_options_of_help(self):
        text = (pathlib.Path(__file__).resolve().parents[2] / "samples" / "config" / "cache.toml").read_text()
        named = set(re.findall(r"^#? ?([a-z-]+) = ", text, re.MULTILINE))
        offered = set(re.findall(r"^\s+(?:-\w,)?--([a-z-]+)", self.run_cache("--help").stdout, re.MULTILINE))
        self.assertEqual(named, offered - {"help", "version", "config"})
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "cache.toml"
            config.write_text(text.replace("cache.d", f"{folder}/d").replace("cache.key", f"{folder}/k"))
            self.refused("--config", config, "--listen", "198.51.100.1:1", says=["198.51.100.1:1"], status=1)

    def test_configuration_statistics_and_a_folder_in_use(self):
        with Swarm() as swarm:
            config = swarm.path / "cache.toml"
            config.write_text(f'listen = "127.0.0.1:0"\ndir = "{swarm.path}/d"\nkey = "{swarm.path}/k"\npublic-read = true\n'
                              f'stats-json = "{swarm.path}/cache.json"\n')
            swarm.start("cache", "ppsp-cache", "--config", config)
            url = swarm.lines("cache", 1, 20)[0].rsplit(" ", 1)[1]
            connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
            connection.request("GET", unit_objects.ni_path(b"x"))
            self.assertEqual(connection.getresponse().status, 404)  # no token needed
            connection.close()
            self.refused("--config", config, says=["another ppsp-cache"], status=1)
            self.assertEqual(swarm.stop("cache"), 0)
            lines = [json.loads(line) for line in (swarm.path / "cache.json").read_text().splitlines()]
            self.assertEqual((lines[-1]["final"], lines[-1]["misses"]), (True, 1))


if __name__ == "__main__":
    unittest.main()
