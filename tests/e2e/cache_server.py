"""A ppsp-cache of a test, and how it is asked."""

import base64
import http.client
import json
import re
import subprocess
import time
import unittest

import unit_objects
from processes import BIN, Swarm

CACHE = BIN / "ppsp-cache"


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    def reason(self):
        return json.loads(self.body)["error"]


class Cache:
    """One ppsp-cache; its folder and key stay when it is killed."""

    def __init__(self, swarm, name, *arguments):
        self.swarm, self.name, self.arguments = swarm, name, arguments
        self.folder, self.key = swarm.path / f"{name}.d", swarm.path / f"{name}.key"
        self.start()

    def start(self):
        self.process = self.swarm.start(self.name, "ppsp-cache", "--listen", "127.0.0.1:0", "--dir", self.folder,
                                        "--key", self.key, "--log-level", "warn", *self.arguments)
        line = self.swarm.lines(self.name, 1, 20)[0]
        self.url = re.fullmatch(r"ppsp-cache listening on (http://127\.0\.0\.1:\d+)", line)[1]
        self.address = self.url.removeprefix("http://")

    def stop(self):
        began = time.monotonic()
        status = self.swarm.stop(self.name)
        assert status == 0 and time.monotonic() - began < 2, (status, time.monotonic() - began)

    def token(self, allow="read,write,delete", *arguments):
        return subprocess.run([CACHE, "token", "--key", self.key, "--allow", allow, "--for", "1h", *map(str, arguments)],
                              capture_output=True, text=True, check=True, timeout=20).stdout.strip()

    def ask(self, method, path, token=None, body=None, headers=None):
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            headers = dict(headers or {})
            if token:
                headers["Authorization"] = f"Bearer {token}"
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            connection.close()

    def put(self, data, token, **headers):
        return self.ask("PUT", unit_objects.ni_path(data), token, data, headers)

    def get(self, data, token, headers=None):
        return self.ask("GET", unit_objects.ni_path(data), token, headers=headers)

    def metric(self, name):
        text = self.ask("GET", "/metrics").body.decode()
        return float(re.search(rf"^ppsp_cache_{name} (\S+)$", text, re.MULTILINE)[1])


def changed(token, **claims):
    """The token with other claims and the old signature."""
    head, body, signature = token.split(".")
    values = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    values.update(claims)
    body = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


def units(count=3, algorithm=13):
    return unit_objects.make_object(unit_objects.swarm_id(algorithm), unit_objects.signed_units(4, algorithm)[:count])


class CacheTest(unittest.TestCase):
    def setUp(self):
        self.swarm = self.enterContext(Swarm())

    def cache(self, name="cache", *arguments):
        return Cache(self.swarm, name, *arguments)
