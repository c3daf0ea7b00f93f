"""`doctor`: a good vault has no problem; each trouble has its finding, its fix and its exit code."""

import re
import shutil

import pytest

from cards import SoftCard, untouched
from examining import CHECKS, examine, fake_card
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from tampering import Store


# ---- good ----

def test_good_vault(ready_vault):
    """Every check tells something, none a problem; no session with the card, nothing written."""
    spy = SoftCard(ready_vault).spy()
    with untouched(ready_vault):
        found = examine(ready_vault)
    found.is_well()
    assert {finding["check"] for finding in found.findings} == CHECKS | {"module", "card", "pin"}
    for check in CHECKS - {"tracing", "swap", "secretmem", "landlock", "programs", "process",
                           "build", "apps", "anchor"}:
        assert {finding["state"] for finding in found.of(check)} == {"ok"}, (check, found.result)
    found.has("warning", "apps", "one card opens 'ads'", "card enroll")
    found.has("warning", "anchor", "in files of this machine: a weak anchor", "audit export")
    found.has("ok", "log", "entries", "signed", "tail")
    assert spy.logins == 0 and spy.calls("C_OpenSession") == 0


def test_text_says_the_same(soft_vault):
    """One line a finding, its fix below it."""
    result = soft_vault.run("doctor")
    told = re.sub(r"\n         fix: ", "\t", result.out).splitlines()
    lines = [re.fullmatch(r"(ok|warning|problem) {1,8}(\w+) +([^\t]+)\t?(.*)", line) for line in told]
    assert result.code == 0 and all(lines), result
    wanted = [tuple(finding[key] for key in ("state", "check", "text", "fix"))
              for finding in examine(soft_vault).findings]
    changing = {"disk", "clock"}
    assert [line.groups() for line in lines if line[2] not in changing] == \
        [finding for finding in wanted if finding[1] not in changing]
    assert re.search(r"^ok       memory     \S", result.out, re.MULTILINE), result


def test_before_init(vault):
    """Nothing is there yet: it says the first steps."""
    found = examine(vault)
    found.fails(14, "modules", "no PKCS#11 module is configured", "[module ")
    found.has("problem", "store", "no vault", "p11vault init")


# ---- configuration, vault, store, log ----

def no_module(vault):
    vault.config.write_text("")


def wrong_key(vault):
    vault.configure("[vault]\ncolour = blue\n")


def open_config(vault):
    vault.config.chmod(0o666)


def missing_module(vault):
    SoftCard(vault).change("path", vault.base / "no.so")


def writable_module(vault):
    copy = vault.base / "module.so"
    shutil.copy(SoftCard(vault).module, copy)
    copy.chmod(0o666)
    SoftCard(vault).change("path", copy)


def no_library(vault):
    SoftCard(vault).change("path", vault.write("module.so", "not a library"))


def open_pin(vault):
    SoftCard(vault).pin.chmod(0o644)


def missing_pin(vault):
    SoftCard(vault).pin.unlink()


def missing_ca(vault):
    vault.configure(f"[tls]\nca = {vault.base / 'no.pem'}\n")


def odd_ca(vault):
    vault.configure(f"[origin https://localhost:1]\nca = {vault.write('ca.pem', 'DER')}\n")


def open_vault(vault):
    vault.directory.chmod(0o755)


def missing_vault(vault):
    moved = vault.base / "moved"  # with the card, which stays where its module finds it
    vault.directory.rename(moved)
    for file in (vault.config, moved / "soft" / "softhsm2.conf"):
        file.write_text(file.read_text().replace(str(vault.directory), str(moved)))


def damaged_store(vault):
    (vault.directory / "vault.db").write_bytes(b"SQLite format 3\0" + b"x" * 4096)


def missing_trust(vault):
    vault.trust.unlink()


def open_trust(vault):
    vault.trust.chmod(0o666)


def odd_trust(vault):
    vault.trust.write_text("this is no key\n")


def changed_checkpoint(vault):
    Store(vault.directory / "vault.db")("UPDATE checkpoint SET note = replace(note, ?, ?)",
                                        "\n\n", "\nmore\n\n")


def changed_entry(vault):
    store = Store(vault.directory / "vault.db")
    size = store.one("SELECT max(size) FROM checkpoint")
    store("UPDATE entry SET text = replace(text, ?, ?) WHERE idx = ?", '"time":"2', '"time":"1',
          size - 1)


def rolled_back(vault):
    store = vault.directory / "vault.db"
    old = store.read_bytes()
    vault.done("card", "enroll")
    store.write_bytes(old)


def future_entry(vault):
    store = Store(vault.directory / "vault.db")
    newest = store.one("SELECT max(idx) FROM entry")
    text = re.sub('"time":"....', '"time":"2999', store.one("SELECT text FROM entry WHERE idx = ?",
                                                            newest))
    store.set_entry(newest, text)


