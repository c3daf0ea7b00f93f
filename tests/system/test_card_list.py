"""`card list`: what is in the readers and why nothing is, what is trusted; and what `doctor` says of the same."""

import json
import os
import re
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from cards import SoftCard, refused
from examining import Examined, examine
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from program import Program

OPENSC = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"
CLIENT = "/usr/lib/x86_64-linux-gnu/libpcsclite.so.1"
NOT_RUNNING = ("no card found: pcscd, the service that has the readers, is not running",
               "systemctl start pcscd.socket")
NOT_INSTALLED = ("no card found: pcscd, the service that has the readers, is not installed",
                 "apt-get install pcscd")
REFUSED = ("no card found: pcscd refuses this user (polkit: org.debian.pcsc-lite.access_pcsc",
           "docs/unattended.md")
GREETING = struct.pack("6I", 12, 0x11, 4, 4, 0, 0)[:20]  # CMD_VERSION of pcsc-lite
# A view of the file system in which something else stands in a place: $0 in that of $1.
VIEW = 'mount --make-rprivate / && mount --bind "$0" "$1" && shift && exec "$@"'


# ---- no card, and why ----

@pytest.fixture(name="opensc")
def fixture_opensc(vault):
    """A configuration with OpenSC alone, which looks for pcscd in a directory of the test."""
    place = vault.write("run/pcscd", "nobody listens here")
    vault.configure(f"[module opensc]\npath = {OPENSC}\nenv.PCSCLITE_CSOCK_NAME = {place}\n")
    return vault


def hang_up(server):
    """Asks polkit first, and reads nothing of what whoever comes has sent meanwhile."""
    while True:
        connection, _ = server.accept()
        with connection:
            said = b""
            while said not in (b"end", GREETING):  # which comes in two pieces
                said = connection.recv(len(GREETING), socket.MSG_PEEK)
                assert GREETING.startswith(said) or b"end".startswith(said), said
            if said == b"end":
                return


@pytest.fixture(name="strict")
def fixture_strict(opensc):
    """As a pcscd that polkit has told to refuse everybody."""
    (opensc.runtime / "pcscd").unlink()
    with socket.socket(socket.AF_UNIX) as server, ThreadPoolExecutor(1) as thread:
        server.bind(str(opensc.runtime / "pcscd"))
        server.listen()
        serving = thread.submit(hang_up, server)
        yield opensc
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(opensc.runtime / "pcscd"))
            last.sendall(b"end")
        serving.result()


def in_view(vault, place, *arguments):
    """A run that sees something empty in that place."""
    if os.geteuid() != 0:
        pytest.skip("only root makes a view of its own of the file system")
    empty = vault.base / "empty"
    if os.path.isdir(place):
        empty.mkdir(exist_ok=True)
    else:
        empty.touch()
    return Program(["/usr/bin/unshare", "--mount", "/bin/sh", "-c", VIEW, empty, place,
                    vault.programs / "p11vault", "--config", vault.config, "--vault", vault.directory, *arguments],
                   vault.environment(), vault.processes).finish()


def test_pcscd_does_not_run(opensc):
    """The module says only that there is no card; the library that it reaches pcscd by knows why."""
    refused(opensc.run("card", "list"), 20, "module 'opensc': ", *NOT_RUNNING)
    examine(opensc).has("problem", "module", "opensc: ", *NOT_RUNNING)


def test_pcscd_refuses(strict):
    """What polkit lets only a person at the machine do."""
    refused(strict.run("card", "list"), 14, "module 'opensc': ", *REFUSED)
    examine(strict).has("problem", "module", "opensc: ", *REFUSED)


@pytest.mark.parametrize("place", ["/usr/sbin", CLIENT])
def test_pcscd_is_not_installed(opensc, place):
    """Neither the service, nor perhaps the library that comes with it."""
    refused(in_view(opensc, place, "card", "list"), 20, "module 'opensc': ", *NOT_INSTALLED)
    Examined(in_view(opensc, place, "doctor", "--json")).has("problem", "module", "opensc: ", *NOT_INSTALLED)


