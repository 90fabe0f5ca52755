"""A UDP forwarder that keeps what passes through it."""

import socket
import threading


class DatagramTap:
    """Listens on loopback and forwards to `address` (host:port) for one sender, and back."""

    KEPT_MAX = 20_000

    def __init__(self, address):
        host, port = address.split(":")
        self.target = (host, int(port))
        self.near = self._socket()  # what the sender talks to
        self.far = self._socket()  # what the target talks to
        self.address = "127.0.0.1:%d" % self.near.getsockname()[1]
        self.sender = None
        self.sent = []  # datagrams of the sender
        self.threads = [threading.Thread(target=job, daemon=True) for job in (self._there, self._back)]
        for thread in self.threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.sender = None
        for one in (self.near, self.far):
            one.close()

    @staticmethod
    def _socket():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("127.0.0.1", 0))
        return made

    def _there(self):
        while True:
            try:
                datagram, self.sender = self.near.recvfrom(65536)
                if len(self.sent) < self.KEPT_MAX:
                    self.sent.append(datagram)
                self.far.sendto(datagram, self.target)
            except OSError:
                return

    def _back(self):
        while True:
            try:
                datagram = self.far.recv(65536)
                if self.sender is not None:
                    self.near.sendto(datagram, self.sender)
            except OSError:
                return
