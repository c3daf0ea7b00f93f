"""One reader: the card in it, the connection to vpcd's driver, and the trouble that was ordered.

vpcd listens; the card connects, which is how it is put in, and is taken out when the connection
closes.  A message has two bytes of length; one byte alone is power or a question for the ATR, all
else is a command.
"""

import socket
import struct
import threading

import apdu
from apdu import Refused

POWER_OFF, POWER_ON, RESET, ATR = 0, 1, 2, 4
POWER = {POWER_OFF: "power-off", POWER_ON: "power-on", RESET: "reset"}
WHEN = ("before", "unanswered", "after")  # the command, its answer, both


class Gone(Exception):
    """The card was taken out, or the driver has ended."""


class Trouble:
    """What a test has ordered for one reader; read and changed under `lock`."""

    def __init__(self):
        self.lock = threading.Lock()
        self.slow_ms = 0
        self.removals = []  # [command, when, how many of them first]
        self.holds = []  # commands
        self.released = threading.Event()
        self.finger = 0.0  # seconds until somebody touches what blinks; None: nobody does

    def removal(self, name):
        """When the card goes out at this command, or None."""
        with self.lock:
            for order in self.removals:
                if order[0] == name:
                    if order[2]:
                        order[2] -= 1
                        return None
                    self.removals.remove(order)
                    return order[1]
        return None

    def take_hold(self, name):
        """Whether this command waits for its release."""
        with self.lock:
            if name not in self.holds:
                return False
            self.holds.remove(name)
            self.released.clear()
            return True


class Reader:
    """`announce(event)` counts events; `log` is the list of (reader, command, status)."""

    def __init__(self, port, announce, log):
        self.port, self._announce, self._log = port, announce, log
        self.card, self.trouble = None, Trouble()
        self.changes = None  # that pcscd had seen when it saw the card that is in it, or was last
        self._socket = self._thread = None
        self._out = threading.Event()

    def insert(self, card):
        """Put a card in.  Whether pcscd has seen it is another question."""
        if self.card:
            raise ValueError("there is a card in this reader")
        self._socket = socket.create_connection(("127.0.0.1", self.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._out.clear()
        self.card, card.is_touched = card, self._is_touched
        card.reset()
        self._thread = threading.Thread(target=self._serve, args=(self._socket, card), daemon=True)
        self._thread.start()

    def remove(self):
        """Take the card out, in the middle of whatever it does; returns it."""
        card, self.card = self.card, None
        if not card:
            raise ValueError("there is no card in this reader")
        self._out.set()
        self.trouble.released.set()
        self._shut()
        if self._thread is not threading.current_thread():
            self._thread.join()
        card.reset()
        return card

    def clear(self):
        """As at the start."""
        if self.card:
            self.remove()
        self.forget_trouble()

    def forget_trouble(self):
        """Nothing is ordered any more."""
        before, self.trouble = self.trouble, Trouble()
        before.released.set()

    def _shut(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was first
        self._socket.close()

    # ---- the card's side ----

    def _serve(self, connection, card):
        try:
            while True:
                message = self._receive(connection)
                if len(message) == 1:
                    self._power(connection, card, message[0])
                else:
                    self._command(connection, card, message)
        except (Gone, OSError):
            pass
        finally:
            self._announce("out")

    @staticmethod
    def _receive(connection):
        def exactly(size):
            data = b""
            while len(data) < size:
                # vpcd sends length and body apart: without this each command waits for 40 ms.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                more = connection.recv(size - len(data))
                if not more:
                    raise Gone
                data += more
            return data
        return exactly(struct.unpack(">H", exactly(2))[0])

    @staticmethod
    def _send(connection, data):
        connection.sendall(struct.pack(">H", len(data)) + data)

    def _power(self, connection, card, what):
        if what == ATR:
            self._send(connection, card.atr)
        elif what in POWER:
            card.reset()
            self._announce(POWER[what])

    def _command(self, connection, card, message):
        try:
            command = apdu.parse(message)
            name = None if command.more else card.name_of(command)
        except Refused as refused:
            self._send(connection, refused.status.to_bytes(2, "big"))
            return
        removal = self.trouble.removal(name) if name else None
        self._begin(name, card)
        if removal == "before":
            self._leave()
        data, status = card.execute(command)
        if name:
            self._log.append((self.port, name, status))
        if removal == "unanswered":
            self._leave()
        self._send(connection, data + status.to_bytes(2, "big"))
        if removal == "after":
            self._leave()
        if name:
            self._announce(name)

    def _is_touched(self, seconds):
        """What a card asks that blinks now, for so long at most."""
        self._announce("blinks")
        finger = self.trouble.finger
        touched = finger is not None and finger <= seconds
        if self._out.wait(finger if touched else seconds):
            raise Gone
        return touched

    def _begin(self, name, card):
        """The time it takes, and waiting for a release; both end when the card is taken out."""
        if name and self.trouble.take_hold(name):
            self._announce("held")
            self.trouble.released.wait()
        if name in card.OPERATIONS and self.trouble.slow_ms:
            self._out.wait(self.trouble.slow_ms / 1000)
        if self._out.is_set():
            raise Gone

    def _leave(self):
        self.remove()
        raise Gone
