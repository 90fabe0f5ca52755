#!/usr/bin/env python3
"""A minute of real footage through a swarm on loopback, and the figures of it.

usage: tests/bench/live_swarm.py [--bin DIR] [--video FILE] [--seconds N] [--viewers N] [--streams X]

The source uploads X streams (2), the viewers (6) pass the rest on to each other. Prints start-up, live
latency, continuity and the share of media bytes from peers, and compares every
viewer's bytes with what the source cut. With
--glass-to-glass one more viewer is a player that reads a clock drawn into the picture."""

import argparse
import os
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=str(ROOT / "build" / "release" / "bin"))
    parser.add_argument("--video", default=str(ROOT.parent / "shared" / "media" / "bbb-480p-30s.mp4"))
    parser.add_argument("--seconds", type=int, default=65)
    parser.add_argument("--viewers", type=int, default=6)
    parser.add_argument("--streams", type=float, default=2.0)
    parser.add_argument("--video-kbps", type=int, default=3800)
    parser.add_argument("--glass-to-glass", action="store_true")
    return parser.parse_args()


def main():
    options = parse()
    os.environ["PPSP_BIN"] = options.bin
    from processes import Swarm, check_is_part_of, check_starts_at_key_frame

    video = options.video if pathlib.Path(options.video).exists() else "testsrc:"
    source = ["--input", video, "--encode", "--video-kbps", options.video_kbps]
    source += ["--loop"] if video != "testsrc:" else []
    source += ["--stamp-clock"] if options.glass_to_glass else []
    upload = int((options.video_kbps + 250) * 1.15 * options.streams)
    with Swarm() as swarm:
        link = swarm.broadcast(swarm.tracker(), *source, "--upload-kbps", upload)
        names = [f"viewer{i}" for i in range(1, options.viewers + 1)]
        for name in names:
            swarm.viewer(name, link)
            time.sleep(0.4)
        if options.glass_to_glass:
            # The player is told of one viewer only, so that the picture comes over a relay.
            swarm_id = link.rsplit("/", 1)[1]
            relay = swarm.lines(names[0], 1, 20)[0].rsplit("udp=", 1)[1]
            swarm.start("player", "ppsp-play", f"ppsp:///{swarm_id}?peer={relay}", "--headless", "--latency-ms", "800",
                        "--measure-clock", "--stats-json", swarm.path / "player.json")
        time.sleep(options.seconds)
        figures = {name: swarm.figures(name) for name in names}
        player = swarm.figures("player") if options.glass_to_glass else {}
        for name in names:
            output = swarm.output(name)
            check_starts_at_key_frame(output)
            check_is_part_of(swarm.cut(), output, len(output))

    from_peers = sum(f["from_peers_bytes"] for f in figures.values())
    from_source = sum(f["from_source_bytes"] for f in figures.values())
    media = sum(f["media_bytes"] for f in figures.values())
    print(f"viewers                     {options.viewers}, source upload {upload} kbit/s")
    print(f"output                      {media / 1e6:.1f} MB, every byte as the source cut it")
    print(f"share from peers            {100 * from_peers / (from_peers + from_source):.1f} %")
    print(f"start-up p50 / max          {statistics.median(f['startup_ms'] for f in figures.values()):.0f}"
          f" / {max(f['startup_ms'] for f in figures.values()):.0f} ms")
    print(f"live latency p95, worst     {max(f['live_latency_ms']['p95'] for f in figures.values()):.0f} ms")
    print(f"continuity, worst           {100 * min(f['continuity'] for f in figures.values()):.3f} %")
    print(f"stalls, all                 {sum(f['stalls'] for f in figures.values())}")
    print(f"duplicates                  {100 * sum(f['duplicate_bytes'] for f in figures.values()) / media:.2f} %")
    print(f"viewer CPU, mean            "
          f"{100 * statistics.mean(f['cpu_seconds'] / f['uptime_s'] for f in figures.values()):.2f} % of a core")
    print(f"viewer memory, max          {max(f['rss_bytes'] for f in figures.values()) / 1e6:.0f} MB")
    if player:
        print(f"glass to glass              {player.get('glass_to_glass_ms')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
