#!/usr/bin/env python3
"""Prints the last statistics of everybody who took part in hello-swarm as one table."""

import json
import pathlib
import sys

PLACES = {"peers": "other peers", "source": "the source", "cache": "the cache", "cdn": "the CDN"}


def last_line(path):
    """The newest whole line of a statistics file; None if there is none."""
    if not path.exists():
        return None
    for line in reversed(path.read_text().splitlines()):
        try:
            return json.loads(line)
        except ValueError:
            continue  # a program that was killed may leave half a line
    return None


def megabytes(count):
    return f"{(count or 0) / 1e6:.1f}"


def row_of(name, figures):
    viewer = name != "source"
    latency = figures.get("live_latency_ms") or {}
    startup = figures.get("startup_ms")
    return [
        name,
        "-" if startup is None else f"{startup:.0f}",
        f"{latency.get('p50', 0):.0f}/{latency.get('p95', 0):.0f}" if viewer else "-",
        f"{100 * figures['continuity']:.2f} %" if viewer else "-",
        str(figures["stalls"]) if viewer else "-",
        megabytes(figures["media_bytes"]),
        *(megabytes(figures[f"from_{place}_bytes"]) if viewer else "-"
          for place in ("source", "peers", "cache", "cdn")),
        megabytes(figures["upload_media_bytes"]),
        str(figures["neighbours"]),
    ]


def main():
    folder, viewers = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    names = ["source"]
    for i in range(1, viewers + 1):
        names += [f"viewer{i}", f"viewer{i}-again"]
    names.append("player")
    everybody = {name: last_line(folder / f"{name}.json") for name in names}
    everybody = {name: figures for name, figures in everybody.items() if figures is not None}
    if not everybody:
        return 1
    head = ["", "start-up ms", "latency p50/p95 ms", "continuity", "stalls", "media MB",
            "from source", "from peers", "from cache", "from CDN", "uploaded", "neighbours"]
    rows = [head] + [row_of(name, figures) for name, figures in everybody.items()]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        print("  ".join(cell.rjust(width) if i else cell.ljust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))))
    everybody.pop("source", None)
    came = {place: sum(figures[f"from_{place}_bytes"] for figures in everybody.values())
            for place in PLACES}
    if sum(came.values()) > 0:
        print("media bytes of all viewers: " + ", ".join(
            f"{100 * count / sum(came.values()):.0f} % from {PLACES[place]}"
            for place, count in came.items()))
    for name, figures in everybody.items():
        if figures["last_rescue_cause"]:
            print(f"last rescue of {name}: {figures['last_rescue_cause']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
