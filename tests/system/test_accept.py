"""Going on from an older store: refused until a person and a card accept it, and then it stands in the log for good."""

import base64
import json
import shutil

import pytest

from anchored import Anchored, fixture_ready  # noqa: F401
from cards import GRANT, Facts, exchange_again, refused
from killing import Snapshot
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from rooms import REFUSED, Room, has_walls
from tampering import Store
from telling import Use, begin, card_with_head, fixture_facts, prepared, tell  # noqa: F401
from treelog import entry, root

CONFIG, MODULE = 14, 23
OLDER = "the store was rolled back or replaced"


def restored(vault):
    """The entries that name a lost head."""
    return [line for line in Facts(vault).entries if line["type"] == "restored"]


def lose(ready, head=False):
    """The store is older than what was signed since; how much that was."""
    kept = ready.keep()
    size = ready.sign()
    ready.lost = ready.keep()
    ready.roll_back(kept, head)
    return size


@pytest.mark.parametrize("head", [False, True], ids=["card", "machine and card"])
def test_it_is_accepted(ready, head, graph):
    """The log names the lost head, a card has signed that, and everything works again."""
    size = lose(ready, head)
    refused(ready.vault.run("exchange", GRANT), 30, OLDER, "p11vault audit accept")
    result = ready.vault.done("audit", "accept", "--yes")
    assert f"lost: the head of {size} entries" in result.err
    (said,) = restored(ready.vault)
    assert (said["size"], said["seen"]) == (size, "machine" if head else "card")
    assert said.get("card") == (None if head else ready.card.serial)
    exchange_again(ready.vault, graph)
    verified = ready.vault.done("audit", "verify")
    assert f"names the head of {size} entries that was lost" in verified.err
    assert "restored" in json.loads(ready.vault.done("audit", "verify", "--json").out)
    assert f"without the lost head of {size} entries" in ready.vault.done("audit", "show").out
    assert ready.sign() == ready.on_card


def test_what_was_lost_does_not_come_back(ready):
    """The newer store turns up after all: it is the other log now, for the card and for this machine."""
    lose(ready)
    ready.vault.done("audit", "accept", "--yes")
    file, head = ready.head, ready.head.read_text()
    for with_head in (True, False):
        ready.roll_back(ready.lost, head=with_head)
        refused(ready.vault.run("exchange", GRANT), 30, "")
        file.write_text(head)


def test_it_takes_a_person(ready):
    """Without a terminal and without --yes nothing happens."""
    lose(ready)
    before = ready.keep()
    refused(ready.vault.run("audit", "accept"), 2, "nothing was changed", "--yes")
    assert ready.keep() == before


def test_the_pin_is_asked_for_this(ready):
    """The prompt of the card room says what the signature is for."""
    lose(ready)
    pin = ready.card.pin.read_text()
    result = ready.vault.run("audit", "accept", "--ask-pin", pty=[
        ("give up for good", "y\n"), (r"\(audit accept an older log, 1 use\): ", pin + "\n")])
    assert result.code == 0, result
    assert len(restored(ready.vault)) == 1


def test_nothing_is_lost(ready):
    """A store that is whole has nothing to accept, and no head is given up."""
    refused(ready.vault.run("audit", "accept", "--yes"), 2, "nothing is lost")
    assert not restored(ready.vault)
    ready.vault.done("audit", "checkpoint")


def test_it_is_accepted_again_after_a_failure(ready):
    """The signature was not made: what was written is void, and the store is refused as before."""
    size = lose(ready, head=True)
    tokens = ready.card.keep()
    ready.card.take_out()
    assert ready.vault.run("audit", "accept", "--yes").code == 20
    ready.card.put_back(tokens)
    refused(ready.vault.run("exchange", GRANT), 30, OLDER)
    ready.vault.done("audit", "accept", "--yes")
    assert [said["size"] for said in restored(ready.vault)] == [size]


