"""A TCP forwarder that holds every byte back for a while: a server that is far away."""

import queue
import socket
import threading
import time


class SlowPath:
    """Listens on loopback and forwards to `address` (host:port); each direction takes `delay` seconds."""

    def __init__(self, address, delay):
        host, port = address.split(":")
        self.target, self.delay = (host, int(port)), delay
        self.bytes_back = 0  # what the server behind it sent
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for one in (self.listener, *self.sockets):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target, timeout=10)
            except OSError:
                return
            server.settimeout(None)
            self.sockets += (client, server)
            self._forward(client, server, False)
            self._forward(server, client, True)

    def _forward(self, source, sink, is_back):
        held = queue.Queue()

        def read():
            data = b"x"
            while data:
                try:
                    data = source.recv(65536)
                except OSError:
                    data = b""
                if is_back:
                    self.bytes_back += len(data)
                held.put((time.monotonic() + self.delay, data))

        def write():
            data = b"x"
            while data:
                due, data = held.get()
                time.sleep(max(0, due - time.monotonic()))
                try:
                    if data:
                        sink.sendall(data)
                    else:
                        sink.shutdown(socket.SHUT_WR)
                except OSError:
                    break

        for job in (read, write):
            threading.Thread(target=job, daemon=True).start()
