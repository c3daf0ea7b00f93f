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

    def cork(self, corked):
        """Keep what is sent, until it may leave in one packet."""
        self.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, corked)

    def pause(self, seconds=None, release=None, or_asked=False):
        """Wait until released (True) or until the time is over (False); Gone when the peer is.

        With `or_asked` a request ends it, too (False).
        """
        poll = select.poll()
        poll.register(self.tcp, select.POLLRDHUP | (select.POLLIN if or_asked else 0))
        poll.register(self.stop.descriptor, select.POLLIN)
        if release:
            poll.register(release.descriptor, select.POLLIN)
        ready = dict(poll.poll(None if seconds is None else seconds * 1000))
        if ready.get(self.tcp.fileno(), 0) & ~select.POLLIN or self.stop.descriptor in ready:
            raise Gone
        return bool(release and release.descriptor in ready)

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


class Followed:
    """Head and body, and behind them what nobody asked for: each text in a TLS record of its own.

    All of it is in one packet; or what nobody asked for comes later, when it is released.
    """

    def __init__(self, texts, held, release):
        self.texts, self.held, self.release = texts, held, release

    def send(self, link, head, body):
        """Put all of it on the connection."""
        if self.held:
            link.send(head + body)
            link.pause(None, self.release)
        link.cork(True)
        for text in self.texts if self.held else [head + body, *self.texts]:
            link.send(text)
        link.cork(False)


class Last:
    """Head and body in the same packet as the end of the connection."""

    def send(self, link, head, body):
        """Put the answer on the connection; what ends it lets it go."""
        link.cork(True)
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
    """Nothing, or no more than the beginning, until released, until the time is over, or until the client goes.

    The beginning is `interim` answers, and so many bytes of the head, or of the body.
    """

    def __init__(self, case, interim=b"", **begins):
        self.seconds, self.release = case.option("seconds", None), case.release
        self.state, self.interim, self.begins = case.state, interim, begins

    def send(self, link, head, body):
        """Wait, then put the answer, or the rest of it, on the connection."""
        data = head + body
        before = self.begins.get("head") or 0
        if self.begins.get("body") is not None:
            before = len(head) + self.begins["body"]
        if before or self.interim:
            link.send(self.interim + data[:before])
            self.state.announce("begun")
        link.pause(self.seconds, self.release)
        link.send(data[before:])


class Cut:
    """The first bytes of the head or of the body, then the end of the connection."""

    def __init__(self, part, after):
        self.part, self.after = part, after

    def send(self, link, head, body):
        """Put the beginning of the answer on the connection."""
        link.send(head[:self.after] if self.part == "head" else head + body[:self.after])
