"""Entries in a second place: what arrives, what does not, and that nobody waits for it."""

import json
import socket

import pytest

from prepared import fixture_graph, fixture_prepared, fixture_ready_vault  # noqa: F401


class Journal:
    """A socket as the journal or syslog has it, with what came."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    def received(self):
        """Every datagram so far."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(1 << 20))
            except BlockingIOError:
                return found


@pytest.fixture(name="journal")
def fixture_journal(ready_vault):
    """The vault forwards to it."""
    made = Journal(ready_vault.base / "run/journal")
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


def test_nobody_reads(ready_vault, journal):
    """A journal that does not take any more delays nothing; what did not go is counted and told."""
    journal.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    token = ready_vault.write("given/t", ready_vault.token + "\n")
    count = 30
    for number in range(count):
        ready_vault.done("import", f"ads/user/n{number}", "--token-file", token)
    assert len(entries_of(ready_vault)) >= count
    ready_vault.done("audit", "verify")
    arrived = len(journal.received())
    lost = int((ready_vault.directory / "forward.lost").read_text())
    assert lost > 0 and arrived + lost == count
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
