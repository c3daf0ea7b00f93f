"""What an auditor takes along: exports and proofs, read by a verifier that is not ours."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import auditor
from cards import SoftCard
from tampering import ALICE, check_refused, fixture_good  # noqa: F401


@pytest.fixture(name="export")
def fixture_export(good, tmp_path):
    """A fresh export of the good vault, and its keys."""
    directory = tmp_path / "export"
    good.vault.done("audit", "export", directory)
    return directory, auditor.read_keys(good.vault.trust.read_text())


def entries_of(good, *options):
    """The log as `audit show` tells it."""
    return [json.loads(line)
            for line in good.vault.done("audit", "show", "--json", *options).out.splitlines()]


# ---- what is good ----

def test_export_is_tiles(good, export):
    """The signed entries, byte by byte, and all checkpoints; the tail is named and left out."""
    directory, keys = export
    read = auditor.Export(directory, keys)
    signed = [entry for entry in entries_of(good) if entry["signed"]]
    assert read.check() == (len(signed), 7)
    assert [json.loads(entry) for entry in read.entries] == [entry["entry"] for entry in signed]
    assert read.checkpoint.origin.startswith("p11vault/")
    again = good.vault.done("audit", "export", directory)
    assert re.search(r"note: \d+ unsigned entries are not in it\nhint: p11vault audit checkpoint",
                     again.err)


def test_the_command_of_the_auditor(good, export, tmp_path):
    """The independent verifier also works as somebody would run it."""
    directory, _ = export
    entry = tmp_path / "entry"
    entry.write_bytes(good.vault.done("audit", "export", "--lines").out.splitlines()[9].encode())
    proof = tmp_path / "9.tlog-proof"
    proof.write_text(good.vault.done("audit", "prove", "9").out)
    for arguments, words in (((directory,), "7 checkpoints: verified"),
                             ((proof, entry), "entry 9 of 49 in p11vault/")):
        run = subprocess.run([sys.executable, auditor.__file__, good.vault.trust, *arguments],
                             capture_output=True, text=True, check=True)
        assert words in run.stdout


def test_lines(good):
    """All entries, the unsigned ones too, as the bytes that are hashed."""
    lines = good.vault.done("audit", "export", "--lines").out.splitlines()
    assert [json.loads(line) for line in lines] == [entry["entry"] for entry in entries_of(good)]
    with good.copy() as (_, store):
        assert lines == [text for (text,) in store("SELECT text FROM entry ORDER BY idx")]


def test_every_proof(good, export):
    """Each signed entry can be proved from its proof alone, and no other entry by it."""
    directory, keys = export
    read = auditor.Export(directory, keys)
    for index, entry in enumerate(read.entries):
        text = good.vault.done("audit", "prove", str(index)).out
        assert auditor.check_proof(text, entry, keys)[0] == index
        with pytest.raises(auditor.Refused):
            auditor.check_proof(text, read.entries[index - 1], keys)


def test_unsigned_entry_has_no_proof(good):
    """It says what would give one."""
    result = good.vault.run("audit", "prove", str(len(entries_of(good)) - 1))
    assert result.code == 30 and "is not signed: there are 49 signed entries" in result.err
    assert "hint: p11vault audit checkpoint" in result.err
    assert good.vault.run("audit", "prove", "-1").code == 2
    assert good.vault.run("audit", "prove", "x").code == 2


def test_our_own_verify(good, export):
    """`audit verify` takes the directory as well, with public keys alone."""
    directory, _ = export
    result = good.vault.done("audit", "verify", "--trust", good.vault.trust, directory)
    assert result.out == "49 entries, 7 checkpoints, no records in an export: verified\n"
    told = json.loads(good.vault.done("audit", "verify", "--json", directory).out)
    assert told == {"entries": 49, "signed": 49, "tail": 0, "checkpoints": 7, "verified": True}


def test_checkpoint_signs_the_tail(good):
    """One login, an intent for it, and everything is covered; the export grows by what is new."""
    with good.whole() as (vault, _):
        directory = vault.base / "export"
        vault.done("audit", "export", directory)
        before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
        size = len(entries_of(good))
        assert vault.done("audit", "checkpoint").out == f"{size + 1} entries signed\n"
        intent, outcome = entries_of(good)[-2:]
        assert (intent["entry"]["verb"], intent["entry"]["opens"]) == ("audit checkpoint", [])
        assert intent["signed"] and not outcome["signed"]
        assert outcome["entry"]["checkpoint"] == size + 1
        vault.done("audit", "export", directory)
        keys = auditor.read_keys(vault.trust.read_text())
        assert auditor.Export(directory, keys).check() == (size + 1, 8)
        kept = [path for path, content in before.items() if "tile" in path.parts
                and path.read_bytes() != content]
        assert not kept, "tiles never change"
        vault.done("audit", "verify", directory)


# ---- what is not ----

def flip(path, at, bit=1):
    """One bit of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= bit
    path.write_bytes(data)


