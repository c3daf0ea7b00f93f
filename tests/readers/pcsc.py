"""Asks pcscd, as any program does, whether there is a card in a reader, and waits until it is so."""

import ctypes
import time

SYSTEM = 2
TIMEOUT = 0x8010000A
EMPTY, PRESENT, MUTE = 0x10, 0x20, 0x200


class State(ctypes.Structure):
    """SCARD_READERSTATE of pcsc-lite."""

    _fields_ = [("name", ctypes.c_char_p), ("data", ctypes.c_void_p),
                ("current", ctypes.c_ulong), ("event", ctypes.c_ulong),
                ("atr_size", ctypes.c_ulong), ("atr", ctypes.c_ubyte * 33)]


def _check(result, call):
    if result & 0xFFFFFFFF:
        raise OSError(f"{call}: {result & 0xFFFFFFFF:#x}")


def wait(reader, present, since=None, timeout=20):
    """Until pcscd has seen a card in this reader, powered and answering, or none in it; returns how many changes it has seen.

    `since` is how many it had seen before.  A program that ends with a reset of a card that is gone has pcscd say that
    none is there before it has looked: a card that is put in then is the old one to it, and stays unnoticed for good.
    """
    library = ctypes.CDLL("libpcsclite.so.1")
    context = ctypes.c_long()
    _check(library.SCardEstablishContext(ctypes.c_ulong(SYSTEM), None, None,
                                         ctypes.byref(context)), "SCardEstablishContext")
    state, until = State(name=reader.encode()), time.monotonic() + timeout
    try:
        while True:
            changes = state.event >> 16 & 0xFFFF
            seen = EMPTY if not present else PRESENT if not state.event & MUTE else 0
            if state.event & seen and changes != since:
                return changes
            left = max(0, int((until - time.monotonic()) * 1000))
            result = library.SCardGetStatusChange(context, ctypes.c_ulong(left),
                                                  ctypes.byref(state), ctypes.c_ulong(1))
            if result & 0xFFFFFFFF == TIMEOUT and not left:
                raise TimeoutError(f"{reader}: no card seen" if present else f"{reader}: not empty")
            _check(result if result & 0xFFFFFFFF != TIMEOUT else 0, "SCardGetStatusChange")
            state.current = state.event
    finally:
        library.SCardReleaseContext(context)
