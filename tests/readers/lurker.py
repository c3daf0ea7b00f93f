#!/usr/bin/python3
"""Another program at the card, of any user: it holds a connection, and sends commands when it is told to.

    lurker.py READER     then one command a line on standard input, in hexadecimal; answers are status words

It knows no PIN.  When the card was reset under it, it connects anew, as anybody would.
"""

import ctypes
import sys

SYSTEM, SHARED, LEAVE, ANY = 2, 2, 0, 3  # ANY: T=0 or T=1
WAS_RESET = 0x80100068


class Request(ctypes.Structure):
    """SCARD_IO_REQUEST."""

    _fields_ = [("protocol", ctypes.c_ulong), ("size", ctypes.c_ulong)]


class Lurker:
    """One connection."""

    def __init__(self, reader):
        self._library = ctypes.CDLL("libpcsclite.so.1")
        self._card, self._protocol = ctypes.c_long(), ctypes.c_ulong()
        context = ctypes.c_long()
        self._done("SCardEstablishContext", ctypes.c_ulong(SYSTEM), None, None, ctypes.byref(context))
        self._done("SCardConnect", context, reader.encode(), ctypes.c_ulong(SHARED), ctypes.c_ulong(ANY),
                   ctypes.byref(self._card), ctypes.byref(self._protocol))

    def _call(self, name, *arguments):
        return getattr(self._library, name)(*arguments) & 0xFFFFFFFF

    def _done(self, name, *arguments):
        result = self._call(name, *arguments)
        if result:
            raise OSError(f"{name}: {result:#x}")

    def send(self, command):
        """The status word."""
        answer, size = ctypes.create_string_buffer(258), ctypes.c_ulong(258)
        request = Request(self._protocol.value, ctypes.sizeof(Request))
        arguments = (self._card, ctypes.byref(request), command, ctypes.c_ulong(len(command)), None, answer,
                     ctypes.byref(size))
        if self._call("SCardTransmit", *arguments) == WAS_RESET:
            self._done("SCardReconnect", self._card, ctypes.c_ulong(SHARED), ctypes.c_ulong(ANY),
                       ctypes.c_ulong(LEAVE), ctypes.byref(self._protocol))
            size.value = 258
            self._done("SCardTransmit", *arguments)
        return answer.raw[size.value - 2:size.value].hex()


def main():
    """Until standard input ends."""
    lurker = Lurker(sys.argv[1])
    print("here", flush=True)
    for line in sys.stdin:
        print(lurker.send(bytes.fromhex(line)), flush=True)


if __name__ == "__main__":
    main()
