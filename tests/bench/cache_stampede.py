#!/usr/bin/env python3
"""Viewers in one process, over real sockets, lose all peers at once: how much they take from a real cache, beside what is missing.

usage: tests/bench/cache_stampede.py --bin DIR [--viewers N] [--video-kbps N] [--relays N] [--seconds N]

The source speaks IPv6 only and the viewers IPv4: between them are relays, which are killed, and a cache. Viewers upload nothing, so all
that they miss is missing for each of them."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
import urllib.parse


class Viewers:
    """The process with all viewers."""

    def __init__(self, swarm, folder, links):
        with open(swarm.path / "viewers.err", "wb") as err:
            self.process = subprocess.Popen([folder / "bench_many_viewers", swarm.path / "viewer.ts"], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=err, text=True)
        swarm.processes["viewers"] = self.process
        for link in links:
            self.say(f"open {link}")
            time.sleep(0.02)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def figures(self):
        self.say("figures")
        lines = []
        while line := self.process.stdout.readline().strip():
            lines.append(json.loads(line))
        return lines


def total(figures, *names):
    return sum(one[name] for one in figures for name in names)


def run(options):
    from cache_test import Cache
    from processes import Swarm, check_is_part_of

    with Swarm() as swarm:
        cache = Cache(swarm, "cache", "--public-read", "--max-connections", 8 * options.viewers)
        (swarm.path / "writer").write_text(cache.token("write") + "\n")
        swarm.start("source", "ppsp-broadcast", "--listen", "[::1]:0", "--input", "testsrc:", "--video-kbps", options.video_kbps,
                    "--dump-cut", swarm.path / "cut.ts", "--cache", cache.url, "--cache-token", swarm.path / "writer")
        link, udp = swarm.lines("source", 2, 60)
        link = link.split("?")[0]
        relays = []
        for number in range(options.relays):
            swarm.start(f"relay{number}", "ppsp-peer", f"{link}?peer={urllib.parse.quote(udp.removeprefix('udp='))}", "--listen", "[::]:0")
        for number in range(options.relays):
            line = swarm.lines(f"relay{number}", 1, 30)[0]
            relays.append(f"127.0.0.1:{line.rsplit(':', 1)[1]}")
        time.sleep(3)
        viewers = Viewers(swarm, options.bin, [f"{link}?peer={relays[number % len(relays)]}&cache={cache.url}"
                                               for number in range(options.viewers)])
        end = time.monotonic() + 60
        while time.monotonic() < end:  # all play, and from peers
            time.sleep(3)
            before = viewers.figures()
            time.sleep(3)
            after = viewers.figures()
            media = total(after, "media_bytes") - total(before, "media_bytes")
            peers = total(after, "from_peers_bytes") - total(before, "from_peers_bytes")
            if all(one["startup_ms"] is not None for one in after) and peers > 0.97 * media:
                break
        else:
            raise AssertionError("the viewers do not live from peers")
        print(f"{options.viewers} viewers play, {peers / media:.1%} from peers, start-up p95 "
              f"{statistics.quantiles([one['startup_ms'] for one in after], n=20)[18]:.0f} ms", flush=True)
        stalls, stall_ms = total(after, "stalls"), total(after, "stall_ms")

        before, served, cut = viewers.figures(), cache.metric("wire_bytes_out"), len(swarm.cut())
        for number in range(options.relays):
            swarm.processes[f"relay{number}"].kill()
        seconds, last = [], served
        began = time.monotonic()
        for number in range(options.seconds):
            time.sleep(max(0, began + number + 1 - time.monotonic()))
            sent = cache.metric("wire_bytes_out")
            seconds.append(sent - last)
            last = sent
        passed = time.monotonic() - began
        rate = (len(swarm.cut()) - cut) / passed
        served = cache.metric("wire_bytes_out") - served
        after = viewers.figures()
        brought = total(after, "from_cache_bytes") - total(before, "from_cache_bytes")
        peers = total(after, "from_peers_bytes", "from_source_bytes") - total(before, "from_peers_bytes", "from_source_bytes")
        missing = options.viewers * rate * passed - peers
        viewers.process.stdin.close()
        viewers.process.wait(20)
        viewers.process.stdout.close()
        check_is_part_of(swarm.cut(), swarm.output("viewer"), int(rate * options.seconds / 2))
        lost = [two for one, two in zip(before, after) if two["continuity"] < min(0.999, one["continuity"])]
        print(f"in {passed:.0f} s without peers: cut {rate * 8 / 1000:.0f} kbit/s, missing {missing / 1e6:.1f} MB, "
              f"the cache sent {served / 1e6:.1f} MB = {served / missing:.3f} of it, {served / brought:.3f} of what viewers lacked and got")
        print("by the second, over the stream's rate: "
              + " ".join(f"{one / (rate * options.viewers):.2f}" for one in seconds))
        print(f"stalls {total(after, 'stalls') - stalls} ({total(after, 'stall_ms') - stall_ms:.0f} ms in all) of {options.viewers} viewers, "
              f"{len(lost)} fell below 99.9 % continuity; the first viewer's bytes are as cut")
        return served / missing


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--video-kbps", type=int, default=300)
    parser.add_argument("--relays", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20, help="without peers")
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    os.environ["PPSP_BIN"] = str(options.bin)
    os.environ.setdefault("PPSP_LOG_LEVEL", "error")
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
    run(options)


if __name__ == "__main__":
    main()