def test_every_card_is_asked(ready):
    """Another card may have seen another head: nothing proves that it was part of what was lost."""
    first = ready.card.serial
    second = ready.card.add_second()
    ready.vault.done("card", "enroll", f"pkcs11:serial={second}")
    kept = ready.keep()
    for serial in (first, second):
        ready.vault.done("audit", "checkpoint", "--card", serial)
    ready.roll_back(kept)
    ready.vault.done("audit", "accept", "--yes", "--card", first)
    refused(ready.vault.run("audit", "checkpoint", "--card", second), 30, OLDER)
    ready.vault.done("audit", "accept", "--yes", "--card", second)
    assert [said["card"] for said in restored(ready.vault)] == [first, second]
    for serial in (first, second):
        ready.vault.done("audit", "checkpoint", "--card", serial)


# ---- from a backup ----

def test_an_older_backup(ready, graph):
    """The vault is gone; its backup is older.  Grants whose seals stand in it are as good as they were."""
    backup = ready.vault.base / "backup"
    ready.vault.done("backup", backup)
    exchange_again(ready.vault, graph)
    size = ready.sign()
    soft = ready.vault.base / "soft"
    shutil.copytree(ready.card.directory, soft)
    shutil.rmtree(ready.vault.directory)
    refused(ready.vault.run("restore", backup), 30, OLDER)
    refused(ready.vault.run("restore", backup, "--lost-head"), 2, "nothing was changed")
    assert not ready.store.exists()
    shutil.copytree(soft, ready.card.directory)
    ready.vault.directory.chmod(0o700)
    result = ready.vault.done("restore", backup, "--lost-head", "--yes")
    assert f"lost: the head of {size} entries that this machine had seen" in result.err
    (said,) = restored(ready.vault)
    assert (said["size"], said["seen"]) == (size, "machine")
    exchange_again(ready.vault, graph)
    assert ready.sign() == ready.on_card


def test_a_backup_without_its_card(ready, graph):
    """It is put in place and refused until a card has signed for it."""
    backup = ready.vault.base / "backup"
    ready.vault.done("backup", backup)
    ready.sign()
    soft = ready.vault.base / "soft"
    shutil.move(ready.card.directory, soft)
    shutil.rmtree(ready.vault.directory)
    result = ready.vault.run("restore", backup, "--lost-head", "--yes")
    # The room's walls miss the card's directory first; without them it is the module that does.
    assert result.code == (CONFIG if has_walls(ready.vault.programs) else MODULE), result
    assert "p11vault audit accept" in result.err
    shutil.copytree(soft, ready.card.directory)
    refused(ready.vault.run("exchange", GRANT), 30, OLDER)
    ready.vault.done("audit", "accept", "--yes")
    exchange_again(ready.vault, graph)


def test_a_backup_that_is_as_new(ready):
    """Then there is nothing to accept, and that is no error."""
    backup = ready.vault.base / "backup"
    ready.vault.done("backup", backup)
    kept = Snapshot(ready.vault)
    ready.store.unlink()
    for name in ("vault.db-wal", "vault.db-shm"):
        (ready.vault.directory / name).unlink(missing_ok=True)
    result = ready.vault.done("restore", backup, "--lost-head", "--yes")
    assert "nothing is lost" in result.err
    kept.remove()


# ---- who could want to excuse a rollback ----

def test_nobody_else_writes_such_an_entry(ready):
    """A writer of the store puts one into the tail: it is void, and the store is refused as before."""
    size = lose(ready)
    text = ready.card.tool("--read-object", "--type", "data", "--label", ready.label)
    origin, _, told, _ = text[text.index("p11vault/"):].split("\n")[:4]
    named = base64.b64decode(told).hex()
    planted = entry("restored", vault=origin.partition("/")[2], size=size, root=named, seen="card",
                    card=ready.card.serial, use="0" * 32)
    Store(ready.store).append(planted, "restored", named)
    refused(ready.vault.run("exchange", GRANT), 30, OLDER)
    assert ready.on_card == size


@pytest.mark.parametrize("purpose", ["exchange ads/user/alice", "audit checkpoint log",
                                     "audit accept an older log "])
def test_no_card_signs_it_for_another_purpose(programs, facts, purpose):
    """The card room, driven directly: the PIN was asked for something else."""
    use = Use(facts)
    use.purpose = purpose
    use.entries.insert(-1, entry("restored", vault=use.origin.partition("/")[2], size=99,
                                 root=root(use.leaves(4)).hex(), seen="machine", use=use.use))
    with Room(programs, "card", facts.environment) as room:
        begin(room, use)
        tell(room, [*use.orders(), ["sign"]])
        room.refuses(REFUSED, "grants trust and was never signed")


