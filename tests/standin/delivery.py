"""The stand-in's end of one TLS connection, and the ways bytes are put on it.

Waiting is always on events: the peer going away, the stand-in ending, a test that releases the
answer.  The time-out of such a wait is what "slow" means; nothing here sleeps.
"""

import os
import select
import socket
import ssl
import struct
import threading


class Gone(Exception):
    """The peer went away, or the stand-in ends."""


class Bell:
    """A flag that threads can poll(2) for, beside their sockets."""

    def __init__(self):
        self.descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def ring(self):
        """Wake everybody who polls for this bell; it stays rung."""
        os.eventfd_write(self.descriptor, 1)

    def close(self):
        """Give the descriptor back."""
        os.close(self.descriptor)


class Link:
    """One accepted connection: a TLS socket, and a second handle on the same TCP connection.

    The second handle is what poll(2) watches and what another thread may shut down: doing either
    to the TLS object while its own thread uses it is not safe.
    """

    def __init__(self, tcp, stop):
        self.tcp = tcp.dup()
        self.tcp_first = tcp
        self.tls = None
        self.stop = stop
        self.farewell = "notify"
        self._lock = threading.Lock()

    def handshake(self, context):
        """Become TLS; raises OSError when the client does not like what it sees."""
        self.tls = context.wrap_socket(self.tcp_first, server_side=True,
                                       do_handshake_on_connect=False)
        self.tls.do_handshake()

    def send(self, data):
        """All of it, or Gone."""
        try:
            self.tls.sendall(data)
        except OSError as error:
            raise Gone from error

    def pause(self, seconds=None, release=None):
        """Wait until released (True) or until the time is over (False); Gone when the peer is."""
        poll = select.poll()
        poll.register(self.tcp, select.POLLRDHUP)
        poll.register(self.stop.descriptor, select.POLLIN)
        if release:
            poll.register(release.descriptor, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(None if seconds is None else seconds * 1000)}
        if ready & {self.tcp.fileno(), self.stop.descriptor}:
            raise Gone
        return bool(ready)

    def abort(self):
        """End the TCP connection from another thread: its own thread then finds it gone."""
        with self._lock:
            try:
                self.tcp.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has already ended

    def close(self):
        """Say goodbye in the way that was ordered, then close both handles."""
        if self.farewell == "notify" and self.tls:
            self._notify()
        with self._lock:
            if self.farewell == "reset":
                self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.tcp.close()
            (self.tls or self.tcp_first).close()

    def _notify(self):
        """Send close_notify without waiting for the peer's."""
        try:
            self.tls.setblocking(False)
            self.tls.unwrap()
        except (OSError, ValueError, ssl.SSLError):
            pass  # the peer has not answered yet, or has gone


class Plain:
    """Head and body in one go."""

    def send(self, link, head, body):
        """Put the answer on the connection."""
        link.send(head + body)


class Trickle:
    """One byte after the other, an interval apart."""

    def __init__(self, interval, release):
        self.interval, self.release = interval, release

    def send(self, link, head, body):
        """Put the answer on the connection; a release sends the rest at once."""
        data = head + body
        for position in range(len(data)):
            link.send(data[position:position + 1])
            if link.pause(self.interval, self.release):
                link.send(data[position + 1:])
                return


class Silent:
    """Nothing, or no more than some bytes of the body, until released, until the time is over, or until the client goes."""

    def __init__(self, seconds, release, after=None):
        self.seconds, self.release, self.after = seconds, release, after

    def send(self, link, head, body):
        """Wait, then put the answer, or the rest of it, on the connection."""
        data = head + body
        before = 0 if self.after is None else len(head) + self.after
        if before:
            link.send(data[:before])
        link.pause(self.seconds, self.release)
        link.send(data[before:])


class Cut:
    """The first bytes of the head or of the body, then the end of the connection."""

    def __init__(self, part, after):
        self.part, self.after = part, after

    def send(self, link, head, body):
        """Put the beginning of the answer on the connection."""
        link.send(head[:self.after] if self.part == "head" else head + body[:self.after])
