#!/usr/bin/env python3
"""ppsp-cache beside nginx: requests per second and bytes per CPU-second for the same objects in the same run.

usage: tests/bench/cache_bench.py [--bin DIR] [--seconds N] [--rounds N] [--connections N] [--sizes BYTES,...]

Both serve the same random objects over loopback to wrk (which has to be installed, as has nginx); nginx with one worker, sendfile and
access log off, as ppsp-cache has one thread. Rounds alternate; medians are printed. CPU-seconds are those of the server's process."""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
TICKS = os.sysconf("SC_CLK_TCK")

NGINX = """daemon off; worker_processes 1; pid {0}/nginx.pid; error_log {0}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
 client_body_temp_path {0}/t1; proxy_temp_path {0}/t2; fastcgi_temp_path {0}/t3; uwsgi_temp_path {0}/t4; scgi_temp_path {0}/t5;
 open_file_cache max=1000; server {{ listen 127.0.0.1:{1}; root {0}/www; }} }}
"""


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=str(ROOT / "build" / "release" / "bin"))
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--sizes", default="4096,32768,325000")
    return parser.parse_args()


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def free_port():
    import socket
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def worker_of(pid):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.05)
    raise SystemExit("nginx started no worker")


def load(url, script, options):
    out = subprocess.run(["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "-s", script, url],
                         capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(out)
    total = re.search(r"(\d+) requests in ([\d.]+)(m?s)", out)
    return int(total[1]), float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


def main():
    options = parse()
    if not shutil.which("wrk") or not shutil.which("nginx"):
        raise SystemExit("needs wrk and nginx")
    os.environ["PPSP_BIN"] = options.bin
    import unit_objects
    from processes import Swarm
    with Swarm() as swarm:
        sizes = [int(size) for size in options.sizes.split(",")]
        objects = {size: [os.urandom(size) for _ in range(32)] for size in sizes}
        swarm.start("cache", "ppsp-cache", "--listen", "127.0.0.1:0", "--dir", swarm.path / "d", "--key", swarm.path / "k",
                    "--log-level", "warn", "--ttl", 86400)
        cache_url = swarm.lines("cache", 1, 20)[0].rsplit(" ", 1)[1]
        token = subprocess.run([f"{options.bin}/ppsp-cache", "token", "--key", swarm.path / "k", "--allow", "read,write", "--for", "1h"],
                               capture_output=True, text=True, check=True).stdout.strip()
        import http.client
        connection = http.client.HTTPConnection(cache_url.removeprefix("http://"))
        for data in (one for some in objects.values() for one in some):
            path = unit_objects.ni_path(data)
            target = swarm.path / "www" / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            connection.request("PUT", path, data, {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 201, answer.status
        connection.close()
        port = free_port()
        (swarm.path / "nginx.conf").write_text(NGINX.format(swarm.path, port))
        os.chmod(swarm.path, 0o755)
        with open(swarm.path / "nginx.err", "wb") as err:
            nginx = subprocess.Popen([shutil.which("nginx"), "-p", swarm.path, "-c", swarm.path / "nginx.conf"], stderr=err)
        swarm.processes["nginx"] = nginx
        servers = {"nginx": (f"http://127.0.0.1:{port}", worker_of(nginx.pid)),
                   "ppsp-cache": (cache_url, swarm.processes["cache"].pid)}
        print(f"{'bytes':>8} {'server':>11} {'requests/s':>11} {'MB/s':>8} {'MB per CPU-second':>18}")
        for size in sizes:
            script = swarm.path / f"{size}.lua"
            paths = ",".join(f'"{unit_objects.ni_path(data)}"' for data in objects[size])
            script.write_text(f"local paths = {{{paths}}}\nlocal i = 0\nwrk.headers['Authorization'] = 'Bearer {token}'\n"
                              "request = function() i = i + 1; return wrk.format('GET', paths[i % #paths + 1]) end\n")
            figures = {name: [] for name in servers}
            for _ in range(options.rounds):
                for name, (url, pid) in servers.items():
                    before = cpu_seconds(pid)
                    count, rate = load(url, script, options)
                    figures[name].append((rate, count * size / (cpu_seconds(pid) - before)))
            medians = {name: [statistics.median(one[i] for one in some) for i in range(2)] for name, some in figures.items()}
            for name, (rate, per_cpu) in medians.items():
                print(f"{size:>8} {name:>11} {rate:>11.0f} {rate * size / 1e6:>8.0f} {per_cpu / 1e6:>18.0f}")
            ratios = [mine / theirs for mine, theirs in zip(medians["ppsp-cache"], medians["nginx"])]
            print(f"{size:>8} {'share':>11} {100 * ratios[0]:>10.0f}% {'':>8} {100 * ratios[1]:>17.0f}%")
        nginx.terminate()
        nginx.wait()


if __name__ == "__main__":
    main()
