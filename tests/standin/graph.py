#!/usr/bin/python3
"""A local stand-in for Meta's Graph API: HTTPS on 127.0.0.1, for tests and the demonstration.

    graph.py --dir DIR [--port 0] [--until-eof]

Writes DIR/ca.pem, DIR/requests.jsonl, DIR/control.sock and, once it listens, DIR/port; then says
"listening PORT" on its standard output.  Ends on SIGTERM, on SIGINT, on the control command
`shutdown`, and with --until-eof when its standard input ends, so that it cannot outlive whoever
started it.
"""

import argparse
import os
import selectors
import signal
import socket
import sys
import threading
from pathlib import Path

from answers import Graph
from control import Control
from delivery import Bell, Link
from serve import Connection
from state import State
from talking import converse
from tls import Certificates

JOIN_SECONDS = 10


class House:
    """What all connections share, and the loop that accepts them."""

    def __init__(self, directory, port):
        self.directory = directory
        self.state = State(directory / "requests.jsonl")
        self.graph = Graph(self.state)
        self.certificates = Certificates(directory)
        self.stop = Bell()
        self.release = Bell()
        self._rung = []
        self._live = {}
        self._lock = threading.Lock()
        self._count = 0
        self._selector = selectors.PollSelector()  # unlike epoll it takes /dev/null too
        self._listen(port)

    def release_all(self):
        """Ring for every answer that is held back; later ones wait for the next ring."""
        with self._lock:
            rung, self.release = self.release, Bell()
            self._rung.append(rung)  # kept: somebody may still poll for it
        rung.ring()

    def _listen(self, port):
        self.https = socket.create_server(("127.0.0.1", port), backlog=128)
        self.control = socket.socket(socket.AF_UNIX)
        self.control.bind(str(self.directory / "control.sock"))
        self.control.listen(16)
        self._selector.register(self.https, selectors.EVENT_READ, self._accept_https)
        self._selector.register(self.control, selectors.EVENT_READ, self._accept_control)
        self._selector.register(self.stop.descriptor, selectors.EVENT_READ, None)

    def watch_input(self):
        """End with the standard input."""
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._read_input)

    def announce(self):
        """Tell where we listen, in a file that is never seen half-written, and on stdout."""
        port = self.https.getsockname()[1]
        draft = self.directory / "port.new"
        draft.write_text(f"{port}\n")
        draft.rename(self.directory / "port")
        print(f"listening {port}", flush=True)

    def run(self):
        """Accept until told to stop, then end every connection and wait for its thread."""
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._end()
                    return
                key.data()

    def _read_input(self):
        if not os.read(sys.stdin.fileno(), 4096):
            self._selector.unregister(sys.stdin.fileno())
            self.stop.ring()

    def _accept_https(self):
        tcp, _ = self.https.accept()
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._count += 1
        link = Link(tcp, self.stop)
        self._start(link.abort, Connection(link, self._count, self).run)

    def _accept_control(self):
        connection, _ = self.control.accept()

        def abort():
            try:
                connection.shutdown(socket.SHUT_RD)  # its last answer may still go out
            except OSError:
                pass  # closed already
        self._start(abort, lambda: converse(connection, Control(self)))

    def _start(self, abort, work):
        def life():
            try:
                work()
            finally:
                with self._lock:
                    self._live.pop(thread)
        thread = threading.Thread(target=life, daemon=True)
        with self._lock:
            self._live[thread] = abort
        thread.start()

    def _end(self):
        self.https.close()
        self.control.close()
        with self._lock:
            live = dict(self._live)
        for abort in live.values():
            abort()
        with self.state.changed:
            self.state.stopping = True
            self.state.changed.notify_all()
        for thread in live:
            thread.join(JOIN_SECONDS)


def main():
    """Parse the command line, listen, serve."""
    parser = argparse.ArgumentParser(description="local stand-in for Meta's Graph API")
    parser.add_argument("--dir", type=Path, required=True, help="directory for its files")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1, 0: a free one")
    parser.add_argument("--until-eof", action="store_true", help="end when stdin ends")
    arguments = parser.parse_args()
    os.umask(0o077)
    arguments.dir.mkdir(parents=True, exist_ok=True)
    for name in ("port", "control.sock"):
        (arguments.dir / name).unlink(missing_ok=True)
    house = House(arguments.dir, arguments.port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: house.stop.ring())
    if arguments.until_eof:
        house.watch_input()
    house.announce()
    house.run()


if __name__ == "__main__":
    main()
