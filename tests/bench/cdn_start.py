#!/usr/bin/env python3
"""Start-up and latency of viewers that have nothing but a web server (nginx on loopback), one after the other."""

import argparse
import os
import pathlib
import statistics
import sys
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--viewers", type=int, default=20, help="how many start (default 20)")
    parser.add_argument("--video-kbps", type=int, default=1200)
    arguments = parser.parse_args()
    os.environ["PPSP_BIN"] = str(arguments.bin.resolve())
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
    from processes import Swarm, check_is_part_of
    from publish_test import start_nginx

    starts, latencies, stalls = [], [], 0
    with Swarm() as swarm:
        static, _ = start_nginx(swarm)
        link = swarm.broadcast(swarm.tracker(), "--input", "testsrc:", "--video-kbps", arguments.video_kbps,
                               "--cdn-dir", swarm.path / "cdn")
        time.sleep(5)
        for number in range(arguments.viewers):
            name = f"viewer{number}"
            swarm.viewer(name, f"{link}?cdn=http://{static}", "--no-peers")
            swarm.wait_for_output(name, arguments.video_kbps * 125 * 3, 30)
            time.sleep(1 + number % 7 / 7)
            assert swarm.stop(name) == 0
            figures = swarm.figures(name)
            check_is_part_of(swarm.cut(), swarm.output(name), arguments.video_kbps * 100)
            starts.append(figures["startup_ms"])
            latencies.append(figures["live_latency_ms"]["p95"])
            stalls += figures["stalls"]
            print(f"{name}: start-up {starts[-1]} ms, latency p95 {latencies[-1]} ms, {figures['stalls']} stalls", flush=True)
    cut = statistics.quantiles(starts, n=20)
    print(f"start-up p50 {statistics.median(starts):.0f} ms, p95 {cut[18]:.0f} ms, max {max(starts)} ms; "
          f"latency p95 {max(latencies)} ms at most; {stalls} stalls; every byte as cut")


if __name__ == "__main__":
    main()
