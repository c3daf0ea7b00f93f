#!/usr/bin/python3 -B
"""The matrix of cards: the same tests over every PKCS#11 module there is, and a table of what each of them can do.

    matrix.py PROGRAMS SHIM [--write] [--quick] [CARD...]

What a module cannot do is told by p11vault itself, in words that stand in the table; a test that is passed over does
not exist.  The table is docs/cards-matrix.md: a run that finds something else than stands there fails, and --write
writes what was found.  --quick leaves the large RSA keys out and compares only what it has seen.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))

from cards import Facts, exchange_again  # noqa: E402
from drivers import CARDS  # noqa: E402
from program import Processes, adopt_orphans  # noqa: E402
from standin import Standin  # noqa: E402
from vaulttool import Vault  # noqa: E402

TABLE = ROOT / "docs/cards-matrix.md"
GRANT = "ads/user/alice"
LONG = 240
QUICK = ("ec:P-256", "ec:P-384", "rsa:2048")
# What differs from run to run.
VOLATILE = [(re.compile(r"'vault [^']*'"), "'…'"), (re.compile(r"\b[0-9a-f]{16}\b"), "…"),
            (re.compile(r"/[\w/.-]*p11[a-z]-[\w./-]*"), "…")]

INTRODUCTION = """\
# What each card can do

Written by `make matrix`, which makes each of these cards, enrols it, and runs the same tests on it; `make check` fails
when a cell is no longer true.  "no" comes with what p11vault says then.  None of these is a card that somebody holds in
a hand: they are the modules that can be had without one.