TROUBLES = [
    (no_module, 14, "modules", "no PKCS#11 module is configured", "[module "),
    (wrong_key, 14, "config", "[vault] has no key 'colour'", "p11vault.conf"),
    (open_config, 14, "config", "can be written by others", "chmod go-w "),
    (missing_module, 14, "module", "soft: ", "no.so", "No such file", "card list"),
    (writable_module, 14, "module", "soft: ", "can be written by others", "chmod go-w "),
    (no_library, 14, "module", "soft: load PKCS#11 module", "card list"),
    (open_pin, 14, "pin", "is open to others (mode 0644)", "chmod 600 "),
    (missing_pin, 14, "pin", "No such file", "pin-source"),
    (missing_ca, 14, "tls", "[tls]: ", "no.pem", "set ca in [tls]"),
    (odd_ca, 14, "tls", "[origin https://localhost:1]: ", "no certificate in PEM", "set ca in "),
    (open_vault, 14, "vault", "is open to others (mode 0755)", "chmod 700 "),
    (missing_vault, 14, "vault", "No such file", "p11vault init"),
    (damaged_store, 30, "store", "vault.db", "backup"),
    (missing_trust, 14, "trust", "but its log is signed", "your copy"),
    (open_trust, 14, "trust", "can be written by others", "chmod go-w "),
    (odd_trust, 14, "trust", "trust file: line 1: ", "your copy"),
    (changed_checkpoint, 30, "log", "checkpoint ", "audit verify"),
    (changed_entry, 30, "log", "the log was changed since checkpoint ", "audit verify"),
    (rolled_back, 30, "log", "rolled back", "audit verify"),
    (future_entry, 14, "clock", "before the log's last entry, 2999-", "timedatectl"),
]


@pytest.mark.parametrize("spoil, code, check, words", [(t[0], t[1], t[2], t[3:]) for t in TROUBLES],
                         ids=lambda value: getattr(value, "__name__", ""))
def test_trouble(soft_vault, spoil, code, check, words):
    """Found, with the command that mends it, and nothing else is taken for a problem."""
    spoil(soft_vault)
    found = examine(soft_vault)
    found.fails(code, check, *words)
    assert len(found.problems) == 1, found.result


def test_nothing_seen(soft_vault):
    """Without the head that this machine has seen an older store would pass."""
    next(soft_vault.trust.parent.glob("trust.*.head")).unlink()
    found = examine(soft_vault)
    found.is_well()
    found.has("warning", "log", "an older store would not be noticed", "audit verify")


def test_not_enrolled(vault):
    """A vault without a card is a warning."""
    vault.done("init", "--soft")
    found = examine(vault)
    found.is_well()
    found.has("warning", "trust", "no card yet", "card enroll")


def test_gravest(soft_vault):
    """Several problems: all are told, the gravest decides."""
    open_pin(soft_vault)
    changed_checkpoint(soft_vault)
    found = examine(soft_vault)
    found.fails(30, "log", "checkpoint ")
    found.has("problem", "pin", "chmod 600 ")
    assert "doctor: 2 problems, the gravest: log: " in found.result.err, found.result


# ---- cards ----

def test_card_out(soft_vault):
    """An empty reader is a warning; that no card can open this vault is the problem."""
    SoftCard(soft_vault).take_out()
    found = examine(soft_vault)
    found.has("warning", "module", "soft: ", "has no card")
    found.fails(20, "card", "no card that this vault trusts is there", "vault ", "card list")


SET = 0x400 | 0x8  # the token and its PIN are initialised


@pytest.mark.parametrize("card, code, state, check, words", [
    (SET, 0, "ok", "card", ("fake: fake ? f00d: PIN ok",)),
    (SET | 0x40000, 22, "problem", "card", ("f00d: PIN locked", "unblock")),
    (SET | 0x20000, 0, "warning", "card", ("f00d: one PIN try left", "--ask-pin")),
    (SET | 0x10000, 0, "warning", "card", ("f00d: a wrong PIN was given", "--ask-pin")),
    (SET | 0x80000, 0, "warning", "card", ("f00d: PIN is the factory's", "--change-pin")),
    (0x400, 0, "warning", "card", ("f00d: no PIN set", "--init-pin")),
    ("none", 0, "warning", "module", ("fake: ", "has no card", "card list")),
    ("fail", 23, "problem", "module", ("fake: ", "CKR_DEVICE_ERROR", "card list")),
    ("crash", 23, "problem", "module", ("fake: ", "killed by signal 9", "card list")),
    ("hang", 23, "problem", "module", ("fake: ", "did not answer in time", "card list")),
])
def test_cards(soft_vault, card, code, state, check, words):
    """Each state of a PIN and each kind of broken module; the other module's card is still told."""
    module = fake_card(soft_vault.base)
    soft_vault.configure(f"[module fake]\npath = {module}\nenv.FAKE_CARD = {card}\n")
    found = examine(soft_vault, timeout=30)
    found.has(state, check, *words)
    found.has("ok", "card", "soft: vault ", "PIN ok")
    if code:
        found.fails(code, check, *words)
    else:
        found.is_well()


def test_usage(soft_vault):
    """It takes no name and no option of other verbs."""
    for arguments in (("ads",), ("--ask-pin",)):
        assert soft_vault.run("doctor", *arguments).code == 2


# ---- the programs ----

def test_programs(soft_vault):
    """Unreadable ones are as installed; one that others can write is not started."""
    place = soft_vault.base / "programs"
    place.mkdir(mode=0o755)
    for program in ("p11vault", "p11vault-card", "p11vault-exchange"):
        shutil.copy(soft_vault.programs / program, place / program)
        (place / program).chmod(0o711)
    built, soft_vault.programs = soft_vault.programs, place
    try:
        found = examine(soft_vault)
        found.is_well()
        (place / "p11vault-exchange").chmod(0o755)
        examine(soft_vault).has("warning", "programs", "(mode 0755)", f"chmod 0711 {place}")
        (place / "p11vault-exchange").chmod(0o722)
        examine(soft_vault).fails(14, "programs", "can be written by others", "chmod go-w ")
    finally:
        soft_vault.programs = built
