"""Entries in a second place: what arrives, what does not, and that nobody waits for it."""

import contextlib
import ctypes
import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from prepared import fixture_graph, fixture_prepared, fixture_ready_vault  # noqa: F401


CLONE_NEWNET = 0x40000000
QUEUE = Path("/proc/sys/net/unix/max_dgram_qlen")  # datagrams; systemd raises the kernel's 10 to 512


class Journal:
    """A socket as the journal or syslog has it, with what came.

    With `queue` that many datagrams may wait in it: a setting of a network name space, so it is made in a new one.
    """

    def __init__(self, path, queue=None):
        self.path = path
        with ThreadPoolExecutor(1) as thread:
            self.socket = thread.submit(self._bind, queue).result()
        self.socket.setblocking(False)

    def _bind(self, queue):
        """The thread that is in the new name space ends with this."""
        if queue is not None:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.unshare(CLONE_NEWNET) or not os.access(QUEUE, os.W_OK):
                pytest.skip("only root makes network name spaces, and /proc/sys may be read-only")
            QUEUE.write_text(f"{queue}\n")
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        made.bind(str(self.path))
        return made

    def received(self, most=-1):
        """Every datagram so far, or the first ones."""
        found = []
        while len(found) != most:
            try:
                found.append(self.socket.recv(1 << 20))
            except BlockingIOError:
                break
        return found

    def fill(self):
        """Until it takes no more, from whomever: one sender's own buffer may be full before."""
        sent = -1
        while sent:
            sent = 0
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        sender.sendto(b"full", str(self.path))
                        sent += 1


@pytest.fixture(name="queue")
def fixture_queue():
    """How many datagrams may wait: as many as on this machine."""
    return None


@pytest.fixture(name="journal")
def fixture_journal(ready_vault, queue):
    """The vault forwards to it."""
    made = Journal(ready_vault.base / "run/journal", queue)
    ready_vault.configure(f"[log]\nforward = yes\njournal = {made.path}\n"
                          f"syslog = {ready_vault.base}/run/device\n")
    yield made
    made.socket.close()


def entries_of(vault):
    """The stored bytes."""
    return vault.done("audit", "export", "--lines").out.splitlines()


def fields_of(datagram):
    """NAME=VALUE lines: a value with a line end in it would need another form."""
    assert datagram.endswith(b"\n")
    return dict(line.split("=", 1) for line in datagram.decode().splitlines())


def test_every_entry(ready_vault, journal, leaks):
    """One datagram an entry, in order, the bytes of the log, and none of the secrets."""
    before = len(entries_of(ready_vault))
    ready_vault.done("exchange", "ads/user/alice")
    got = journal.received()
    fields = [fields_of(datagram) for datagram in got]
    new = entries_of(ready_vault)[before:]
    assert [one["MESSAGE"] for one in fields] == new
    assert [int(one["P11VAULT_ENTRY"]) for one in fields] == list(range(before, before + len(new)))
    assert [one["P11VAULT_TYPE"] for one in fields] == [json.loads(text)["type"] for text in new]
    assert {one["SYSLOG_IDENTIFIER"] for one in fields} == {"p11vault"}
    assert {len(one) for one in fields} == {6}, "no line that is none of ours"
    assert not leaks([], [datagram.decode() for datagram in got])


def test_off_by_default(ready_vault):
    """Nothing is said to the machine's journal unless that is wanted."""
    journal = Journal(ready_vault.base / "run/j")
    ready_vault.configure(f"[log]\njournal = {journal.path}\n")
    ready_vault.done("audit", "checkpoint")
    assert journal.received() == []
    journal.socket.close()


@pytest.mark.parametrize("queue", [None, 10, 512])
def test_nobody_reads(ready_vault, journal):
    """A journal that does not take any more delays nothing; what did not go is counted and told."""
    token = ready_vault.write("given/t", ready_vault.token + "\n")
    count, room = 12, 5
    journal.fill()
    assert len(journal.received(room)) == room
    for number in range(count):
        ready_vault.done("import", f"ads/user/n{number}", "--token-file", token)
    assert len(entries_of(ready_vault)) >= count
    ready_vault.done("audit", "verify")
    arrived = [datagram for datagram in journal.received() if datagram != b"full"]
    lost = int((ready_vault.directory / "forward.lost").read_text())
    assert (len(arrived), lost) == (room, count - room)
    assert f"{lost} entries did not reach the journal" in ready_vault.run("doctor").out


def test_syslog_where_there_is_no_journal(ready_vault, journal):
    """The old form, to the other socket; and nowhere at all is a loss that is counted."""
    journal.path.unlink()
    device = Journal(ready_vault.base / "run/device")
    ready_vault.done("audit", "checkpoint")
    got = [datagram.decode() for datagram in device.received()]
    assert len(got) == 2 and all(text.startswith("<86>p11vault[") for text in got)
    assert [text.split("]: ", 1)[1] for text in got] == entries_of(ready_vault)[-2:]
    device.socket.close()
    device.path.unlink()
    ready_vault.done("audit", "checkpoint")
    assert (ready_vault.directory / "forward.lost").read_text() == "2\n"
    assert "nobody takes the log's entries" in ready_vault.run("doctor").out