"""


class Seat:
    """One card, and vaults that use it through the counting module."""

    def __init__(self, card, programs, shim, graph):
        self.card, self.programs, self.shim, self.graph = card, programs, shim, graph
        self.vaults, self.counts = [], card.base / "counts"

    def vault(self):
        """A new vault, configured for the card; the PIN's file is its own."""
        made = Vault(self.programs, Processes())
        self.vaults.append(made)
        lines = {"path": self.shim, "pin-source": made.write("pin", self.card.pin + "\n"),
                 "deadline": LONG, **self.card.profile()}
        counts = Path(str(lines["writable"])) / "counts"
        self.counts = counts
        variables = {**self.card.environment(), "P11FAULT_MODULE": self.card.module,
                     "P11FAULT_COUNTS": counts}
        lines.update({f"env.{name}": value for name, value in variables.items()})
        made.configure("[module card]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items()))
        made.done("init")
        return made

    def calls(self, *names):
        """How often these were called since the last question."""
        lines = self.counts.read_text("ascii").split("\n") if self.counts.exists() else []
        self.counts.unlink(missing_ok=True)
        return [sum(line.startswith(f"{name} ") for line in lines) for name in names]

    def remove(self):
        """All vaults; nothing of them may run."""
        for vault in self.vaults:
            left = vault.processes.left()
            assert not left, f"processes left: {left}"
            vault.remove()


def short(result):
    """The error that a command ended with, without what differs from run to run."""
    words = next(line for line in result.err.splitlines() if line.startswith("p11vault: error: "))
    words = words.removeprefix("p11vault: error: ").removeprefix("enrol a card: ")
    for pattern, text in VOLATILE:
        words = pattern.sub(text, words)
    return words.removeprefix("card '…': ").replace("|", "/")


def enrol(vault, key):
    """Enrols; "yes" with what was proved, or why not."""
    result = vault.run("card", "enroll", "pkcs11:token=vault", *(["--key", key] if key else []),
                       timeout=LONG)
    if result.code:
        assert result.code == 23, result  # it is the card that cannot, and says so
        return None, f"no: {short(result)}"
    return vault, "yes: " + re.search(r"proved ([\w+-]+)", result.err).group(1)


def count(seat, vault, *command):
    """The card's work for one command that must succeed."""
    seat.calls()
    vault.done(*command, timeout=LONG)
    login, signed, *unwrapped = seat.calls("C_Login", "C_Sign", "C_Decrypt", "C_DeriveKey",
                                           "C_UnwrapKey")
    return f"{login} login, {signed} signature, {sum(unwrapped)} unwrap"


def exchange(seat, vault):
    """From an app's secret to a long-lived grant, and the log checked."""
    vault.make_ready(seat.graph, "0123456789abcdef0123456789abcdef")
    work = count(seat, vault, "exchange", GRANT)
    facts = Facts(vault)
    assert facts.outcome["result"] == "done", facts.outcome
    return f"yes: {work}"


def signs(vault):
    """By which kind of key the log is signed."""
    vkey = vault.trust.read_text(encoding="utf-8").split()[-1]
    import base64  # pylint: disable=import-outside-toplevel
    key = base64.b64decode(vkey.split("+", 2)[2])
    if key[0] == 2:
        return {91: "ECDSA P-256", 120: "ECDSA P-384"}[len(key) - 1]
    return "RSA " + re.match(rb"PKIX-RSA-(?:PKCS#1v1.5|PSS)", key[1:]).group(0).decode()


def wrong_pin(seat, vault):
    """One try, none after it until a person has logged in and the file has changed."""
    pin = vault.base / "pin"
    pin.write_text(seat.card.wrong + "\n")
    seat.calls()
    result = vault.run("exchange", GRANT, timeout=LONG)
    assert (result.code, seat.calls("C_Login")) == (21, [1]), result
    said = short(result).rpartition(": ")[2]
    result = vault.run("exchange", GRANT, timeout=LONG)
    assert (result.code, seat.calls("C_Login")) == (22, [0]), result
    pin.write_text(seat.card.pin + "\n")
    result = vault.run("exchange", GRANT, timeout=LONG)
    assert (result.code, seat.calls("C_Login")) == (22, [0]), result
    exchange_again(vault, seat.graph, "--ask-pin", timeout=LONG,
                   pty=[(r"1 use\): $", seat.card.pin)])
    assert seat.calls("C_Login") == [1]
    exchange_again(vault, seat.graph, timeout=LONG)
    assert seat.calls("C_Login") == [1]
    return said


def locks(seat, vault):
    """Wrong PINs typed until the card is locked, or does not lock; never the last try of one that warns."""
    for attempt in range(1, seat.card.tries + 1):
        result = vault.run("exchange", GRANT, "--ask-pin", timeout=LONG)
        if result.code == 22:  # said before anybody is asked
            return f"after {attempt - 1}: {short(result).rpartition(': ')[2]}"
        result = vault.run("exchange", GRANT, "--ask-pin", timeout=LONG,
                           pty=[(r"1 use\): $", seat.card.wrong)])
        if result.code == 22:
            return f"with {attempt}: {short(result).rpartition(': ')[2]}"
        assert result.code == 21, result
    return f"not after {seat.card.tries}"


def examine(name, programs, shim, quick):
    """All cells of one card, by row."""
    adopt_orphans()
    cells = {}
    with contextlib.ExitStack() as stack:
        base = Path(tempfile.mkdtemp(prefix="p11g-"))
        stack.callback(shutil.rmtree, base, ignore_errors=True)
        graph = Standin(base, Processes())
        stack.callback(graph.stop)
        card = stack.enter_context(CARDS[name]())
        seat = Seat(card, programs, shim, graph)
        stack.callback(seat.remove)
        first = seat.vault()
        listed = json.loads(first.done("card", "list", "--json").out)
        assert [one["label"] for one in listed] == [card.label], listed
        cells["model"] = f"{listed[0]['model']} ({listed[0]['pin']})"
        vault, cells["enrol, best key"] = enrol(first, None)
        assert vault, cells
        cells["the log is signed by"] = signs(vault)
        cells["app add, import, exchange"] = exchange(seat, vault)
        for kind in QUICK if quick else card.kinds:
            tried, cells[f"unwraps by {kind}"] = enrol(seat.vault(), kind)
            if tried:
                cells[f"unwraps by {kind}"] += ", " + exchange(seat, tried).removeprefix("yes: ")
        cells["a wrong PIN in the file"] = wrong_pin(seat, vault)
        cells["wrong PINs at the terminal"] = locks(seat, vault)
    return cells


def table(found):
    """Cards are columns' owners, but texts are long: one section a card, one line a row."""
    text = INTRODUCTION
    for name, cells in found.items():
        text += f"## {CARDS[name].title}\n\n| | |\n| --- | --- |\n"
        text += "".join(f"| {row} | {cell} |\n" for row, cell in cells.items()) + "\n"
    return text.rstrip("\n") + "\n"


def read_table():
    """The cells that stand in the table now."""
    found, titles = {}, {card.title: name for name, card in CARDS.items()}
    for line in TABLE.read_text("utf-8").splitlines() if TABLE.exists() else []:
        if line.startswith("## "):
            cells = found[titles[line[3:]]] = {}
        elif line.startswith("| ") and not line.startswith("| |") and "---" not in line:
            row, cell = line.strip("| ").split(" | ", 1)
            cells[row] = cell
    return found


def start(name, arguments):
    """The run of one card, in namespaces of its own where it needs them."""
    command = [*CARDS[name].namespace, sys.executable, "-B", __file__, arguments.programs,
               arguments.shim, "--one", name, *(["--quick"] if arguments.quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def compare(found, arguments):
    """How many cells are not what the table says."""
    known, bad = read_table(), 0
    for name, cells in found.items():
        for row, cell in (cells or {}).items():
            if not arguments.write and known.get(name, {}).get(row) != cell:
                print(f"{name}: {row}: found '{cell}' where the table says "
                      f"'{known.get(name, {}).get(row)}'")
                bad += 1
        for row in known.get(name, {}).keys() - (cells or {}).keys():
            if cells and not (arguments.write or arguments.quick):
                print(f"{name}: {row}: not found, and the table says '{known[name][row]}'")
                bad += 1
    if arguments.write and None not in found.values():
        order = {name: found.get(name) or known.get(name) for name in CARDS}
        TABLE.write_text(table({name: cells for name, cells in order.items() if cells}), "utf-8")
        return 0
    return bad


def main():
    """Each card in a process of its own, two at a time; totals on the last line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("programs")
    parser.add_argument("shim")
    parser.add_argument("cards", nargs="*")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--one")
    arguments = parser.parse_intermixed_args()
    if arguments.one:
        try:
            json.dump(examine(arguments.one, Path(arguments.programs).resolve(),
                              Path(arguments.shim).resolve(), arguments.quick), sys.stdout)
        except BaseException:  # pylint: disable=broad-except
            traceback.print_exc()
            return 1
        return 0
    began, names = time.monotonic(), arguments.cards or list(CARDS)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(names, pool.map(lambda name: start(name, arguments), names)))
    failed = [name for name in names if found[name] is None]
    bad = compare(found, arguments)
    cells = sum(len(cells) for cells in found.values() if cells)
    if failed or bad:
        print(f"FAILED: matrix: {bad} of {cells} cells differ; cards that failed: {failed}")
        return 1
    no = sum(cell.startswith("no:") for some in found.values() for cell in some.values())
    print(f"ok: matrix: {len(names)} cards, {cells} cells, {no} of them 'no' "
          f"({time.monotonic() - began:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
