"""Wrong secrets, names, options, files, stores: refused with words that help; nothing written."""

import fcntl
import os
import sqlite3

import pytest

from cards import GRANT, SoftCard, grant_untouched, refused, untouched
from prepared import fixture_graph, fixture_prepared, fixture_ready_vault  # noqa: F401

APP_ID = "1234567890"
ADD = ("app", "add", "new", "--id", APP_ID)
IMPORT = ("import", "ads/user/bob")
LIMIT = 16 * 1024
GOOD = "0123456789abcdef0123456789abcdef"


# ---- secrets ----

WRONG = pytest.mark.parametrize("value, words", [
    ("", "it is empty"), ("\n", "it is empty"),
    ("a" * (LIMIT + 1), "longer than 16384 bytes"),
    ("abcd\x01efgh", "byte 5 of 9 is a control character"),
    ("abcd\0efgh", "byte 5 of 9 is a control character"),
    ("abcd\nefgh\n", "byte 5 of 9 is white space"), ("abcd ", "byte 5 of 5 is white space"),
    ("abcdé", "byte 5 of 6 is not ASCII"),
], ids=lambda value: f"{value:.12}".strip())


@pytest.mark.parametrize("verb", [IMPORT, ("app", "set-secret", "ads")])
@WRONG
def test_piped_values(ready_vault, verb, value, words):
    """What cannot be a secret or a token is not sealed; no card is asked."""
    spy = SoftCard(ready_vault).spy()
    with untouched(ready_vault):
        result = ready_vault.run(*verb, stdin=value)
        refused(result, 2, words)
        assert "abcd" not in result.err
    assert spy.logins == 0


@WRONG
def test_the_piped_secret_of_a_new_app(ready_vault, value, words):
    """It is read when it can be sealed, so the card was asked already: no app comes of it."""
    with grant_untouched(ready_vault):
        result = ready_vault.run(*ADD, stdin=value)
        refused(result, 2, words)
        assert "abcd" not in result.err
    assert "new" not in ready_vault.done("app", "list").out
    ready_vault.done(*ADD, stdin=GOOD)


def test_nobody_types_a_secret_for_a_card_that_is_not_there(ready_vault):
    """The card is asked first."""
    SoftCard(ready_vault).take_out()
    result = ready_vault.run(*ADD, pty=[])
    assert (result.code, result.terminal) == (20, ""), result


def test_files_with_values(ready_vault):
    """The same for what comes in a file."""
    for value, words in (("", "it is empty"), ("a" * (LIMIT + 1), "longer than 16384 bytes"),
                         ("abcd efgh", "access token: byte 5 of 9 is white space")):
        file = ready_vault.write("given/bad", value)
        with untouched(ready_vault):
            refused(ready_vault.run(*IMPORT, "--token-file", file), 2, words)


@pytest.mark.parametrize("option, verb", [("--token-file", IMPORT), ("--secret-file", ADD)])
def test_files_that_others_may_read(ready_vault, option, verb):
    """Somebody may have copied it already; the command that closes it is said."""
    file = ready_vault.write("given/open", GOOD, mode=0o644)
    with untouched(ready_vault):
        refused(ready_vault.run(*verb, option, file), 14, "open to others (mode 0644)",
                f"chmod 600 {file}")
        refused(ready_vault.run(*verb, option, f"{file}.none"), 14, "No such file", f"{file}.none")


def test_the_longest_value(ready_vault):
    """16 KiB and a line ending are taken."""
    ready_vault.done(*IMPORT, stdin="a" * LIMIT + "\r\n")
    ready_vault.done("audit", "verify")


# ---- names and options ----

