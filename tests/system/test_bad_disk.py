"""A log that cannot be written refuses before the card is asked: no entry, no key."""

import os
import shutil

import pytest

from cards import GRANT, Facts, SoftCard, refused
from mounts import OWN_VIEW, why_not
from prepared import fixture_graph, fixture_prepared, fixture_ready_vault  # noqa: F401
from program import Program


def in_namespace(vault, script, *arguments):
    """p11vault in a mount namespace of its own, after a script has changed what it sees there.

    What the vault is in there afterwards is copied to `after`.
    """
    run = 'set +e; "$@"; code=$?; rm -f "$VAULT/fill"; cp -a "$VAULT" "$AFTER"; exit $code'
    command = [*OWN_VIEW, "/bin/sh", "-ec", f"{script}\n{run}", "sh",
               vault.programs / "p11vault", "--config", vault.config, "--vault", vault.directory]
    environment = vault.environment(VAULT=str(vault.directory), SIDE=str(vault.base / "side"),
                                    AFTER=str(vault.base / "after"))
    return Program([*command, *arguments], environment, vault.processes).finish()


@pytest.fixture
def spy(ready_vault):
    """Counts logins; skips where nobody may mount anything, and says why."""
    refusal = why_not()
    if refusal:
        pytest.skip(f"no mounts of one's own here: {refusal}")
    (ready_vault.base / "side").mkdir()
    return SoftCard(ready_vault).spy()


# The vault on a file system of its own, small enough to be filled to the last block.
SMALL = 'cp -a "$VAULT/." "$SIDE"; mount -t tmpfs -o size=2m,mode=0700 none "$VAULT"; ' \
        'cp -a "$SIDE/." "$VAULT"; '
FULL = SMALL + 'dd if=/dev/zero of="$VAULT/fill" bs=4k 2>/dev/null || true'
READ_ONLY = 'mount --bind "$VAULT" "$VAULT"; mount -o remount,bind,ro "$VAULT"'

VERBS = [("exchange", GRANT), ("import", "ads/user/bob", "--token-file"),
         ("app", "add", "more", "--id", "1234567890", "--secret-file"), ("card", "enroll")]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0] + verb[1][:3])
@pytest.mark.parametrize("script, words", [
    (FULL, ("full", "disk", "space")), (READ_ONLY, ("read-only", "Read-only", "readonly")),
], ids=["full", "read-only"])
def test_log_unwritable(ready_vault, spy, graph, script, words, verb):
    """Exit code 30, no login, no call to the provider, the same vault afterwards."""
    before, asked = Facts(ready_vault), len(graph.requests())
    if verb[-1].endswith("-file"):
        verb = (*verb, ready_vault.write("given/value", "0123456789abcdef"))
    result = in_namespace(ready_vault, script, *verb)
    refused(result, 30)
    assert any(word in result.err for word in words), result
    assert spy.logins == 0 and len(graph.requests()) == asked
    for vault in (ready_vault.directory, ready_vault.base / "after"):
        after = Facts(ready_vault, "--vault", vault)
        assert (after.entries, after.grants) == (before.entries, before.grants)


def test_room_enough(ready_vault, spy):
    """The same small file system, not filled: it is the room that matters."""
    assert in_namespace(ready_vault, SMALL, "exchange", GRANT).code == 0
    assert spy.logins == 1


def test_reading_what_cannot_be_written(ready_vault, spy):
    """Looking still works: auditors have no right to write."""
    for verb in (("status",), ("audit", "show"), ("audit", "verify"), ("app", "list")):
        shutil.rmtree(ready_vault.base / "after", ignore_errors=True)
        there = in_namespace(ready_vault, READ_ONLY, *verb)
        assert (there.code, there.out) == (0, ready_vault.done(*verb).out)
    assert spy.logins == 0


def test_configuration_read_only(ready_vault, spy):
    """The newest head is kept beside the trust file; when it cannot be, that is said."""
    before = Facts(ready_vault)
    script = 'mount --bind "$SIDE/../conf" "$SIDE/../conf"; ' \
             'mount -o remount,bind,ro "$SIDE/../conf"'
    result = in_namespace(ready_vault, script, "exchange", GRANT)
    refused(result, 14, os.path.join(ready_vault.base, "conf"))
    after = Facts(ready_vault)
    assert (after.sealed, after.versions) == (before.sealed, before.versions)
