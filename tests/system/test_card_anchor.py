"""The head of the log that the card keeps: an older store is refused because of it, also where nothing else knows."""

import sqlite3
from pathlib import Path

import pytest

from anchored import Anchored, fixture_ready  # noqa: F401
from cards import GRANT, Facts, exchange_again, grant_untouched, refused
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from rooms import Room
from telling import (  # noqa: F401
    Use, anchor_label, begin, card_tool, card_with_head, fixture_facts, put_head, tell)
from test_card_faults import Shim
from treelog import entry, root

OLDER = "the store was rolled back or replaced: its log was last signed at "


# ---- what is refused ----

def test_an_older_store(ready, graph):
    """Its head and what this machine remembers are gone: the card knows, and nothing is opened."""
    kept = ready.keep()
    size = ready.sign()
    ready.roll_back(kept)
    asked = len(graph.requests("exchange"))
    with grant_untouched(ready.vault):
        refused(ready.vault.run("exchange", GRANT), 30, OLDER,
                f"card 'vault {ready.card.serial}' has signed for {size}", "docs/runbook.md")
    assert len(graph.requests("exchange")) == asked
    assert ready.on_card == size


@pytest.mark.parametrize("verb", [("audit", "checkpoint"), ("card", "enroll"),
                                  ("app", "reseal", "ads"), ("app", "rekey", "ads")],
                         ids=" ".join)
def test_every_use_of_the_card(ready, verb):
    """Nothing is signed, whatever it is for, and the anchor is not lowered."""
    kept = ready.keep()
    size = ready.sign()
    ready.roll_back(kept)
    refused(ready.vault.run(*verb), 30, OLDER)
    assert ready.on_card == size


def test_a_fork(ready, graph):
    """Two copies of one store were used, each with the card as it was then: it keeps to one of them."""
    kept, card = ready.keep(), ready.card.keep()
    size = ready.sign()
    newer = ready.card.keep()
    ready.roll_back(kept)
    ready.card.put_back(card)
    exchange_again(ready.vault, graph)
    ready.sign()
    ready.card.put_back(newer)
    refused(ready.vault.run("exchange", GRANT), 30,
            f"the log was forked: its first {size} entries are not those that card ")
    assert ready.on_card == size


def test_an_older_store_that_has_grown(ready):
    """By runs that were refused, past the card's head: that makes it no newer."""
    kept = ready.keep()
    size = ready.sign()
    ready.roll_back(kept)
    for _ in range(3):
        refused(ready.vault.run("audit", "checkpoint"), 30, OLDER, f"has signed for {size}")


def test_an_older_store_and_card(ready, graph):
    """A card in files is rolled back with the store: a weak anchor, and called one."""
    kept, card = ready.keep(), ready.card.keep()
    ready.sign()
    ready.roll_back(kept)
    ready.card.put_back(card)
    exchange_again(ready.vault, graph)
    assert "in files of this machine: a weak anchor" in ready.vault.done("audit", "verify").err


def test_a_head_that_leads(ready):
    """The run ended between the card's write and the store's: the entries are there, so nothing is lost."""
    size = ready.sign()
    with sqlite3.connect(ready.store) as store:
        store.execute("DELETE FROM checkpoint WHERE size = ?", (size,))
        store.execute("DELETE FROM entry WHERE idx > ?", (size - 1,))
        store.execute("DELETE FROM node WHERE (position + 1) << level > ?", (size,))
    store.close()
    ready.head.unlink()
    assert ready.on_card == size
    assert ready.sign() > size


# ---- what is written ----

def test_how_often_it_is_written(ready_vault, graph):
    """Not at each use: flash wears out.  When it is asked for, once: the new one, then the old one goes."""
    shim = Shim(ready_vault)
    names = ("C_CreateObject", "C_DestroyObject", "C_Login", "C_Sign")
    exchange_again(ready_vault, graph)
    created, _, logins, signatures = shim.calls(*names)
    assert (created, logins, signatures) == (0, 1, 1)
    ready_vault.done("audit", "checkpoint")
    assert shim.calls(*names) == [1, 1, 1, 1]
    ready_vault.done("app", "reseal", "ads")
    assert shim.calls("C_CreateObject") == [1]