def test_a_module_without_pcscd(soft_vault):
    """Its empty reader is an empty reader."""
    SoftCard(soft_vault).take_out()
    result = soft_vault.done("card", "list")
    assert (result.out, result.said) == ("", "no card found\n")


# ---- modules that fail ----

def test_each_failure_is_said_once(soft_vault):
    """None hides the cards of the other modules, nor another failure; the gravest decides."""
    serial = SoftCard(soft_vault).serial
    text = soft_vault.config.read_text()
    soft_vault.config.write_text(
        f"[module a]\npath = /nowhere/a.so\n[module b]\npath = {OPENSC}\n"
        f"env.PCSCLITE_CSOCK_NAME = {soft_vault.runtime}/pcscd\n[module c]\npath = /nowhere/c.so\n\n{text}")
    result = soft_vault.run("card", "list")
    assert result.out.startswith(f"soft  {serial}  vault  ") and result.code == 20, result
    errors = re.findall(r"^p11vault: error: module '(\w)': ", result.err, re.MULTILINE)
    assert sorted(errors) == ["a", "b", "c"] and errors[-1] == "b", result
    assert [card["serial"] for card in json.loads(soft_vault.run("card", "list", "--json").out)] == [serial]


# ---- files that are missing ----

def test_missing_file(soft_vault):
    """A module passes over a configuration of its own that is not there; nobody else does."""
    missing = soft_vault.base / "opensc.conf"
    text = soft_vault.config.read_text()
    more = f"env.OPENSC_CONF = {missing}\nenv.OTHER = {soft_vault.base}/other\nenv.DIGIT = 1\n" \
           f"env.LOG = {soft_vault.directory}/soft/log\n"
    soft_vault.config.write_text(text.replace("[module soft]\n", f"[module soft]\n{more}"))
    result = soft_vault.done("card", "list")
    assert result.said == "".join(
        f"p11vault: note: module 'soft': env.{name}: no such file (p11vault doctor)\n"
        for name in (f"OPENSC_CONF={missing}", f"OTHER={soft_vault.base}/other"))
    found = examine(soft_vault)
    found.has("problem", "module", f"soft: env.OPENSC_CONF={missing}: no such file",
              f"fix: install -D -m 0644 conf/opensc.conf {missing}")
    found.has("problem", "module", f"soft: env.OTHER={soft_vault.base}/other: no such file",
              f"fix: put it at {soft_vault.base}/other, or correct the configuration")
    assert len(found.problems) == 2 and found.code == 14, found.result
    missing.touch()
    (soft_vault.base / "other").touch()
    assert soft_vault.done("card", "list").said == ""
    examine(soft_vault).is_well()


# ---- what is trusted ----

def test_trusted(soft_vault):
    """Wherever they are; until they are removed."""
    card = SoftCard(soft_vault)
    first, second = card.serial, card.add_second()
    soft_vault.done("card", "enroll", f"pkcs11:serial={second}")
    card.take_out()
    lines = soft_vault.done("card", "list", "--trusted").out.splitlines()
    assert [line.split()[0] for line in lines] == [first, second]
    assert re.fullmatch(rf"{first}  vault  SoftHSM v2  ECDH-ES\+A256KW  since \d{{4}}-\d\d-\d\dT[\d:]+Z", lines[0])
    told = json.loads(soft_vault.done("card", "list", "--trusted", "--json").out)
    assert [one["serial"] for one in told] == [first, second]
    assert set(told[0]) == {"serial", "label", "model", "alg", "since", "kid"}


def test_nothing_is_trusted_yet(vault):
    """It says how that begins."""
    vault.done("init", "--soft")
    refused(vault.run("card", "list", "--trusted"), 14, "no trusted card", "p11vault card enroll")


def test_the_same_card_again(soft_vault):
    """Is no recovery card, and the words do not say so."""
    before = soft_vault.trust.read_text()
    result = soft_vault.done("card", "enroll")
    serial = SoftCard(soft_vault).serial
    assert f"card {serial} was trusted already: nothing has changed\n" in result.err, result
    assert "hint: for a recovery card put another one in" in result.err
    assert "trusted: " not in result.err and soft_vault.trust.read_text() == before
