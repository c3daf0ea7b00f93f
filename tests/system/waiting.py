"""Waits for what other processes do: make a file, or what nobody is told of."""

import ctypes
import os
import select
import time
from pathlib import Path

SECONDS = 30
IN_MOVED_TO, IN_CREATE = 0x80, 0x100


def _watch(directory):
    """A descriptor that can be read from when something new stands in a directory."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_CLOEXEC)
    if watch < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    if libc.inotify_add_watch(watch, os.fsencode(directory), IN_MOVED_TO | IN_CREATE) < 0:
        os.close(watch)
        raise OSError(ctypes.get_errno(), f"inotify_add_watch: {directory}")
    return watch


def wait_for_path(path, server, seconds=SECONDS):
    """Until there is what a server makes when it is ready; a server that ends never will be."""
    watch, pidfd = _watch(Path(path).parent), os.pidfd_open(server.pid)
    until, poll = time.monotonic() + seconds, select.poll()
    for descriptor in (watch, pidfd):
        poll.register(descriptor, select.POLLIN)
    try:
        while not Path(path).exists():
            ready = [descriptor for descriptor, _ in
                     poll.poll(max(0, until - time.monotonic()) * 1000)]
            assert ready and pidfd not in ready, f"no {path}"
            os.read(watch, 65536)
    finally:
        os.close(watch)
        os.close(pidfd)


def wait_until(holds, words, seconds=SECONDS, pause=0.01):
    """Asks again after a pause until it is so: for what nobody says."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, words
        select.select([], [], [], pause)
