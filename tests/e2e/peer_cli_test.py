#!/usr/bin/env python3
"""ppsp-peer and ppsp-broadcast as a user meets them: exit codes, sentences, first lines, a channel."""

import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import tempfile
import time
import unittest
import urllib.request

BIN = pathlib.Path(os.environ.get("PPSP_BIN", "build/dev/bin")).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
LIVE_ID = "0d" + "ab" * 64
NO_TRACKER = "127.0.0.1:9"  # the discard port: nobody listens


def environment(extra=None):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PPSP_")}
    return {**clean, **(extra or {})}


def run(program, *arguments, extra=None, timeout=60):
    return subprocess.run([BIN / program, *arguments], capture_output=True, text=True,
                          timeout=timeout, env=environment(extra), stdin=subprocess.DEVNULL)


class Process:
    """A program that runs until the block ends; its first lines are read as they come."""

    def __init__(self, program, *arguments, **options):
        self.child = subprocess.Popen([BIN / program, *arguments], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, env=environment(), **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
        self.child.communicate()

    def line(self):
        return self.child.stdout.readline().decode().strip()

    def end(self, sent=signal.SIGTERM):
        """Asks for the end; gives exit code, seconds it took, stderr."""
        started = time.monotonic()
        self.child.send_signal(sent)
        _, errors = self.child.communicate(timeout=30)
        return self.child.returncode, time.monotonic() - started, errors.decode()


def broadcast(*arguments):
    return Process("ppsp-broadcast", "--listen", "127.0.0.1:0", *arguments)


def wait_for(condition, seconds=30):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.05)
    return False


class WrongUsage(unittest.TestCase):
    def refused(self, program, *arguments, says, extra=None):
        result = run(program, *arguments, extra=extra)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.startswith(program + ": "), result.stderr)
        self.assertIn(says, result.stderr)

    def test_links(self):
        for link, says in [
            ("nonsense", "ppsp://HOST:PORT/SWARM"),
            ("http://h:1/" + LIVE_ID, "begins with ppsp://"),
            ("ppsp://h:1/", "swarm id is missing"),
            ("ppsp://h:1/" + LIVE_ID[:-1], "copied as a whole"),
            ("ppsp:///" + LIVE_ID, "nobody can be asked"),
            ("ppsp:///" + LIVE_ID + "?peer=x", "peer="),
        ]:
            self.refused("ppsp-peer", link, says=says)

    def test_values_name_the_option_and_what_is_allowed(self):
        link = f"ppsp://{NO_TRACKER}/{LIVE_ID}"
        self.refused("ppsp-peer", says="link")
        for option, value, says in [
            ("--latency-ms", "5", "50 to 60000"), ("--seconds", "0", "1 to "),
            ("--upload-kbps", "-1", "0 to "), ("--listen", "here", "ADDRESS:PORT"),
            ("--gateway", "1.2.3.4", "ADDRESS:PORT"), ("--log-level", "loud", "debug"),
        ]:
            self.refused("ppsp-peer", link, option, value, says=says)
            self.refused("ppsp-peer", link, option, value, says=option)
        self.refused("ppsp-broadcast", says="--input")
        self.refused("ppsp-broadcast", "--input", "testsrc:", "--tracker", "h:1", says="http://HOST:PORT")
        self.refused("ppsp-broadcast", "--input", "testsrc:", "--write-link", "x", says="--tracker")

    def test_environment_and_file_are_checked_like_the_command_line(self):
        link = f"ppsp://{NO_TRACKER}/{LIVE_ID}"
        self.refused("ppsp-peer", link, says="50 to 60000", extra={"PPSP_LATENCY_MS": "7"})
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write("latenzy-ms = 800\n")
            file.flush()
            self.refused("ppsp-peer", link, "--config", file.name, says="latenzy-ms")
        self.refused("ppsp-peer", link, "--config", "/nonexistent.toml", says="/nonexistent.toml")

    def test_what_is_not_available_is_refused(self):
        link = f"ppsp://{NO_TRACKER}/{LIVE_ID}"
        self.refused("ppsp-broadcast", "--input", "testsrc:", "--first-hop", "x", says="--first-hop is not available yet")
        self.refused("ppsp-peer", link, "--tracker", "http://h:1", says="--tracker goes with --seed")
        self.refused("ppsp-peer", link, "--neighbours-max", "9", says="--neighbours-max goes with")
        self.refused("ppsp-peer", link, "--hash", "sha1", says="--hash goes with --seed")
        self.refused("ppsp-peer", "--seed", "f", "--hash", "md5", says="md5")
        self.refused("ppsp-peer", "--seed", "f", "--neighbours-max", "0", says="range")
        self.refused("ppsp-peer", "--seed", "f", "--tracker", "h:1", says="http://HOST:PORT")

    def test_stdout_is_for_one(self):
        self.refused("ppsp-peer", f"ppsp://{NO_TRACKER}/{LIVE_ID}", "--output", "-", "--stats-json", "-",
                     says="stdout")