@pytest.mark.parametrize("changes", [
    {"size": 100}, {"root": "0" * 64}, {"vault": "0" * 32}], ids=lambda changes: [*changes][0])
def test_another_head_is_named(programs, facts, changes):
    """An acceptance gives up the head that it names, and no other that the card keeps."""
    use = Use(facts)
    use.purpose, use.count, use.slots, use.unlocks = "audit accept an older log", 0, 0, []
    kept = use.leaves(4)
    told = {"vault": use.origin.partition("/")[2], "size": 99, "root": root(kept).hex(),
            "seen": "card", "card": facts.serial, "use": use.use}
    use.set_intent(verb="audit accept", name="an older log", opens=[], seals=[])
    use.entries.insert(-1, entry("restored", **{**told, **changes}))
    with Room(programs, "card", card_with_head(facts, 99, root(kept))) as room:
        begin(room, use)
        tell(room, [use.head(), *use.tail(), ["sign"]])
        room.refuses(REFUSED, OLDER)


def test_the_head_of_the_card_is_named(programs, facts):
    """What the test above deviates from."""
    use = Use(facts)
    use.purpose, use.count, use.slots, use.unlocks = "audit accept an older log", 0, 0, []
    kept = root(use.leaves(4))
    use.set_intent(verb="audit accept", name="an older log", opens=[], seals=[])
    use.entries.insert(-1, entry("restored", vault=use.origin.partition("/")[2], size=99,
                                 root=kept.hex(), seen="card", card=facts.serial, use=use.use))
    with Room(programs, "card", card_with_head(facts, 99, kept)) as room:
        begin(room, use)
        tell(room, [use.head(), *use.tail(), ["sign"]])
        assert room.expect("signed")[1] == len(use.entries)


# ---- a file elsewhere ----

class Elsewhere(Anchored):
    """The same vault with `anchor` in its configuration."""

    def __init__(self, vault):
        super().__init__(vault)
        self.file = vault.base / "far/head"
        self.file.parent.mkdir(mode=0o700)
        text = vault.config.read_text()
        vault.config.write_text(f"[vault]\nanchor = {self.file}\n{text}")

    @property
    def size(self):
        """That it names."""
        return int(self.file.read_text().split("\n")[1])


@pytest.fixture(name="far")
def _far(ready_vault):
    return Elsewhere(ready_vault)


def test_the_file_elsewhere(far):
    """Store, this machine's memory and the card in files are all older: the file knows."""
    kept, card = far.keep(), far.card.keep()
    size = far.sign()
    assert far.size == size and far.file.read_text() == far.head.read_text()
    assert f"{far.file} keeps the head of the log" in far.vault.done("doctor").out
    far.roll_back(kept)
    far.card.put_back(card)
    refused(far.vault.run("exchange", GRANT), 30, OLDER, f"checkpoint {size}, which stands in",
            far.file, "p11vault audit accept")
    refused(far.vault.run("audit", "verify"), 30, OLDER)
    assert far.size == size
    far.vault.done("audit", "accept", "--yes")
    assert [(said["size"], said["seen"]) for said in restored(far.vault)] == [(size, "file")]
    far.vault.done("audit", "verify")
    assert far.sign() == far.size


def test_the_file_is_not_there(far):
    """A mount that is missing is not taken for a new file."""
    far.sign()
    far.file.unlink()
    far.file.parent.rmdir()
    with_store = far.keep()
    assert "mount it" in far.vault.run("doctor").out
    refused(far.vault.run("audit", "checkpoint"), 14, far.file, "mount it")
    assert far.keep() == with_store
    far.file.parent.mkdir(mode=0o700)
    assert far.sign() == far.size


def test_the_file_of_another_vault(far):
    """It is refused, and not written over."""
    far.sign()
    other = far.file.read_text().replace("p11vault/", "p11vault/0", 1)
    far.file.write_text(other)
    refused(far.vault.run("audit", "checkpoint"), 30, far.file)
    assert far.file.read_text() == other
