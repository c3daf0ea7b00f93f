#!/usr/bin/python3
"""A pcscd of its own with two virtual readers, and simulated cards of one kind to put into them.

    unshare --net --pid --fork --kill-child house.py --cards MODULE --dir DIR [--until-eof]

MODULE is the Python file whose Card they are.  Runs in name spaces of its own, made by unshare and here: pcscd's
socket has a fixed path and vpcd's ports are fixed too, so that is what lets several run side by side.  The socket is
DIR/run/pcscd.comm outside, which is where PCSCLITE_CSOCK_NAME points programs to.  Prints `ready` when pcscd listens.
"""

import argparse
import fcntl
import importlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "standin"), str(TESTS / "system")]

from control import Control  # noqa: E402
from mounts import MS_BIND, mount, take_own_view  # noqa: E402
from reader import Reader  # noqa: E402
from talking import converse  # noqa: E402

SOCKET = "/run/pcscd/pcscd.comm"
PORTS = (0x8C7B, 0x8C7C)  # vpcd makes two readers: this port's, and the next one's
DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def take_place(directory):
    """/run/pcscd becomes a directory of ours, and the loopback device comes up."""
    take_own_view()
    mount("none", "/run", "tmpfs", 0)
    os.mkdir("/run/pcscd", 0o755)
    mount(directory, "/run/pcscd", "none", MS_BIND)
    with socket.socket() as any_socket:
        name = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, name))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


class House:
    """Cards, readers, events, and pcscd."""

    def __init__(self, kind, directory):
        self.kind, self.cards, self.log = kind, {}, []
        self.names = [f"{kind.READER} 00 {slot:02}" for slot in range(len(PORTS))]
        self._configuration = directory / "reader.conf"
        self._configuration.write_text(
            f'FRIENDLYNAME "{kind.READER}"\nDEVICENAME /dev/null:{PORTS[0]:#x}\nLIBPATH {DRIVER}\n'
            f"CHANNELID {PORTS[0]:#x}\n", encoding="ascii")
        self.stop = threading.Event()
        self._events, self._changed = {}, threading.Condition()
        self.readers = [Reader(port, self.announce, self.log) for port in PORTS]
        self._pcscd = None

    def start_pcscd(self):
        """Answers when it listens."""
        if self._pcscd:
            raise ValueError("pcscd runs")
        self._pcscd = start_pcscd(self._configuration)

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


def start_pcscd(configuration):
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
             '/usr/sbin/pcscd --foreground --info --force-reader-polling --config "$0"',
             configuration],
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
    parser = argparse.ArgumentParser(description="simulated cards behind a pcscd")
    parser.add_argument("--cards", type=Path, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--until-eof", action="store_true", help="end when standard input closes")
    arguments = parser.parse_args()
    place = arguments.dir / "run"
    place.mkdir(mode=0o755)
    take_place(place)
    sys.path.insert(0, str(arguments.cards.parent))
    house = House(importlib.import_module(arguments.cards.stem).Card, arguments.dir)
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
