"""Starts the project's programs for end-to-end tests, and ends those it started."""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

BIN = pathlib.Path(os.environ["PPSP_BIN"])
PACKET = 188


class Swarm:
    """Processes on loopback with their output in a folder that goes away with them."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="ppsp-e2e-")
        self.path = pathlib.Path(self.folder.name)
        self.processes = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        if kind is not None:
            for log in sorted(self.path.glob("*.err")):
                print(f"--- {log.name}\n{log.read_text()[-1500:]}")
        self.folder.cleanup()

    def start(self, name, program, *arguments):
        with open(self.path / f"{name}.out", "wb") as out, open(self.path / f"{name}.err", "ab") as err:
            process = subprocess.Popen([BIN / program, *map(str, arguments)], stdout=out, stderr=err,
                                       stdin=subprocess.DEVNULL)
        self.processes[name] = process
        return process

    def lines(self, name, count, seconds):
        """The program's first lines; fails when they do not come in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = (self.path / f"{name}.out").read_text()
            if text.count("\n") >= count:
                return text.splitlines()[:count]
            if self.processes[name].poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"{name} printed no {count} lines: "
                             f"{(self.path / f'{name}.err').read_text()[-500:]}")

    def tracker(self, listen="127.0.0.1:0"):
        self.start("tracker", "ppsp-tracker", "--listen", listen)
        return re.fullmatch(r"ppsp-tracker listening on (http://\S+)", self.lines("tracker", 1, 20)[0])[1]

    def broadcast(self, tracker, *arguments):
        self.start("source", "ppsp-broadcast", "--tracker", tracker, "--listen", "127.0.0.1:0",
                   "--stats-json", self.path / "source.json",
                   "--dump-cut", self.path / "cut.ts", *arguments)
        link, udp = self.lines("source", 2, 60)
        assert re.fullmatch(r"ppsp://127\.0\.0\.1:\d+/0d[0-9a-f]{128}(\?\S+)?", link), link
        assert re.fullmatch(r"udp=127\.0\.0\.1:\d+", udp), udp
        return link

    def viewer(self, name, link, *arguments):
        return self.start(name, "ppsp-peer", link, "--listen", "127.0.0.1:0",
                          "--output", self.path / f"{name}.ts",
                          "--stats-json", self.path / f"{name}.json", *arguments)

    def output(self, name):
        path = self.path / f"{name}.ts"
        return path.read_bytes() if path.exists() else b""

    def cut(self):
        """What the source has cut so far."""
        return (self.path / "cut.ts").read_bytes()

    def wait_for_output(self, name, size, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            path = self.path / f"{name}.ts"
            if path.exists() and path.stat().st_size >= size:
                return
            time.sleep(0.1)
        raise AssertionError(f"{name} put out less than {size} bytes in {seconds} s")

    def figures(self, name):
        """The newest line of a program's statistics."""
        for line in reversed((self.path / f"{name}.json").read_text().splitlines()):
            try:
                return json.loads(line)
            except ValueError:
                continue
        raise AssertionError(f"{name} wrote no statistics")

    def stop(self, name, seconds=5):
        process = self.processes[name]
        process.send_signal(signal.SIGTERM)
        return process.wait(seconds)

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()


def check_is_part_of(cut, output, size_min):
    """The output is a piece of what the source cut, byte for byte. The cut file may end earlier
    where it was read before the output."""
    assert len(output) >= size_min, len(output)
    at = cut.find(output[:PACKET * 40])
    assert at >= 0, "the output does not begin with anything the source cut"
    overlap = min(len(cut) - at, len(output))
    assert overlap >= size_min, overlap
    assert cut[at:at + overlap] == output[:overlap], "the output differs from what the source cut"


def check_starts_at_key_frame(stream):
    """PAT first, then PMT, then a random access point on some PID, and sync bytes throughout."""
    packets = [stream[i:i + PACKET] for i in range(0, min(len(stream), PACKET * 200), PACKET)]
    assert all(packet[0] == 0x47 for packet in packets)
    pid = [(packet[1] & 0x1F) << 8 | packet[2] for packet in packets]
    assert pid[0] == 0, f"first packet has PID {pid[0]}"
    first_random = next(i for i, packet in enumerate(packets)
                        if packet[3] & 0x20 and packet[4] > 0 and packet[5] & 0x40)
    assert first_random <= 24, first_random
