#!/usr/bin/env python3
"""A broadcaster that publishes besides the swarm: to a folder that a real nginx serves, to a real nginx by PUT (WebDAV), and to the
nearer one of two caches, one of which is away. What all of them hold is, byte for byte, what the source cut."""

import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import unittest

import unit_objects
from cache_test import Cache
from processes import Swarm

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
CONFIG = """daemon off; master_process off; pid {0}/nginx.pid; error_log {0}/nginx.log;
events {{ }}
http {{ access_log off; client_max_body_size 20m;
 client_body_temp_path {0}/t1; proxy_temp_path {0}/t2; fastcgi_temp_path {0}/t3; uwsgi_temp_path {0}/t4; scgi_temp_path {0}/t5;
 server {{ listen 127.0.0.1:{1}; root {0}/cdn; }}
 server {{ listen 127.0.0.1:{2}; root {0}/dav; location / {{ dav_methods PUT DELETE; create_full_put_path on; }} }} }}
"""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start_nginx(swarm):
    static, dav = free_ports(2)
    (swarm.path / "nginx.conf").write_text(CONFIG.format(swarm.path, static, dav))
    for name in ("cdn", "dav"):
        (swarm.path / name).mkdir()
        os.chmod(swarm.path / name, 0o777)  # nginx's worker is another user
    os.chmod(swarm.path, 0o755)
    with open(swarm.path / "nginx.err", "wb") as err:
        swarm.processes["nginx"] = subprocess.Popen([NGINX, "-p", swarm.path, "-c", swarm.path / "nginx.conf"], stderr=err)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", dav), timeout=1).close()
            return f"127.0.0.1:{static}", f"127.0.0.1:{dav}"
        except OSError:
            time.sleep(0.05)
    raise AssertionError((swarm.path / "nginx.err").read_text())


def get(address, path, token=None):
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Publish(unittest.TestCase):
    def check(self, address, swarm_id, cut, token=None):
        """The index leads to objects by name and by chunk; their chunks are the stream."""
        status, index = get(address, f"/decade/v1/live/{swarm_id}/index", token)
        self.assertEqual(status, 200, address)
        objects = json.loads(index.splitlines()[0])["objects"]
        self.assertGreaterEqual(len(objects), 4)
        self.assertTrue(any(one["random_access"] for one in objects))
        size = 0
        for before, one in zip([None, *objects], objects):
            path = "/.well-known/ni/sha-256/" + one["name"].split(";")[1]
            status, data = get(address, path, token)
            self.assertEqual((status, unit_objects.ni_path(data), len(data)), (200, path, one["bytes"]))
            self.assertEqual(get(address, f"/decade/v1/live/{swarm_id}/{one['first']}-{one['last']}", token), (200, data))
            self.assertTrue(before is None or before["last"] + 1 == one["first"])
            payload = data[len(data) - (one["last"] - one["first"] + 1) * 1024:]
            begin = (one["first"] - objects[0]["first"]) * 1024 + self.first_byte(cut, objects[0], payload if before is None else b"")
            self.assertEqual(cut[begin:begin + len(payload)], payload)
            size += len(payload)
        return size

    def first_byte(self, cut, first, payload):
        if payload:
            self.begin = cut.find(payload)
            self.assertGreaterEqual(self.begin, 0, "the first object is no part of the stream")
        return self.begin

    def test_folder_web_server_and_cache_hold_what_the_source_cut(self):
        with Swarm() as swarm:
            static, dav = start_nginx(swarm)
            cache = Cache(swarm, "cache")
            away = free_ports(1)[0]
            link = None
            channel = swarm.path / "channel.key"
            # The key is made first, to make a token for its channel only.
            subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", channel],
                           check=True, capture_output=True)
            public = subprocess.run(["openssl", "pkey", "-in", channel, "-pubout", "-outform", "DER"], check=True,
                                    capture_output=True).stdout
            swarm_id = "0d" + public[-64:].hex()
            (swarm.path / "token").write_text(cache.token("write", "--swarm", swarm_id) + "\n")
            swarm.start("source", "ppsp-broadcast", "--input", "testsrc:", "--listen", "127.0.0.1:0", "--key", channel,
                        "--video-kbps", 600, "--dump-cut", swarm.path / "cut.ts", "--cdn-dir", swarm.path / "cdn",
                        "--cdn-put", f"http://{dav}/", "--cache", f"http://127.0.0.1:{away}", "--cache", cache.url,
                        "--cache-token", swarm.path / "token")
            link = swarm.lines("source", 2, 60)[0]
            self.assertIn(swarm_id, link)
            self.assertIn("cache=", link)
            end = time.monotonic() + 30
            while cache.metric("held_objects") < 6 and time.monotonic() < end:
                time.sleep(0.2)
            self.assertEqual(swarm.stop("source"), 0)
            cut = swarm.cut()
            reader = cache.token("read")
            sizes = [self.check(static, swarm_id, cut), self.check(dav, swarm_id, cut), self.check(cache.address, swarm_id, cut, reader)]
            # The end of the stream is there, too: the last object leaves when the source does.
            self.assertTrue(all(size + 64 * 1024 >= len(cut) for size in sizes), (sizes, len(cut)))
            parts = [path for name in ("cdn", "dav") for path in (swarm.path / name).rglob("*.part")]
            self.assertEqual(parts, [])

    def test_a_cache_that_refuses_is_told_once_and_stops_nothing(self):
        with Swarm() as swarm:
            cache = Cache(swarm, "cache")
            (swarm.path / "token").write_text(cache.token("read") + "\n")
            source = swarm.start("source", "ppsp-broadcast", "--input", "testsrc:", "--listen", "127.0.0.1:0", "--video-kbps", 600,
                                 "--cdn-dir", swarm.path / "cdn", "--cache", cache.url, "--cache-token", swarm.path / "token",
                                 "--seconds", 6)
            self.assertEqual(source.wait(30), 0)
            said = (swarm.path / "source.err").read_text()
            self.assertEqual(said.count("took no units"), 1, said)
            self.assertIn("does not allow to write", said)
            self.assertGreater(len(list((swarm.path / "cdn" / ".well-known" / "ni" / "sha-256").iterdir())), 4)
            self.assertEqual(cache.metric("held_objects"), 0)


if __name__ == "__main__":
    unittest.main()
