#!/usr/bin/python3
"""A pcscd of its own with two virtual readers, and simulated cards to put into them.

    unshare --mount --net --pid --fork --kill-child house.py --dir DIR [--until-eof]

Runs in name spaces of its own, made by unshare: pcscd's socket has a fixed path and vpcd's ports are
fixed too, so that is what lets several run side by side.  The socket is DIR/run/pcscd.comm outside,
which is where PCSCLITE_CSOCK_NAME points programs to.  Prints `ready` when pcscd listens.
"""

import argparse
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "standin"))

from control import Control  # noqa: E402
from reader import Reader  # noqa: E402
from talking import converse  # noqa: E402

SOCKET = "/run/pcscd/pcscd.comm"
PORTS = (0x8C7B, 0x8C7C)  # of the two readers that vpcd's own configuration makes
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def mount(source, target, kind, flags):
    """mount(2): changes the view of this process and its children only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), target.encode(), kind.encode(), flags, None):
        raise OSError(ctypes.get_errno(), f"mount {target}")


def take_place(directory):
    """/run/pcscd becomes a directory of ours, and the loopback device comes up."""
    mount("none", "/", "none", MS_REC | MS_PRIVATE)
    mount("none", "/run", "tmpfs", 0)
    os.mkdir("/run/pcscd", 0o755)
    mount(str(directory), "/run/pcscd", "none", MS_BIND)
    with socket.socket() as any_socket:
        name = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, name))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


class House:
    """Cards, readers, events, and pcscd."""

    def __init__(self):
        self.cards, self.log = {}, []
        self.stop = threading.Event()
        self._events, self._changed = {}, threading.Condition()
        self.readers = [Reader(port, self.announce, self.log) for port in PORTS]
        self._pcscd = None

    def start_pcscd(self):
        """Answers when it listens."""
        if self._pcscd:
            raise ValueError("pcscd runs")
        self._pcscd = start_pcscd()

    def stop_pcscd(self):
        """Answers when it has ended."""
        self._pcscd.terminate()
        self._pcscd.wait()
        self._pcscd = None

    def announce(self, event):
        """One more of these has happened."""
        with self._changed:
            self._events[event] = self._events.get(event, 0) + 1
            self._changed.notify_all()

    def forget(self):
        """No event has happened yet."""
        with self._changed:
            self._events.clear()

    def wait(self, event, count, timeout):
        """Whether it has happened that often in time, and how often it has."""
        with self._changed:
            reached = self._changed.wait_for(lambda: self._events.get(event, 0) >= count, timeout)
            return reached, self._events.get(event, 0)


def start_pcscd():
    """pcscd in the foreground, ready; what it says later is read and forgotten.

    It says so before it listens.  So its socket is made here and handed over as systemd does: whoever
    connects waits for it, and nobody comes too early.
    """
    Path(SOCKET).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(SOCKET)
        os.chmod(SOCKET, 0o666)
        server.listen()
        process = subprocess.Popen(
            ["/bin/sh", "-c", "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "
             "/usr/sbin/pcscd --foreground --info --force-reader-polling"],
            stdin=server, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = []
    for line in process.stdout:
        said.append(line.decode(errors="replace"))
        if "daemon ready" in said[-1]:
            break
    else:
        sys.exit("pcscd did not start:\n" + "".join(said))

    def drain():
        for _ in process.stdout:
            pass
    threading.Thread(target=drain, daemon=True).start()
    return process


def listen(directory, house):
    """The control socket."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(directory / "control.sock"))
    server.listen()
    control = Control(house)

    def accept():
        while True:
            connection, _ = server.accept()
            threading.Thread(target=converse, args=(connection, control), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


def main():
    """Until told to end."""
    parser = argparse.ArgumentParser(description="simulated Rutoken cards behind a pcscd")
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--until-eof", action="store_true", help="end when standard input closes")
    arguments = parser.parse_args()
    place = arguments.dir / "run"
    place.mkdir(mode=0o755)
    take_place(place)
    house = House()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: house.stop.set())
    house.start_pcscd()
    listen(arguments.dir, house)
    if arguments.until_eof:
        def wait_for_end():
            sys.stdin.buffer.read()
            house.stop.set()
        threading.Thread(target=wait_for_end, daemon=True).start()
    print("ready", flush=True)
    house.stop.wait()
    house.stop_pcscd()
    os._exit(0)  # threads may wait for what does not come any more


if __name__ == "__main__":
    main()
