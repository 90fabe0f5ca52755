#!/usr/bin/env python3
"""How ppsp-tracker behaves as a program: first line, exit codes, signals, configuration.

Usage: cli_test.py PROGRAM SAMPLE_CONFIG
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest
import urllib.error
import urllib.request

PROGRAM, SAMPLE = sys.argv.pop(1), sys.argv.pop(1)
FIRST_LINE = re.compile(r"^ppsp-tracker listening on (http://127\.0\.0\.1:(\d+))$")


def run(*arguments, environment=None):
    """Runs to the end; for calls that must not begin to serve."""
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=20,
                          env={**os.environ, **(environment or {})})


class Tracker:
    def __init__(self, *arguments, environment=None):
        self.process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})
        self.first_line = self.process.stdout.readline().rstrip("\n")
        match = FIRST_LINE.match(self.first_line)
        self.url, self.port = (match[1], int(match[2])) if match else (None, 0)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.read().decode()

    def stop(self, number=signal.SIGTERM):
        began = time.monotonic()
        self.process.send_signal(number)
        out, error = self.process.communicate(timeout=20)
        return self.process.returncode, time.monotonic() - began, out, error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def help_options():
    names = set(re.findall(r"^\s+(?:-\w,)?--([a-z-]+)", run("--help").stdout, re.MULTILINE))
    return names - {"help", "version", "config"}


class Serving(unittest.TestCase):
    def test_first_line_names_the_real_port(self):
        with Tracker("--listen", "127.0.0.1:0") as tracker:
            self.assertRegex(tracker.first_line, FIRST_LINE)
            self.assertNotEqual(tracker.port, 0)
            self.assertEqual(tracker.get("/healthz"), "ok\n")
            self.assertEqual(json.loads(tracker.get("/status"))["peers"], 0)

    def test_signals_end_it_cleanly_within_two_seconds(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with Tracker("--listen", "127.0.0.1:0") as tracker:
                tracker.get("/healthz")
                code, seconds, out, _ = tracker.stop(number)
                self.assertEqual(code, 0)
                self.assertLess(seconds, 2)
                self.assertEqual(out, "", "only the first line goes to stdout")

    def test_a_taken_port_is_a_failure_with_a_reason(self):
        with Tracker("--listen", "127.0.0.1:0") as tracker:
            second = run("--listen", f"127.0.0.1:{tracker.port}")
            self.assertEqual(second.returncode, 1)
            self.assertIn(str(tracker.port), second.stderr)
            self.assertEqual(second.stderr.count("\n"), 1)

    def test_environment_and_flag(self):
        with Tracker(environment={"PPSP_LISTEN": "127.0.0.1:0"}) as tracker:
            self.assertIsNotNone(tracker.url)
        with Tracker("--listen", "127.0.0.1:0", environment={"PPSP_LISTEN": "nonsense"}) as tracker:
            self.assertIsNotNone(tracker.url)

    def test_configuration_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('listen = "127.0.0.1:0"\nlog-level = "off"\nloopback-limits = true\n')
            file.flush()
            with Tracker("--config", file.name) as tracker:
                self.assertIsNotNone(tracker.url)
                self.assertEqual(tracker.stop()[3], "", "log-level off is obeyed")


    def test_a_flag_wins_over_the_environment_and_that_over_the_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('listen = "nonsense"\n')
            file.flush()
            with Tracker("--config", file.name,
                         environment={"PPSP_LISTEN": "127.0.0.1:0"}) as tracker:
                self.assertIsNotNone(tracker.url)
            self.assertEqual(run("--config", file.name).returncode, 2)


class WrongUsage(unittest.TestCase):
    def refused(self, *arguments, says, environment=None):
        result = run(*arguments, environment=environment)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        for text in says:
            self.assertIn(text, result.stderr)

    def test_flags(self):
        self.refused("--listen", "here", says=["--listen", "127.0.0.1:7846"])
        self.refused("--bogus", says=["--bogus"])
        self.refused("--log-level", "loud", says=["--log-level", "debug"])
        self.refused("--tls-cert", "x.pem", says=["--tls-key"])
        self.refused("--config", "/no/such/file", says=["/no/such/file"])

    def test_only_memory_is_available(self):
        self.refused("--store", "redis://127.0.0.1:6379", says=["--store", "redis", "memory only"])

    def test_environment(self):
        self.refused(environment={"PPSP_STORE": "redis://x:1"}, says=["memory only"])

    def test_configuration_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('lissten = "127.0.0.1:0"\n')
            file.flush()
            self.refused("--config", file.name, says=[file.name, "lissten"])

    def test_help_and_version(self):
        self.assertEqual(run("--help").returncode, 0)
        version = run("--version")
        self.assertEqual(version.returncode, 0)
        self.assertRegex(version.stdout, r"^ppsp-tracker \d+\.\d+\.\d+\n$")


class Sample(unittest.TestCase):
    def test_the_sample_names_exactly_the_options_of_help(self):
        with open(SAMPLE, encoding="utf-8") as file:
            named = set(re.findall(r"^#? ?([a-z-]+) = ", file.read(), re.MULTILINE))
        self.assertEqual(named, help_options())

    def test_the_sample_is_toml_and_is_accepted(self):
        with open(SAMPLE, "rb") as file:
            self.assertIn("listen", tomllib.load(file))
        with Tracker("--config", SAMPLE, "--listen", "127.0.0.1:0") as tracker:
            self.assertIsNotNone(tracker.url)

    def test_the_sample_shows_the_defaults(self):
        with open(SAMPLE, "rb") as file:
            sample = tomllib.load(file)
        text = run("--help").stdout
        for key, value in sample.items():
            if isinstance(value, str):
                self.assertRegex(text, rf"--{key} \S*={re.escape(value)}\b")
            else:
                self.assertIs(value, False)


if __name__ == "__main__":
    unittest.main()