def test_it_is_written_when_it_is_a_day_old(ready, graph):
    """The same head with an older time; what is signed next takes its place."""
    text = ready.card.tool("--read-object", "--type", "data", "--label", ready.label)
    origin, size, root, time = text[text.index("p11vault/"):].split("\n")[:4]
    ready.card.tool("--delete-object", "--type", "data", "--label", ready.label)
    ready.put(f"{origin}\n{size}\n{root}\n{int(time) - 86400}\n")
    before = ready.on_card
    exchange_again(ready.vault, graph)
    assert ready.on_card > before


def test_it_is_told_once(ready):
    """Weak is news once, and stays in what `doctor` and `audit verify` say."""
    assert "weak anchor" not in ready.vault.done("audit", "checkpoint").err
    assert ready.remembered == {"kind": "weak", "size": ready.on_card, "why": ""}
    assert "weak anchor" in ready.vault.done("doctor").out


def test_it_is_gone(ready, graph):
    """Whoever knows the PIN has taken it away: that is told, and the next signature leaves one."""
    ready.card.tool("--delete-object", "--type", "data", "--label", ready.label)
    result = exchange_again(ready.vault, graph)
    assert f"the head of the log that card '{ready.card.serial}' kept is gone" in result.err
    assert ready.on_card == ready.remembered["size"]


def test_what_else_has_its_name(ready):
    """One that was cut short goes, one of another vault stays, and neither counts."""
    ready.put("p11vault/")
    other = f"p11vault/{'0' * 32}\n999\n{'A' * 43}=\n1800000000\n"
    ready.put(other)
    ready.sign()
    assert ready.card.tool("-O", "--type", "data").count(ready.label) == 2
    ready.sign()
    assert ready.card.tool("-O", "--type", "data").count(ready.label) == 2


@pytest.mark.parametrize("time", ["", "1234567890123456"], ids=["none", "too long"])
def test_a_time_that_is_none(ready, time):
    """Whatever head stands above it: it is no head, and goes as one does that was cut short."""
    text = ready.card.tool("--read-object", "--type", "data", "--label", ready.label)
    origin = text[text.index("p11vault/"):].split("\n")[0]
    ready.put(f"{origin}\n999\n{'A' * 43}=\n{time}\n")
    ready.sign()
    assert ready.card.tool("-O", "--type", "data").count(ready.label) == 1


def test_what_was_left_behind_goes_first(ready):
    """Where no new one can be made, too: otherwise they would pile up."""
    text = ready.card.tool("--read-object", "--type", "data", "--label", ready.label)
    size = ready.sign()
    ready.put(text[text.index("p11vault/"):])
    shim = Shim(ready.vault)
    shim.plan("C_CreateObject:1:rv=0x31")
    assert "CKR_DEVICE_MEMORY" in ready.vault.done("audit", "checkpoint").err
    assert ready.card.tool("-O", "--type", "data").count(ready.label) == 1
    assert ready.on_card == size


# ---- another process at the same card ----

def sign_beside(programs, facts, use, environment):
    """The signature, while another process leaves a head of 120 entries on the card; what is told of the anchor."""
    place = Path(environment["SOFTHSM2_CONF"]).parent
    with Room(programs, "card", environment, arguments=["--writable", str(place)]) as room:
        begin(room, use)
        put_head(environment, facts, 120, root(use.leaves(3)))
        tell(room, [use.head(), *use.tail(), ["sign"]])
        *_, size, why = room.expect("signed")
    said = card_tool(environment, facts.vault, "-O", "--type", "data").decode()
    return size, why, said.count(anchor_label(facts.origin))


def test_a_higher_one_that_came_meanwhile(programs, facts):
    """It stays, alone, and is what is told."""
    use = Use(facts)
    use.purpose, use.count, use.slots, use.unlocks = "audit checkpoint log", 0, 0, []
    use.set_intent(verb="audit checkpoint", name="log", opens=[], seals=[])
    assert sign_beside(programs, facts, use, facts.environment) == (120, "", 1)


