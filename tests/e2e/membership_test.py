#!/usr/bin/env python3
"""A tracker that certifies who is a member (RFC 7574 section 12.2.2): it makes its key once, and a
viewer shows the certificate that it got to its neighbours. A tracker without a key certifies nobody."""

import re
import stat
import subprocess
import time

from datagram_tap import DatagramTap
from processes import BIN, Swarm, check_is_part_of


def messages(datagrams):
    """What ppsp-dump reads in them."""
    text = ""
    for at in range(0, len(datagrams), 200):
        hexes = [datagram.hex() for datagram in datagrams[at:at + 200]]
        text += subprocess.run([BIN / "ppsp-dump", *hexes], capture_output=True, text=True, check=True).stdout
    return text


def certificates_shown(*tracker_arguments):
    """How many certificates a viewer sends to the source, in a small swarm with such a tracker."""
    with Swarm() as swarm:
        swarm.start("tracker", "ppsp-tracker", "--listen", "127.0.0.1:0", *tracker_arguments)
        tracker = re.search(r"http://\S+", swarm.lines("tracker", 1, 20)[0])[0]
        link = swarm.broadcast(tracker, "--input", "testsrc:", "--video-kbps", "600")
        source = swarm.lines("source", 2, 5)[1].removeprefix("udp=")
        with DatagramTap(source) as tap:
            swarm.viewer("viewer", f"{link}{'&' if '?' in link else '?'}peer={tap.address}")
            swarm.wait_for_output("viewer", 300_000, 30)
            shown, end = 0, time.monotonic() + 3
            while not shown and time.monotonic() < end:
                time.sleep(0.5)
                # Long enough to hold one; datagrams of the stream go the other way.
                shown = messages([d for d in tap.sent if len(d) > 200]).count("PEX_REScert")
            assert tap.sent, "the viewer did not come by the address that the link names"
        check_is_part_of(swarm.cut(), swarm.output("viewer"), 250_000)
        assert swarm.figures("viewer")["stalls"] == 0
        return shown


def main():
    with Swarm() as files:
        key = files.path / "membership.pem"
        shown = certificates_shown("--membership-key", key)
        assert shown > 0, "no certificate was shown"
        made = key.read_bytes()
        assert b"PRIVATE KEY" in made and stat.S_IMODE(key.stat().st_mode) == 0o600, oct(key.stat().st_mode)
        files.start("again", "ppsp-tracker", "--listen", "127.0.0.1:0", "--membership-key", key)
        files.lines("again", 1, 20)
        assert key.read_bytes() == made, "another start made another key"
    assert certificates_shown() == 0, "a tracker without a key certified somebody"
    print(f"{shown} certificates were shown to the source")


if __name__ == "__main__":
    main()
