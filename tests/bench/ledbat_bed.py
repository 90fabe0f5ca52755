#!/usr/bin/env python3
"""LEDBAT in real queues: ledbat_flow, cubic and libtorrent's uTP between two network namespaces.

Each case makes its own pair of namespaces with namespace_link in between (rate, tail-drop queue,
delay, loss) and removes them whatever happens. With --shaper tbf rate and queue are the kernel's
token bucket filter, in front of namespace_link, which then only delays and loses; its queue is read
ten times a second. Prints one JSON object per case and run; figures
have the names of ledbat_model's. Without the right to make namespaces it says so and runs
ledbat_model instead.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

RATE = 20e6
TARGET_MS = 25.0
TCP_SENDER = """
import socket, sys, time
s = socket.socket(); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
deadline = time.monotonic() + 5
while s.connect_ex((sys.argv[1], int(sys.argv[2]))) and time.monotonic() < deadline: time.sleep(0.1)
end = time.monotonic() + float(sys.argv[3])
while time.monotonic() < end: s.send(bytes(65536))
"""
TCP_RECEIVER = """
import socket, sys
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind((sys.argv[1], int(sys.argv[2]))); l.listen(1)
c, _ = l.accept()
while c.recv(1 << 20): pass
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Bed:
    """Two namespaces and the link between them; flows start in them."""

    count = 0
    lock = threading.Lock()

    def __init__(self, options, **link):
        self.options = options
        with Bed.lock:
            Bed.count += 1
            self.name = f"ppsp{os.getpid()}x{Bed.count}"
        self.link = {"rate": RATE, "queue_ms": 200, "there": 25, "back": 25, "loss": 0, "rates": []}
        self.link.update(link)
        self.children = []
        self.log = []

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def make(self):
        ends = [f"{self.name}a", f"{self.name}b"]
        for end in ends:
            ip("netns", "add", end)
        queue = int(self.link["rate"] / 8e3 * self.link["queue_ms"])
        by_kernel = self.options.shaper == "tbf"
        words = [self.options.bin / "namespace_link", "--from", ends[0], "--to", ends[1],
                 "--rate", 1e10 if by_kernel else self.link["rate"],
                 "--queue", 100_000_000 if by_kernel else queue, "--there", self.link["there"],
                 "--back", self.link["back"], "--loss", self.link["loss"]]
        for at, rate in [] if by_kernel else self.link["rates"]:
            words += ["--rate-at", f"{at}:{rate}"]
        self.emulator = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE,
                                         text=True)
        self.children.append(self.emulator)
        if self.emulator.stdout.readline().strip() != "ready":
            raise RuntimeError("namespace_link did not start")
        for number, end in enumerate(ends, 1):
            ip("-n", end, "addr", "add", f"10.77.0.{number}/24", "dev", "lk0")
            ip("-n", end, "link", "set", "lk0", "mtu", "1500", "txqueuelen", "10000", "up")
            ip("-n", end, "link", "set", "lo", "up")
        self.tbf_rate = self.link["rate"]
        self.tbf_queues = []
        if by_kernel:
            self.tbf("add", queue)
        self.started = time.monotonic()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        if by_kernel:
            self.is_watching = True
            self.watcher = threading.Thread(target=self.watch, args=(queue,))
            self.watcher.start()

    def tbf(self, verb, queue):
        subprocess.run(["tc", "-n", f"{self.name}a", "qdisc", verb, "dev", "lk0", "root", "tbf",
                        "rate", f"{int(self.tbf_rate)}bit", "burst", "3200", "limit", str(queue)],
                       check=True, capture_output=True, text=True)

    def watch(self, queue):
        """What waits in the kernel, in milliseconds of its rate; its rate changes by the clock."""
        rates = sorted(self.link["rates"])
        while self.is_watching:
            now = time.monotonic() - self.started
            if rates and now >= rates[0][0]:
                self.tbf_rate = rates.pop(0)[1]
                self.tbf("change", queue)
            shown = subprocess.run(["tc", "-n", f"{self.name}a", "-s", "-j", "qdisc", "show", "dev",
                                    "lk0"], capture_output=True, text=True)
            if shown.returncode == 0:
                backlog = json.loads(shown.stdout)[0].get("backlog", 0)
                self.tbf_queues.append((now, backlog * 8e3 / self.tbf_rate))
            time.sleep(0.1)

    def read(self):
        for line in self.emulator.stdout:
            row = json.loads(line)
            if self.options.shaper == "tbf":
                row["queue_ms"] = self.tbf_queues[-1][1] if self.tbf_queues else 0.0
            self.log.append(row)

    def remove(self):
        if hasattr(self, "watcher"):
            self.is_watching = False
            self.watcher.join()
        for child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
        if hasattr(self, "reader"):
            self.reader.join()
        for end in "ab":
            subprocess.run(["ip", "netns", "del", self.name + end], capture_output=True)

    def start(self, end, *words):
        self.children.append(subprocess.Popen(
            ["ip", "netns", "exec", self.name + end, *(str(word) for word in words)],
            stdout=sys.stderr if self.options.verbose else subprocess.DEVNULL))

    def until(self, seconds):
        time.sleep(max(0, self.started + seconds - time.monotonic()))

    # flows: each has the port by which the link counts its bytes
    def ours(self, port, *more, receiver=()):
        program = self.options.bin / "ledbat_flow"
        self.start("b", program, "receive", "--listen", f"10.77.0.2:{port}", *receiver)
        time.sleep(0.05)
        self.start("a", program, "send", "--to", f"10.77.0.2:{port}", "--target", int(TARGET_MS),
                   "--algorithm", self.options.algorithm,
                   "--forgive-link-loss", self.options.forgive,
                   "--fills-after", self.options.fills_after, *more)

    def utp(self, port, *_, **__):
        program = self.options.bin / "utp_pair"
        size = ["--bytes", 400_000_000, "--target", self.options.utp_target]
        self.start("a", program, "seed", "--listen", f"10.77.0.1:{port}", *size)
        self.start("b", program, "leech", "--listen", f"10.77.0.2:{port}",
                   "--from", f"10.77.0.1:{port}", *size)

    def flow(self, port, *more, **keys):
        (self.utp if self.options.flow == "utp" else self.ours)(port, *more, **keys)

    def cubic(self, port):
        self.start("b", sys.executable, "-c", TCP_RECEIVER, "10.77.0.2", port)
        time.sleep(0.2)
        self.start("a", sys.executable, "-c", TCP_SENDER, "10.77.0.2", port, 600)

    def window(self, begin, end, ports):
        rows = [row for row in self.log if begin < row["t"] <= end]
        packets = sum(row["packets"] for row in rows)
        mbps = [sum(row["bytes"].get(str(port), 0) for row in rows) * 8e-6 / (end - begin)
                for port in ports]
        total = sum(mbps)
        squares = sum(rate * rate for rate in mbps)
        return {"mbps": mbps, "link_share": total * 1e6 / self.link["rate"],
                "queue_ms": sum(row["queue_ms"] * row["packets"] for row in rows) / max(packets, 1),
                "jain": total * total / (len(mbps) * squares) if squares else 0.0}


