"""`audit show`: what is asked for, and what is added while somebody looks."""

import json
import re
import subprocess

import pytest

from tampering import ALICE, CAROL, fixture_good  # noqa: F401


def shown(good, *options):
    """The entries that these options leave."""
    out = good.vault.done("audit", "show", "--json", *options).out
    return [json.loads(line)["entry"] for line in out.splitlines()]


@pytest.fixture(name="everything", scope="module")
def fixture_everything(good):
    """Without a filter."""
    return shown(good)


def test_app_and_grant(good, everything):
    """What is about them, with the steps and outcomes of the uses they are part of."""
    spare = shown(good, "--app", "spare")
    assert [entry["type"] for entry in spare] == ["intent", "app", "app-key", "seal", "outcome"]
    carol = shown(good, "--grant", CAROL)
    assert [entry["type"] for entry in carol] == [
        "seal", "intent", "step", "seal", "step", "step", "state", "outcome"]
    ads = shown(good, "--app", "ads")
    assert {entry["name"].split("/")[0] for entry in ads if entry["type"] == "seal"} == {"ads"}
    assert len(ads) + len(spare) < len(everything)
    assert shown(good, "--app", "ad") == []


def test_verb_and_card(good, everything):
    """The verb is the intent's; the card is that of its own entry."""
    uses = {entry["use"] for entry in everything if entry.get("verb") == "app add"}
    found = shown(good, "--verb", "app add")
    assert uses and {entry["use"] for entry in found} == uses
    [card] = [entry for entry in everything if entry["type"] == "card"]
    assert shown(good, "--card", card["card"]) == [card]


def test_failures(good):
    """Outcomes that are none, steps that were refused, and what is void."""
    found = shown(good, "--failures")
    assert [entry["type"] for entry in found] == ["step", "outcome", "outcome", "void", "void"]
    text = good.vault.done("audit", "show", "--failures", "--grant", CAROL).out
    assert re.search(rf"outcome +failed: exchange {CAROL} \(use \w{{8}}\)", text), text


def test_time_and_user(good, everything):
    """Days, times, days ago; a name or a number; what is neither is refused."""
    day = everything[0]["time"][:10]
    assert shown(good, "--since", day) == shown(good, "--since", "1d") == everything
    assert shown(good, "--until", day) == everything
    assert shown(good, "--since", "2100-01-01") == shown(good, "--until", "2001-01-01") == []
    middle = everything[20]["time"]
    assert shown(good, "--since", middle) == [e for e in everything if e["time"] >= middle]
    uid = str(everything[0]["who"]["uid"])
    assert shown(good, "--user", uid) == everything
    assert shown(good, "--user", str(int(uid) + 1)) == []
    for wrong in (("--since", "yesterday"), ("--until", "2026-1-1"), ("--user", "no such user")):
        assert good.vault.run("audit", "show", *wrong).code == 2


def test_follow(good):
    """What another process appends comes without being asked for again, and nothing spins."""
    with good.whole() as (vault, _):
        command = [vault.programs / "p11vault", "--config", vault.config, "--vault",
                   vault.directory, "audit", "show", "-f"]
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True,
                              env=vault.environment()) as run:
            try:
                lines = iter(run.stdout.readline, "")
                assert any(" 56  " in line for line in lines)
                vault.done("inspect", ALICE)
                assert any(f"outcome  done: inspect {ALICE}" in line for line in lines)
                before = cpu_seconds(run.pid)
                vault.done("audit", "checkpoint")
                assert any("signed now: all before " in line for line in lines)
                assert cpu_seconds(run.pid) - before < 0.5
            finally:
                run.kill()


def cpu_seconds(pid):
    """What a process has used so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_follow_notices_another_file(good):
    """A store that is put in the place of the one that is being followed ends it, with a word."""
    with good.whole() as (vault, store), good.copy() as (copy, _):
        command = [vault.programs / "p11vault", "--config", vault.config, "--vault",
                   vault.directory, "audit", "show", "-f"]
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env=vault.environment()) as run:
            try:
                assert any(" 56  " in line for line in iter(run.stdout.readline, ""))
                copy.store.replace(store.path)
                _, err = run.communicate(timeout=30)
            finally:
                run.kill()
            assert run.returncode == 30 and "store was replaced" in err, err