class Failures(unittest.TestCase):
    def failed(self, program, *arguments, says):
        result = run(program, *arguments)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(says, result.stderr)
        self.assertTrue(result.stderr.splitlines()[-1].startswith(program + ": "), result.stderr)

    def test_nobody_at_the_tracker(self):
        started = time.monotonic()
        self.failed("ppsp-peer", f"ppsp://{NO_TRACKER}/{LIVE_ID}", "--join-timeout", "1",
                    says=f"the tracker at {NO_TRACKER} did not answer within 1 s")
        self.assertLess(time.monotonic() - started, 10)

    def test_port_in_use(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            self.failed("ppsp-peer", f"ppsp://{NO_TRACKER}/{LIVE_ID}", "--listen", f"127.0.0.1:{port}",
                        says=f"port {port} is in use")
            self.failed("ppsp-broadcast", "--input", "testsrc:", "--listen", f"127.0.0.1:{port}",
                        says=f"port {port} is in use")

    def test_inputs(self):
        self.failed("ppsp-broadcast", "--listen", "127.0.0.1:0", "--input", "/nonexistent.mp4",
                    says="/nonexistent.mp4")
        with tempfile.NamedTemporaryFile("w", suffix=".mp4") as file:
            file.write("This is no film.\n" * 1000)
            file.flush()
            self.failed("ppsp-broadcast", "--listen", "127.0.0.1:0", "--input", file.name, says=file.name)

    def test_key_files(self):
        with tempfile.TemporaryDirectory() as folder:
            bad = pathlib.Path(folder, "bad.key")
            bad.write_text("no key")
            self.failed("ppsp-broadcast", "--listen", "127.0.0.1:0", "--input", "testsrc:", "--key", str(bad),
                        says="bad.key")

    def test_channel_files(self):
        self.failed("ppsp-peer", "/nonexistent.ppsp", says="/nonexistent.ppsp")


class Help(unittest.TestCase):
    def test_help_and_version(self):
        for program in ["ppsp-peer", "ppsp-broadcast"]:
            for option in ["--help", "--version"]:
                result = run(program, option)
                self.assertEqual(result.returncode, 0)
                self.assertNotEqual(result.stdout, "")

    def test_samples_have_exactly_the_options(self):
        for program, sample in [("ppsp-peer", "peer"), ("ppsp-broadcast", "broadcast")]:
            shown = set(re.findall(r"--([a-z-]+)", run(program, "--help").stdout))
            wanted = shown - {"help", "version", "config"}
            text = (ROOT / "samples/config" / f"{sample}.toml").read_text()
            listed = set(re.findall(r"^(?:# )?([a-z-]+) = ", text, re.MULTILINE)) - {"link"}
            # Names of options in help texts of others count as shown, so they must exist as well.
            self.assertEqual(listed, wanted)

    def test_samples_are_accepted(self):
        result = run("ppsp-peer", f"ppsp://{NO_TRACKER}/{LIVE_ID}", "--join-timeout", "1", "--config",
                     str(ROOT / "samples/config/peer.toml"))
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("did not answer within 1 s", result.stderr)


class Channel(unittest.TestCase):
    def test_a_broadcast_is_watched_written_served_and_left(self):
        with tempfile.TemporaryDirectory() as folder, broadcast("--input", "testsrc:") as source:
            link = source.line()
            self.assertRegex(link, r"^ppsp:///0d[0-9a-f]{128}\?peer=127\.0\.0\.1:\d+$")
            self.assertRegex(source.line(), r"^udp=127\.0\.0\.1:\d+$")
            output = pathlib.Path(folder, "out.ts")
            figures = pathlib.Path(folder, "figures.jsonl")
            with Process("ppsp-peer", link, "--listen", "127.0.0.1:0", "--gateway", "127.0.0.1:0",
                         "--output", str(output), "--stats-json", str(figures)) as viewer:
                joined = viewer.line()
                match = re.match(r"^ppsp-peer joined (0d[0-9a-f]{128}) udp=127\.0\.0\.1:\d+ "
                                 r"gateway=(127\.0\.0\.1:\d+)$", joined)
                self.assertIsNotNone(match, joined)
                self.assertTrue(wait_for(lambda: output.stat().st_size > 300_000))
                with urllib.request.urlopen(f"http://{match[2]}/stream.ts", timeout=20) as stream:
                    start = stream.read(188 * 200)
                with urllib.request.urlopen(f"http://{match[2]}/status", timeout=20) as status:
                    self.assertGreater(json.load(status)["media_bytes"], 0)
                code, seconds, errors = viewer.end()
                self.assertEqual(code, 0, errors)
                self.assertLess(seconds, 2)
            media = output.read_bytes()
            for piece in (media, start):
                self.assertEqual({piece[at] for at in range(0, len(piece) - 188, 188)}, {0x47})
                self.assertEqual(piece[1] & 0x1f, 0)  # begins with a PAT
                self.assertEqual(piece[2], 0)
            lines = [json.loads(line) for line in figures.read_text().splitlines()]
            self.assertEqual([line["final"] for line in lines], [False] * (len(lines) - 1) + [True])
            self.assertGreater(lines[-1]["from_source_bytes"], 300_000)
            self.assertEqual(lines[-1]["bad_chunks"], 0)
            code, seconds, errors = source.end(signal.SIGINT)
            self.assertEqual(code, 0, errors)
            self.assertLess(seconds, 2)

    def test_stdout_carries_only_media(self):
        with broadcast("--input", "testsrc:") as source:
            link = source.line()
            with Process("ppsp-peer", link, "--listen", "127.0.0.1:0", "--output", "-") as viewer:
                self.assertEqual(viewer.child.stdout.read(1), b"\x47")
                viewer.child.stdout.close()  # the reader goes away
                viewer.child.wait(timeout=30)
                errors = viewer.child.stderr.read().decode()
                viewer.child.stdout = None
                self.assertEqual(viewer.child.returncode, 1)
                self.assertIn("ppsp-peer joined", errors)
                self.assertIn("the reader of stdout has gone", errors)

    def test_a_full_disk_is_reported(self):
        with broadcast("--input", "testsrc:") as source:
            result = run("ppsp-peer", source.line(), "--listen", "127.0.0.1:0", "--output", "/dev/full")
            self.assertEqual(result.returncode, 1)
            self.assertIn("no space left on the disk", result.stderr)

    def test_a_key_is_made_once_and_the_stream_goes_on_behind(self):
        with tempfile.TemporaryDirectory() as folder:
            key = pathlib.Path(folder, "channel.key")
            state = pathlib.Path(folder, "channel.key.state")
            links = []
            numbers = []
            for _ in range(2):
                with broadcast("--input", "testsrc:", "--key", str(key)) as source:
                    links.append(source.line().split("?")[0])
                    self.assertTrue(wait_for(state.exists))
                    busy = run("ppsp-broadcast", "--listen", "127.0.0.1:0", "--input", "testsrc:",
                               "--key", str(key))
                    self.assertEqual(busy.returncode, 1)
                    self.assertIn("another ppsp-broadcast", busy.stderr)
                    self.assertEqual(source.end()[0], 0)
                numbers.append(int(state.read_text().split()[1]))
            self.assertEqual(links[0], links[1])
            self.assertGreater(numbers[1], numbers[0])
            self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)

    def test_channel_file_is_a_link(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "channel.ppsp")
            with broadcast("--input", "testsrc:", "--tracker", f"http://{NO_TRACKER}", "--title", "T",
                           "--write-link", str(file)) as source:
                link = source.line()
                self.assertTrue(link.startswith(f"ppsp://{NO_TRACKER}/0d"))
                self.assertTrue(wait_for(file.exists))
                self.assertEqual(json.loads(file.read_text())["title"], "T")
                result = run("ppsp-peer", str(file), "--join-timeout", "1")
                self.assertIn(f"the tracker at {NO_TRACKER} did not answer", result.stderr)
                code, seconds, _ = source.end()
                self.assertEqual(code, 0)
                self.assertLess(seconds, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
