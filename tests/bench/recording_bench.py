#!/usr/bin/env python3
"""One recording from a seed to leechers over loopback, beside libtorrent's uTP with a file of the same size in the same round: MB/s and
CPU-seconds of both ends per GB, SHA-256 of every chunk checked; and beside the raw-socket floor, a bare loop that moves and hashes the same
datagrams. Prints a line a round and the medians of the rounds' ratios.

    tests/bench/recording_bench.py --bin build/release/bin --megabytes 500 --rounds 5
    tests/bench/recording_bench.py --bin build/release/bin --leechers 8
    tests/bench/recording_bench.py --bin build/release/bin --mtu 1500        # as root: in a network namespace of its own"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time


def cpu_of(process):
    """CPU-seconds of a process that is running, or has just ended and was not waited for."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def first_line(path, process):
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        text = path.read_text()
        if text.count("\n") >= 2:
            return text.splitlines()[0]
        time.sleep(0.02)
    sys.exit("the seed printed no link")


def run_ours(programs, content, folder, leechers):
    """Seconds to the last leecher's last byte, and CPU-seconds of the seed and of all leechers."""
    with open(folder / "seed.out", "w") as out:
        seed = subprocess.Popen([programs / "ppsp-peer", "--seed", content, "--listen", "127.0.0.1:0"], stdout=out, stderr=subprocess.DEVNULL)
    try:
        link = first_line(folder / "seed.out", seed)
        before = cpu_of(seed)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        peers = [subprocess.Popen([programs / "ppsp-peer", link, "--listen", "127.0.0.1:0", "--output", folder / f"copy{i}"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for i in range(leechers)]
        codes = [peer.wait(300) for peer in peers]
        seconds = time.monotonic() - began
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        if any(codes):
            sys.exit("a leecher failed")
        leecher_cpu = ended.ru_utime + ended.ru_stime - children.ru_utime - children.ru_stime
        seed_cpu = cpu_of(seed) - before
    finally:
        seed.terminate()
        seed.wait()
    for i in range(leechers):
        if subprocess.run(["cmp", "-s", content, folder / f"copy{i}"], check=False).returncode != 0:
            sys.exit("a copy differs")
        (folder / f"copy{i}").unlink()
    return seconds, seed_cpu, leecher_cpu


def run_utp(programs, size):
    done = subprocess.run([programs / "utp_pair", "both", "--bytes", str(size)], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        sys.exit(f"utp_pair: {done.stderr}")
    figures = json.loads(done.stdout)
    return figures["seconds"], figures["seeder_cpu_s"], figures["leecher_cpu_s"]


def run_floor(programs):
    """MB/s and CPU-seconds per GB of a bare loop that moves and hashes a recording's datagrams."""
    words = ["--rows", "transfer-bare", "--rounds", "1", "--seconds", "1", "--json"]
    done = subprocess.run([programs / "ppsp-bench", *words], capture_output=True, text=True, timeout=120, check=True)
    figures = json.loads(done.stdout)[0]["rounds"][0]
    return figures["bytes"] / figures["seconds"] / 1e6, figures["cpu_seconds"] * 1e9 / figures["bytes"]


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_utp_many(programs, size, leechers):
    """One uTP seed and several leechers, each at an address of its own, which know the seed only: libtorrent has no other way to learn of one another
    here. Seconds of the slowest from its start, CPU-seconds of the seed and of all leechers."""
    words = ["--bytes", str(size), "--seconds", "300"]
    at = f"127.0.0.1:{free_port()}"
    seed = subprocess.Popen([programs / "utp_pair", "seed", "--listen", at, *words], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(1 + size / 1e8)  # it writes and hashes its file
        leeches = [subprocess.Popen([programs / "utp_pair", "leech", "--listen", f"127.0.0.{number + 2}:{free_port()}", "--from", at, *words],
                                    stdout=subprocess.PIPE, text=True) for number in range(leechers)]
        figures = [json.loads(leech.communicate(timeout=400)[0]) for leech in leeches]
        if any(each["bytes"] < size for each in figures):
            sys.exit("utp_pair: a leecher did not get all")
        seed_figures = json.loads(seed.communicate(timeout=60)[0])
    finally:
        if seed.poll() is None:
            seed.terminate()
            seed.wait()
    return max(each["seconds"] for each in figures), seed_figures["cpu_s"], sum(each["cpu_s"] for each in figures)


def run_with_mtu(mtu, arguments):
    """The same in a network namespace whose loopback carries frames of that size; its exit status."""
    name = f"ppsp-bench-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode != 0:
        sys.exit(f"no network namespace, which --mtu needs: {made.stderr.strip()}")
    inside = ["ip", "netns", "exec", name]
    try:
        subprocess.run([*inside, "ip", "link", "set", "lo", "mtu", str(mtu), "up"], check=True)
        return subprocess.run([*inside, sys.executable, __file__, *arguments]).returncode
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--megabytes", type=int, default=500, help="size of the recording, 10^6 bytes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--leechers", type=int, default=1)
    parser.add_argument("--mtu", type=int, choices=range(1280, 65537), metavar="1280...65536",
                        help="of the loopback, in a network namespace that is made and removed; Debian's loopback has 65536")
    options = parser.parse_args()
    if options.mtu:
        same = ["--bin", str(options.bin), "--megabytes", str(options.megabytes), "--rounds", str(options.rounds),
                "--leechers", str(options.leechers)]
        sys.exit(run_with_mtu(options.mtu, same))
    size = options.megabytes * 1_000_000
    has_floor = (options.bin / "ppsp-bench").exists()
    has_utp = (options.bin / "utp_pair").exists()
    if not has_utp:
        print("without libtorrent beside it (build the target utp_pair)")
    memory = pathlib.Path("/dev/shm")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ppsp-bench-", dir=memory if memory.is_dir() else None))
    ratios = {"rate": [], "cpu": [], "floor": []}
    try:
        content = folder / "content"
        with open(content, "wb") as file:
            for _ in range(options.megabytes):
                file.write(os.urandom(1_000_000))
        for number in range(options.rounds):
            seconds, seed, leech = run_ours(options.bin, content, folder, options.leechers)
            moved = size * options.leechers
            line = f"round {number + 1}: {moved / seconds / 1e6:6.1f} MB/s, CPU-s/GB {seed * 1e9 / moved:5.2f} + {leech * 1e9 / moved:5.2f}"
            if has_floor:
                floor_rate, floor_cpu = run_floor(options.bin)
                ratios["floor"].append((seed + leech) * 1e9 / moved / floor_cpu)
                line += f" | floor {floor_rate:6.1f} MB/s, {floor_cpu:5.2f}: CPU x {ratios['floor'][-1]:.2f}"
            if has_utp:
                u_seconds, u_seed, u_leech = (run_utp(options.bin, size) if options.leechers == 1
                                              else run_utp_many(options.bin, size, options.leechers))
                line += f" | uTP {moved / u_seconds / 1e6:6.1f} MB/s, {u_seed * 1e9 / moved:5.2f} + {u_leech * 1e9 / moved:5.2f}"
                ratios["rate"].append(u_seconds / seconds)
                ratios["cpu"].append((seed + leech) / (u_seed + u_leech))
                line += f" | rate x {ratios['rate'][-1]:.2f}, CPU x {ratios['cpu'][-1]:.2f}"
            print(line, flush=True)
        if has_utp:
            print(f"median: rate {statistics.median(ratios['rate']):.2f} x uTP, CPU {statistics.median(ratios['cpu']):.2f} x uTP")
        if has_floor:
            print(f"median: CPU {statistics.median(ratios['floor']):.2f} x the raw-socket floor")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