def test_a_higher_one_than_is_given_up(programs, facts):
    """A person gives up the head that was read, and none that came meanwhile."""
    use = Use(facts)
    use.purpose, use.count, use.slots, use.unlocks = "audit accept an older log", 0, 0, []
    use.set_intent(verb="audit accept", name="an older log", opens=[], seals=[])
    kept = root(use.leaves(4))
    use.entries.insert(-1, entry("restored", vault=use.origin.partition("/")[2], size=99,
                                 root=kept.hex(), seen="card", card=facts.serial, use=use.use))
    environment = card_with_head(facts, 99, kept)
    size, why, count = sign_beside(programs, facts, use, environment)
    assert (size, why, count) == (120, "", 2)


def test_two_are_there(ready):
    """The older one was left behind by a run that ended in the middle: the greater counts, the other goes."""
    kept = ready.keep()
    text = ready.card.tool("--read-object", "--type", "data", "--label", ready.label)
    size = ready.sign()
    ready.put(text[text.index("p11vault/"):])
    assert ready.card.tool("-O", "--type", "data").count(ready.label) == 2
    later = ready.keep()
    ready.roll_back(kept)
    refused(ready.vault.run("exchange", GRANT), 30, f"has signed for {size}")
    ready.roll_back(later, head=True)
    assert ready.sign() == ready.on_card


# ---- a card that fails ----

@pytest.mark.parametrize("plan, words", [
    ("C_CreateObject:1:rv=0x31", "CKR_DEVICE_MEMORY"),
    ("C_CreateObject:1:rv=0xe2", "CKR_TOKEN_WRITE_PROTECTED"),
    ("C_CreateObject:1:rv=0xb5", "CKR_SESSION_READ_ONLY"),
    ("C_CreateObject:1:rv=0x13", "CKR_ATTRIBUTE_VALUE_INVALID"),
    ("C_DestroyObject:1:rv=0x30", "CKR_DEVICE_ERROR")])
def test_it_cannot_be_written(ready_vault, plan, words):
    """The signature and its outcome stay; the trouble is told once, and mended by the next that works."""
    ready, shim = Anchored(ready_vault), Shim(ready_vault)
    before = ready.on_card
    shim.plan(plan)
    result = ready_vault.done("audit", "checkpoint")
    assert "a weak anchor; it could not be renewed: " in result.err and words in result.err
    assert Facts(ready_vault).outcome["result"] == "done"
    assert words in ready.remembered["why"]
    assert "it could not be renewed" not in ready_vault.done("audit", "checkpoint").err \
        or plan.startswith("C_Destroy")
    shim.write()
    assert ready.sign() == ready.on_card > before
    assert ready.remembered["why"] == ""


def test_it_never_could(soft_vault):
    """A card without such objects serves all the same, and is said to have no anchor."""
    ready, shim = Anchored(soft_vault), Shim(soft_vault)
    ready.card.tool("--delete-object", "--type", "data", "--label", ready.label)
    for _ in range(2):
        shim.plan("C_CreateObject:1:rv=0xe2")
        result = soft_vault.done("audit", "checkpoint")
    assert "note: card" not in result.err
    assert ready.remembered["kind"] == "none"
    for result in (soft_vault.done("audit", "verify").err, soft_vault.done("doctor").out):
        assert "no anchor" in result and "CKR_TOKEN_WRITE_PROTECTED" in result


@pytest.mark.parametrize("fault", ["die", "hang"])
def test_a_module_that_ends_in_the_write(ready_vault, fault):
    """The use has failed and its outcome says so; the next one works, and nothing is left on the card."""
    ready, shim = Anchored(ready_vault), Shim(ready_vault)
    shim.write(**{"env.P11FAULT_PLAN": f"C_CreateObject:1:{fault}", "deadline": 5})
    assert ready_vault.run("audit", "checkpoint").code == 23
    assert Facts(ready_vault).outcome["result"] == "failed"
    ready.card.change("deadline", None)
    shim.write()
    assert ready.sign() == ready.on_card


@pytest.mark.parametrize("plan", ["C_FindObjects:2:rv=0x30", "C_GetAttributeValue:1:rv=0x30"])
def test_it_cannot_be_read(ready_vault, plan):
    """What cannot be compared is not signed for."""
    shim = Shim(ready_vault)
    shim.plan(plan)
    refused(ready_vault.run("audit", "checkpoint"), 23, "CKR_DEVICE_ERROR")
    shim.write()
    ready_vault.done("audit", "checkpoint")