@pytest.mark.parametrize("arguments, words, hint", [
    (("import", "ads/user/a b"), "the label must be 1 to 64 of A-Z a-z 0-9", ""),
    (("import", "ads/user/../x"), "the label must be", ""),
    (("import", "ads/user/" + "x" * 65), "the label must be 1 to 64", ""),
    (("import", "ads/user/é"), "the label must be", ""),
    (("import", ".ads/user/alice"), "the app must be", ""),
    (("import", "ads/robot/alice"), "no such kind of grant", "kinds are: user page system-user"),
    (("import", "ads/secret"), "a grant is named app/kind/label", ""),
    (("import", "ads"), "a grant is named app/kind/label", ""),
    (("exchange", "ads/user/a\x1b[2J"), "the label must be", ""),
    (("exchange", "ads/page/1"), "a grant of kind 'page' cannot be exchanged", ""),
    (("app", "add", "a/b", "--id", APP_ID), "the app must be", ""),
    (("app", "add", "ads", "--id", APP_ID), "there is an app 'ads' already",
     "p11vault app show ads"),
    (("app", "add", "new"), "the app id at the provider is missing",
     "p11vault app add new --id APP_ID"),
    (("app", "add", "new", "--id", "12x"), "'12x' cannot be an app id of meta", ""),
    (("app", "add", "new", "--id", APP_ID, "--provider", "no"), "there is no provider 'no'",
     "providers: meta"),
    ((*ADD, "--origin", "http://localhost"), "https", ""),
    ((*ADD, "--origin", "https://localhost/path"), "origin", ""),
    ((*ADD, "--origin", "https://user@localhost"), "origin", ""),
    (("card", "enroll", "serial=1"), "PKCS#11 URI does not begin with 'pkcs11:'", ""),
    (("card", "enroll", "--key", "rsa:1024"), "there is no kind of key 'rsa:1024'",
     "kinds of key: ec:P-256 ec:P-384 rsa:2048 rsa:3072 rsa:4096"),
    ((), "no verb", "p11vault --help"),
    (("exchnage", GRANT), "there is no verb 'exchnage'", "p11vault --help"),
    (("card",), "'card' needs one of: list, enroll, export, remove", "p11vault card --help"),
    (("audit", "shwo"), "there is no verb 'audit shwo'; 'audit' needs one of: show, verify, checkpoint, ",
     "p11vault audit --help"),
    (("shwo", "--help"), "there is no verb 'shwo'", "p11vault --help"),
    (("audit", "shwo", "--help"), "there is no verb 'audit shwo'", "p11vault audit --help"),
    (("exchange",), "'exchange' needs NAME", "p11vault exchange --help"),
    (("exchange", GRANT, GRANT), f"'{GRANT}' is named twice", ""),
    (("import", GRANT, "more"), "'import' takes only NAME", "p11vault import --help"),
    (("status", "ads", "more"), "'status' takes only", "p11vault status --help"),
    (("exchange", GRANT, "--frobnicate"), "there is no option '--frobnicate'", "p11vault --help"),
    (("exchange", GRANT, "--json=1"), "there is no option '--json=1'", "p11vault --help"),
    (("exchange", GRANT, "--token-file", "x"), "'exchange' takes no option '--token-file'",
     "p11vault exchange --help"),
    (("exchange", GRANT, "--card"), "a value is missing after option '--card'", "p11vault --help"),
    (("exchange", GRANT, "--card="), "a value is missing after option '--card'", "p11vault --help"),
])
def test_usage(ready_vault, arguments, words, hint):
    """Exit code 2, before a card is asked and before anything is written."""
    spy = SoftCard(ready_vault).spy()
    log = "audit", "show", "--json"
    before = ready_vault.done(*log).out
    result = ready_vault.run(*arguments)
    refused(result, 2, words, f"hint: {hint}" if hint else "")
    assert "\x1b" not in result.err
    if arguments[:2] == ("card", "enroll") and "--key" in arguments:
        return  # only a card knows its kinds of key, so this one has an intent
    assert ready_vault.done(*log).out == before and spy.logins == 0


@pytest.mark.parametrize("arguments, code, words", [
    (("import", "other/user/alice"), 2, "app 'other'"),
    (("exchange", "ads/user/bob"), 2, "ads/user/bob"),
    (("app", "show", "other"), 2, "app 'other'"),
])
def test_names_of_nothing(ready_vault, arguments, code, words):
    """Well-formed names of what is not there."""
    with untouched(ready_vault):
        refused(ready_vault.run(*arguments, stdin=GOOD), code, words, "hint: p11vault")


# ---- configuration ----

@pytest.mark.parametrize("text, line, words", [
    ("[vault]\n# a comment\ncolour = blue\n", 3, "section [vault] has no key 'colour'"),
    ("[nonsense]\n", 1, "there is no section [nonsense]"),
    ("dir = /tmp\n", 1, "key 'dir' stands before the first section"),
    ("[exchange]\n\ndeadline = 0\n", 3, "a deadline must be 1 to 3600 seconds"),
    ("[exchange]\ndeadline = 5\ndeadline = 6\n", 3, "twice"),
    ("[tls]\nca = relative\n", 2, "a path must begin with '/'"),
    ("[tls]\nca = /" + "x" * 300 + "\n", 2, "more than 198"),
    ("[tls]\njust words\n", 2, "neither a section, nor KEY = VALUE, nor a comment"),
    ("[module x]\nenv.LD_PRELOAD = /tmp/x.so\n", 2, "LD_PRELOAD steers the program loader"),
])
def test_configuration(ready_vault, text, line, words):
    """File and line are named."""
    ready_vault.write("given/config", text)
    file = ready_vault.base / "given" / "config"
    with untouched(ready_vault):
        refused(ready_vault.run("--config", file, "status"), 14, f"{file}:{line}: ", words)