def target_of(options):
    return options.utp_target if options.flow == "utp" else TARGET_MS


def alone(options, begin=10, end=40, more=(), receiver=(), **link):
    with Bed(options, **link) as bed:
        bed.flow(7001, *more, receiver=receiver)
        bed.until(end + 0.3)
        found = bed.window(begin, end, [7001])
    return {"link_share": found["link_share"], "mbps": found["mbps"][0],
            "queue_ms": found["queue_ms"], "queue_per_target": found["queue_ms"] / target_of(options)}


def against_cubic(options, queue_ms, we_first):
    def run(with_us):
        with Bed(options, queue_ms=queue_ms) as bed:
            if with_us and we_first:
                bed.flow(7001)
            if we_first:
                bed.until(10)
            bed.cubic(7002)
            if with_us and not we_first:
                bed.until(10)
                bed.flow(7001)
            bed.until(60.3)
            return bed.window(20, 60, [7002, 7001])
    solo, both = run(False), run(True)
    return {"cubic_share": both["mbps"][0] / solo["mbps"][0], "cubic_alone_mbps": solo["mbps"][0],
            "ours_mbps": both["mbps"][1], "queue_ms": both["queue_ms"]}


def late_comers(options, flows, gap, settle=20, measured=40, **link):
    begin = (flows - 1) * gap + settle
    ports = [7001 + number for number in range(flows)]
    with Bed(options, **link) as bed:
        for number, port in enumerate(ports):
            bed.until(number * gap)
            bed.flow(port)
        bed.until(begin + measured + 0.3)
        found = bed.window(begin, begin + measured, ports)
    figures = {"jain": found["jain"], "link_share": found["link_share"],
               "queue_ms": found["queue_ms"],
               "queue_per_target": found["queue_ms"] / target_of(options)}
    figures.update({f"mbps_{number}": rate for number, rate in enumerate(found["mbps"])})
    return figures


def step_down(options):
    limit = 1.5 * target_of(options)
    with Bed(options, rates=[(20, 5e6), (45, 20e6)]) as bed:
        bed.flow(7001)
        bed.until(60.3)
        log = bed.log
        after = [row for row in log if 20.1 < row["t"] <= 45]
        crest = next((i for i, row in enumerate(after) if row["queue_ms"] >= limit), 0)
        calm = next((row["t"] for row in after[crest:] if row["queue_ms"] < limit), 45)
        again = next((second for second in range(45, 60)
                      if bed.window(second, second + 1, [7001])["mbps"][0] >= 0.95 * 20), 60)
    return {"calm_after_s": calm - 20, "queue_max_ms": max(row["queue_ms"] for row in after),
            "full_again_after_s": again - 45}


