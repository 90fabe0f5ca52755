#!/usr/bin/env python3
"""Prints the last statistics of everybody who took part in hello-swarm as one table."""

import json
import pathlib
import sys


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


def main():
    folder = pathlib.Path(sys.argv[1])
    names = ["source"] + [f"viewer{i}" for i in range(1, int(sys.argv[2]) + 1)] + ["player"]
    head = ["", "start-up ms", "latency p50/p95 ms", "continuity", "stalls", "media MB",
            "from source", "from peers", "uploaded", "neighbours"]
    rows = [head]
    source = peers = 0
    for name in names:
        figures = last_line(folder / f"{name}.json")
        if figures is None:
            continue
        latency = figures.get("live_latency_ms") or {}
        startup = figures.get("startup_ms")
        viewer = name != "source"
        if viewer:
            source += figures["from_source_bytes"]
            peers += figures["from_peers_bytes"]
        rows.append([
            name,
            "-" if startup is None else f"{startup:.0f}",
            f"{latency.get('p50', 0):.0f}/{latency.get('p95', 0):.0f}" if viewer else "-",
            f"{100 * figures['continuity']:.2f} %" if viewer else "-",
            str(figures["stalls"]) if viewer else "-",
            megabytes(figures["media_bytes"]),
            megabytes(figures["from_source_bytes"]) if viewer else "-",
            megabytes(figures["from_peers_bytes"]) if viewer else "-",
            megabytes(figures["upload_media_bytes"]),
            str(figures["neighbours"]),
        ])
    if len(rows) < 2:
        return 1
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        print("  ".join(cell.rjust(width) if i else cell.ljust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))))
    if source + peers > 0:
        print(f"{100 * peers / (source + peers):.0f} % of all media bytes came from other peers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
