#!/usr/bin/env python3
"""Real processes on loopback: a late joiner, a killed viewer, a tracker that goes away and comes
back; every viewer gets exactly what the source cut. PPSP_E2E_OUTAGE_S changes how long it is away (8 s)."""

import json
import os
import time
import urllib.request

from processes import Swarm, check_is_part_of, check_starts_at_key_frame


def wait_until_full(tracker, peers, seconds):
    """A tracker that came back is filled again by those who are there."""
    end = time.monotonic() + seconds
    known = 0
    while time.monotonic() < end:
        with urllib.request.urlopen(f"{tracker}/status", timeout=5) as answer:
            known = json.load(answer)["peers"]
        if known >= peers:
            print(f"the tracker knew {known} peers after {seconds - (end - time.monotonic()):.1f} s")
            return
        time.sleep(0.2)
    raise AssertionError(f"only {known} of {peers} peers came back within {seconds} s")


def main():
    with Swarm() as swarm:
        tracker = swarm.tracker()
        port = tracker.rsplit(":", 1)[1]
        link = swarm.broadcast(tracker, "--input", "testsrc:", "--video-kbps", "1000",
                               "--upload-kbps", "2800")
        for name in ("a", "b", "c", "d"):
            swarm.viewer(name, link)
            time.sleep(0.3)
        for name in ("a", "b", "c", "d"):
            swarm.wait_for_output(name, 300_000, 20)

        swarm.kill("a")
        swarm.kill("tracker")
        time.sleep(int(os.environ.get("PPSP_E2E_OUTAGE_S", "8")))
        swarm.start("tracker", "ppsp-tracker", "--listen", f"127.0.0.1:{port}")
        swarm.lines("tracker", 1, 10)
        wait_until_full(tracker, 4, 25)
        swarm.viewer("late", link)
        swarm.wait_for_output("late", 300_000, 40)
        time.sleep(5)

        reference = swarm.output("b")
        for name in ("b", "c", "d", "late"):
            output = swarm.output(name)
            check_is_part_of(swarm.cut(), output, 250_000)
            check_starts_at_key_frame(output)
        assert len(swarm.output("late")) < len(reference) * 3 // 4, "the late joiner got old stream"

        from_peers = from_source = 0
        for name in ("b", "c", "d"):
            figures = swarm.figures(name)
            assert figures["stalls"] == 0, (name, figures)
            assert figures["live_latency_ms"]["p95"] <= 3000, (name, figures)
            assert figures["startup_ms"] is not None, name
            assert figures["bad_chunks"] == 0 and figures["banned_peers"] == 0, (name, figures)
            from_peers += figures["from_peers_bytes"]
            from_source += figures["from_source_bytes"]
        assert from_peers > 0, "nobody got anything from a peer"
        for name in ("b", "c", "d", "late", "source", "tracker"):
            assert swarm.stop(name) == 0, name
        for name in ("b", "late", "source"):
            assert swarm.figures(name).get("final") is True, name
        print(f"from peers {from_peers}, from source {from_source}")


if __name__ == "__main__":
    main()