@pytest.mark.parametrize("which, mode, words, command", [
    ("conf/p11vault.conf", 0o620, "can be written by others (mode 0620)", "chmod go-w"),
    ("conf", 0o770, "can be written by others (mode 0770)", "chmod go-w"),
    ("conf/trust", 0o602, "can be written by others (mode 0602)", "chmod go-w"),
    ("vault", 0o770, "open to others (mode 0770)", "chmod 700"),
    ("vault", 0o750, "open to others (mode 0750)", "chmod 700"),
    ("vault/vault.db", 0o660, "can be written by others (mode 0660)", "chmod go-w"),
])
def test_places_that_others_may_write(ready_vault, which, mode, words, command):
    """Refused with the command that mends it; and that command does mend it."""
    card = SoftCard(ready_vault)
    spy = card.spy()
    path = ready_vault.base / which
    path.chmod(mode)
    result = ready_vault.run("exchange", GRANT)
    refused(result, 14, words, f"hint: {command} {path}")
    assert spy.logins == 0
    hint = result.err.splitlines()[-1].removeprefix("hint: ").split()
    assert os.spawnvp(os.P_WAIT, hint[0], hint) == 0
    ready_vault.done("exchange", GRANT)


def test_places_of_somebody_else(ready_vault):
    """A vault or a configuration that another user owns is that user's to write."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for path in (ready_vault.directory, ready_vault.config):
        os.chown(path, 12345, -1)
        refused(ready_vault.run("exchange", GRANT), 14, f"{path} belongs to user 12345")
        os.chown(path, 0, -1)


# ---- stores ----

@pytest.mark.parametrize("statement, words", [
    ("PRAGMA user_version = 99", "store has schema 99, this program knows 1"),
    ("PRAGMA application_id = 1", "file is not a p11vault store"),
    ("CREATE TABLE extra (x)", "a table, view or trigger that is not ours"),
    ("CREATE TRIGGER t AFTER INSERT ON app BEGIN DELETE FROM app; END",
     "a table, view or trigger that is not ours"),
])
@pytest.mark.parametrize("verb", [("exchange", GRANT), ("status",), ("audit", "verify")])
def test_stores_of_another_kind(ready_vault, statement, words, verb):
    """Not read, not changed."""
    spy = SoftCard(ready_vault).spy()
    store = ready_vault.directory / "vault.db"
    with sqlite3.connect(store) as database:
        database.execute(statement)
    database.close()
    before = store.read_bytes()
    refused(ready_vault.run(*verb), 30, store, words)
    assert spy.logins == 0 and store.read_bytes() == before


def test_no_store(vault):
    """Where no vault is, the command that makes one is named."""
    refused(vault.run("status"), 14, f"no vault at {vault.directory}", "hint: p11vault init")
    vault.directory.rmdir()
    refused(vault.run("import", GRANT), 14, str(vault.directory), "p11vault init")


def test_a_second_init(ready_vault):
    """Never writes over what is there."""
    with untouched(ready_vault):
        refused(ready_vault.run("init"), 30, f"there is a vault already: {ready_vault.directory}",
                "hint: p11vault status, or --vault DIR")
        refused(ready_vault.run("init", "--soft"), 30, "there is a vault already")
        other = ready_vault.base / "other"
        result = ready_vault.run("--vault", other, "init", "--soft")
        assert result.code == 14 and "has a [module soft] already" in result.err
        assert "hint: remove that section, or use another --config FILE" in result.err


def test_busy(ready_vault):
    """A grant that another process works on."""
    (ready_vault.directory / "locks").mkdir(exist_ok=True)
    with open(ready_vault.directory / "locks" / GRANT.replace("/", ","), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with untouched(ready_vault):
            for verb in (("exchange", GRANT), ("import", GRANT)):
                refused(ready_vault.run(*verb, stdin=GOOD), 31,
                        "another process is working on ", "hint: wait for it to end")
    ready_vault.done("exchange", GRANT)