def idle_restart(options):
    with Bed(options) as bed:
        bed.flow(7001, "--silent", "15:30")
        bed.until(40.3)
        start = next((row["t"] - 0.1 for row in bed.log
                      if row["t"] > 25 and row["bytes"].get("7001", 0) > 10_000), 30)
        return {"first_second_share": bed.window(start, start + 1, [7001])["link_share"],
                "second_second_share": bed.window(start + 1, start + 2, [7001])["link_share"],
                "queue_max_ms": max((row["queue_ms"] for row in bed.log
                                     if start < row["t"] <= start + 1), default=0)}


def key_frames(options):
    with Bed(options) as bed:
        bed.flow(7001, "--live", "yes")
        bed.until(30.3)
        found = bed.window(10, 30, [7001])
        offered = (39 * 35 + 120) * 1073 * 8 / 2 / 1e6
        return {"carried_share": found["mbps"][0] / offered, "queue_ms": found["queue_ms"],
                "queue_max_ms": max(row["queue_ms"] for row in bed.log if row["t"] > 10)}


def skewed(ppm):
    return lambda options: alone(options, 150, 180, receiver=("--skew", ppm))


CASES = {
    "alone": lambda options: alone(options),
    "alone-small-queue": lambda options: alone(options, queue_ms=target_of(options) / 2),
    "alone-rtt-20": lambda options: alone(options, there=10, back=10),
    "alone-rtt-100": lambda options: alone(options, there=50, back=50),
    "alone-50-mbit-rtt-100": lambda options: alone(options, rate=50e6, there=50, back=50),
    "random-loss": lambda options: alone(options, queue_ms=100, loss=0.01),
    "before-cubic": lambda options: against_cubic(options, 200, True),
    "after-cubic": lambda options: against_cubic(options, 200, False),
    "before-cubic-50-ms": lambda options: against_cubic(options, 50, True),
    "after-cubic-50-ms": lambda options: against_cubic(options, 50, False),
    "two-late": lambda options: late_comers(options, 2, 20),
    "four-late": lambda options: late_comers(options, 4, 20),
    "four-late-400-ms": lambda options: late_comers(options, 4, 20, queue_ms=400),
    "eight-late": lambda options: late_comers(options, 8, 10),
    "two-together": lambda options: late_comers(options, 2, 0),
    "step-down": step_down,
    "idle-restart": idle_restart,
    "key-frames": key_frames,
    "fast-clock": skewed(100),
    "slow-clock": skewed(-100),
}
OURS_ONLY = ("idle-restart", "key-frames", "fast-clock", "slow-clock")


def namespaces_work():
    name = f"ppsp{os.getpid()}try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode != 0:
        return made.stderr.strip() or "ip netns add failed"
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return None if os.access("/dev/net/tun", os.R_OK | os.W_OK) else "/dev/net/tun is not there"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda text: pathlib.Path(text).resolve(),
                        default=pathlib.Path("build/dev/bin"), help="folder of the programs")
    parser.add_argument("--case", action="append", choices=sorted(CASES), help="repeatable; all")
    parser.add_argument("--verbose", action="store_true", help="what the flows print, on stderr")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--parallel", type=int, default=1, help="cases at a time")
    parser.add_argument("--flow", choices=("ours", "utp"), default="ours")
    parser.add_argument("--utp-target", type=int, default=100, help="ms")
    parser.add_argument("--algorithm", choices=("fair", "rfc6817"), default="fair")
    parser.add_argument("--fills-after", type=int, default=12,
                        help="s that a flow fills its window before it shares it fairly: 12 as in live swarms, 4 as recordings")
    parser.add_argument("--shaper", choices=("link", "tbf"), default="link",
                        help="what makes rate and queue: namespace_link or the kernel's tbf")
    parser.add_argument("--forgive", choices=("yes", "no"), default="no",
                        help="whether losses with a short queue count as the link's")
    options = parser.parse_args()
    refused = namespaces_work()
    if refused:
        print(f"ledbat_bed: no network namespaces here ({refused}); the model runs instead",
              file=sys.stderr)
        return subprocess.run([options.bin / "ledbat_model", "--algorithm", options.algorithm,
                               "--forgive-link-loss", options.forgive,
                               "--fills-after", str(options.fills_after),
                               "--seeds", str(options.runs)]).returncode

    def one(job):
        name, run = job
        return {"case": name, "run": run, "flow": options.flow, **CASES[name](options)}

    names = options.case or [name for name in CASES
                             if options.flow == "ours" or name not in OURS_ONLY]
    jobs = [(name, run) for name in names for run in range(1, options.runs + 1)]
    with concurrent.futures.ThreadPoolExecutor(options.parallel) as pool:
        for result in pool.map(one, jobs):
            print(json.dumps({key: round(value, 3) if isinstance(value, float) else value
                              for key, value in result.items()}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