def files_of(directory):
    """The files of an export, without what only older checkpoints need."""
    return sorted(path for path in directory.rglob("*") if path.is_file())


def test_each_file_flipped(good, export):
    """A byte at the start, in the middle and at the end of each file: both verifiers see it."""
    directory, keys = export
    for path in files_of(directory):
        size = path.stat().st_size
        for at in (0, size // 2, size - 1):
            flip(path, at)
            with pytest.raises((auditor.Refused, UnicodeDecodeError)):
                auditor.Export(directory, keys).check()
            assert good.vault.run("audit", "verify", directory).code == 30, (path, at)
            flip(path, at)
    good.vault.done("audit", "verify", directory)


@pytest.mark.parametrize("name, pattern", [
    ("tile/0/000.p/49", r"open .*/tile/0/000\.p/49: No such file"),
    ("tile/entries/000.p/49", r"open .*/tile/entries/000\.p/49: No such file"),
    ("checkpoints", "checkpoint 3 is missing: the outcome in entry 3 names it"),
])
def test_file_missing(good, export, name, pattern):
    """It is named."""
    directory, _ = export
    (directory / name).unlink()
    check_refused(good.vault.run("audit", "verify", directory), pattern)


def test_export_of_another_vault(good, export, vault, tmp_path):
    """Neither verified by this trust file nor written over."""
    directory, _ = export
    vault.make_soft()
    check_refused(vault.run("audit", "verify", directory), "signed by no trusted key")
    result = vault.run("audit", "export", directory)
    check_refused(result, "the export that is in ", verb="audit export")
    other = tmp_path / "other"
    vault.done("audit", "export", other)
    assert good.vault.run("audit", "verify", other).code == 30


def test_older_store_does_not_overwrite(good):
    """An export is a witness: a store that was rolled back does not replace what it shows."""
    with good.whole() as (vault, store), good.copy() as (older, _):
        directory = vault.base / "export"
        vault.done("audit", "checkpoint")
        vault.done("audit", "export", directory)
        (vault.trust.parent / f"trust.{vault_id(vault)}.head").unlink()
        store.path.write_bytes(older.store.read_bytes())
        check_refused(vault.run("audit", "export", directory),
                      "it has 58 entries where this log has only 57", verb="audit export")


def vault_id(vault):
    """From the first entry."""
    return json.loads(vault.done("audit", "show", "--json").out.splitlines()[0])["entry"]["vault"]


def test_forked_log(good):
    """Two copies of one store, both used: each is whole, and each is refused where the other was."""
    with good.whole() as (vault, store):
        with good.copy() as (copy, _):
            card = SoftCard(vault)
            before = card.keep()
            vault.done("audit", "checkpoint")
            directory = vault.base / "export"
            vault.done("audit", "export", directory)
            head = (vault.trust.parent / f"trust.{vault_id(vault)}.head")
            seen = head.read_text()
            store.path.write_bytes(copy.store.read_bytes())
            head.write_text(copy.head.read_text())
            card.put_back(before)  # or it would refuse: test_card_anchor.py
            vault.done("exchange", ALICE)
            vault.done("audit", "checkpoint")
            vault.done("audit", "verify")
            head.write_text(seen)
        words = "the log was forked"
        check_refused(vault.run("audit", "verify"), words)
        check_refused(vault.run("exchange", ALICE), words, verb=ALICE)
        check_refused(vault.run("audit", "export", directory), words, verb="audit export")


def test_export_that_is_older_than_what_was_seen(good, export):
    """It holds and says that there is more."""
    with good.whole() as (vault, _):
        directory = vault.base / "export"
        vault.done("audit", "export", directory)
        vault.done("audit", "checkpoint")
        result = vault.done("audit", "verify", directory)
        assert "this export is older than the log that this machine has seen: 58" in result.err


def test_usage(good, tmp_path):
    """A directory or --lines, not both and not neither."""
    for arguments in ((), ("--lines", tmp_path / "x")):
        assert good.vault.run("audit", "export", *arguments).code == 2
    assert not Path(tmp_path / "x").exists()


def test_log_without_signature(vault, tmp_path):
    """Nothing to export before a card has signed."""
    vault.done("init", "--soft")
    check_refused(vault.run("audit", "export", tmp_path / "x"), "no card has signed this log yet",
                  verb="audit export")
