#!/usr/bin/env python3
"""A channel that the tracker's allow-list refuses: one clear sentence and exit code 1, for the broadcaster and for a viewer; a
channel that is on the list is taken."""

from processes import Swarm

OTHER = "0d" + "ab" * 64


def end_of(swarm, name, program, *arguments):
    process = swarm.start(name, program, *arguments)
    status = process.wait(20)
    return status, (swarm.path / f"{name}.err").read_text()


def main():
    with Swarm() as swarm:
        allowed = swarm.path / "allowed.txt"
        allowed.write_text(OTHER + "\n")
        swarm.start("tracker", "ppsp-tracker", "--listen", "127.0.0.1:0", "--allow-list", allowed)
        tracker = swarm.lines("tracker", 1, 20)[0].rsplit(" ", 1)[1]
        host = tracker.removeprefix("http://")

        for name, program, arguments in (
                ("broadcast", "ppsp-broadcast", ("--tracker", tracker, "--input", "testsrc:", "--listen", "127.0.0.1:0")),
                ("viewer", "ppsp-peer", (f"ppsp://{host}/0d" + "cd" * 64, "--listen", "127.0.0.1:0"))):
            status, said = end_of(swarm, name, program, *arguments)
            assert status == 1, (name, status)
            assert said.count("allow-list") == 1, said

        status, said = end_of(swarm, "waiting", "ppsp-peer", f"ppsp://{host}/{OTHER}", "--listen", "127.0.0.1:0",
                              "--join-timeout", "2")
        assert status == 1 and "allow-list" not in said, said
        assert "waiting" in said.lower(), said


if __name__ == "__main__":
    main()
