#!/usr/bin/python3
"""`make bench`: a cold `p11vault exchange` beside a shell pipeline, in turns, in one run.

Prints medians and ratios.  It has no time limits and judges nothing: docs/benchmarks.md.
"""

import json
import os
import platform
import re
import secrets
import shutil
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(1, str(ROOT / "tests" / "system"))

from canary import Canaries  # noqa: E402
from cards import GRANT, SoftCard  # noqa: E402
from figures import Row, rank, table  # noqa: E402
from measure import STRACE, Failed, Meter  # noqa: E402
from pipeline import BUNDLE, KEY, TOKEN_LENGTH, Pipeline  # noqa: E402
from program import Processes, adopt_orphans  # noqa: E402
from standin import Standin  # noqa: E402
from vaulttool import Vault  # noqa: E402

ROUNDS = 15
MEMORY_ROUNDS = 3
ISSUED = '"access_token"'
PROGRAMS = {1: {"sh", "pkcs11-tool", "curl"},
            "p11vault": {"p11vault", "p11vault-card", "p11vault-exchange"}}
EXCHANGED = rf"{GRANT}: user \d+, expires "


class Way:
    """One way of doing the work: the command, and what its output shows when it was done."""

    def __init__(self, name, command, expected, count=1, before=None):
        self.row = Row(name)
        self.work = (command, expected, count)
        self.before = before or (lambda: None)


class Bench:
    """A vault, a stand-in for Graph, and the ways that are compared."""

    def __init__(self, stack):
        self.processes = Processes()
        stack.callback(self._end_the_rest)
        programs = ROOT / os.environ.get("P11VAULT_BUILD", "build/release")
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="p11g-")))
        self.graph = Standin(directory, self.processes)
        stack.callback(self.graph.stop)
        self.vault = Vault(programs, self.processes)
        stack.callback(self.vault.remove)
        self.canaries = Canaries()
        self.vault.make_soft()
        self.vault.make_ready(self.graph, self.canaries.app_secret)
        self.canaries.add("PIN", SoftCard(self.vault).pin.read_text().strip())
        self.meter = Meter(self.vault.environment(), self.vault.tmp / "output", self.processes)
        self.ways = self._ways()

    def _end_the_rest(self):
        left = self.processes.left()
        if left:
            print(f"bench: processes left and ended: {left}", file=sys.stderr)

    def _token(self):
        token = "EAA" + secrets.token_hex(TOKEN_LENGTH)[:TOKEN_LENGTH - 3]
        self.graph.tell("add_token", app_id=self.vault.app_id, user_id=self.vault.user_id,
                        token=token)
        return token

    def _import(self):
        """A token that lives for an hour, so that the exchange has all of its work to do."""
        self.token = self._token()
        self.vault.done("import", GRANT, stdin=self.token)

    def _ways(self):
        bundle = self.vault.write(
            "conf/bundle.pem", Path(BUNDLE).read_text() + self.graph.ca.read_text())
        large = self.vault.config.with_name("bundle.conf")
        large.write_text(self.vault.config.read_text().replace(str(self.graph.ca), str(bundle)))
        token = self.canaries.add("token", self._token())
        try:
            pipeline = Pipeline(self.vault, self.graph, self.canaries.app_secret, token)
        except (AssertionError, subprocess.CalledProcessError):
            # Their texts have the command line with the PIN.
            raise Failed("the card's tools cannot make a key for the pipeline") from None
        ways = {}
        for kind, ca, config in (("one CA", self.graph.ca, self.vault.config),
                                 ("CA bundle", bundle, large)):
            ways["p11vault", kind] = Way(
                f"p11vault exchange, 3 calls, {kind}",
                [self.vault.programs / "p11vault", "--config", config, "--vault",
                 self.vault.directory, "exchange", GRANT], EXCHANGED, before=self._import)
            for calls in (1, 3):
                ways[calls, kind] = Way(
                    f"pipeline, {calls} call{'s' if calls > 1 else ''}, {kind}",
                    pipeline.script(f"{calls}-{kind.replace(' ', '-')}", calls, ca), ISSUED, calls)
        return ways

    def measure(self, rounds):
        """The ways in turns; the first round is a warm-up and does not count."""
        for number in range(rounds + 1):
            for way in self.ways.values():
                way.before()
                wall, cpu = self.meter.time(*way.work)
                if number:
                    way.row.wall.append(wall)
                    way.row.cpu.append(cpu)

    def measure_memory(self):
        """Apart from the times, because it takes a shell more."""
        for _ in range(MEMORY_ROUNDS):
            for way in self.ways.values():
                way.before()
                way.row.rss.append(self.meter.peak(*way.work))

    def entries(self):
        """The log."""
        shown = self.vault.done("audit", "show", "--json").out.splitlines()
        return [json.loads(line)["entry"] for line in shown]

    def lives(self, count, member="plaintext_us"):
        """How long anything stood in clear in each of the last exchanges."""
        entries = self.entries()
        uses = {entry["use"] for entry in entries
                if entry["type"] == "intent" and entry["verb"] == "exchange"}
        return [entry[member] for entry in entries
                if entry["type"] == "outcome" and entry["use"] in uses][-count:]

    def exposed(self, kind):
        """What of the secrets stands in the arguments and environments of a way's programs."""
        way = self.ways[kind, "one CA"]
        way.before()
        if kind == "p11vault":
            self.canaries.add("token", self.token)
        seen = self.meter.executed(way.work[0], self.vault.tmp / "trace", *way.work[1:])
        self.canaries.add_issued(self.graph)
        names = {Path(path).name for path, *_ in seen}
        if names != PROGRAMS[kind]:
            raise Failed(f"strace saw {sorted(names)} and not {sorted(PROGRAMS[kind])}")
        found = set()
        for path, *texts in seen:
            for place, text in zip(("argv", "environment"), texts):
                found |= {f"{leak.rpartition(': ')[2].partition(',')[0]} in the {place} of "
                          f"{Path(path).name}" for leak in self.canaries.leaks(texts=[text])}
        return f"{'; '.join(sorted(found)) or 'none'}  (looked at: {', '.join(sorted(names))})"


def _first_line(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0]


def machine():
    """What the figures belong to."""
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    kernel = re.match(r"[\d.]+", platform.release()).group()
    curl = re.match(r"curl \S+", _first_line("curl", "--version")).group()
    return (f"machine: {len(os.sched_getaffinity(0))} cores, {platform.system()} {kernel}, "
            f"{' '.join(ssl.OPENSSL_VERSION.split()[:2])}, {curl}, "
            f"load average {load}")


def print_times(bench):
    """The table, its parts by the file of authorities that both sides are given."""
    rows = {key: way.row for key, way in bench.ways.items()}
    lines = [row.cells(rows[1, kind], rows[3, kind]) for (_, kind), row in rows.items()]
    print(table(lines))
    print("of 1 call, of 3 calls: median wall time over that of the pipeline with so many calls "
          "and the same CA file")
    print("wall, cpu (user and system of all processes): median; rss: the largest process")


def life_line(lives):
    """Median and 99th percentile, and what shows how much the machine adds: least and most."""
    return (f"median {statistics.median(lives):.0f} us, p99 {rank(lives, 99)} us, "
            f"{min(lives)} to {max(lives)} us (nearest rank of {len(lives)})")


def exposure(bench, kind):
    """The figures are good without this; it is left out aloud where processes cannot be traced."""
    try:
        return bench.exposed(kind) if STRACE else "SKIPPED: there is no strace"
    except Failed as error:
        return f"SKIPPED: under strace: {error}"


def summary(bench, rounds, lives):
    """The last line."""
    parts = []
    for kind in ("one CA", "CA bundle"):
        ours, one, three = (bench.ways[key, kind].row for key in ("p11vault", 1, 3))
        parts.append(f"{kind}: exchange {ours.median:.1f} ms, {ours.median / one.median:.2f} of "
                     f"pipeline 1 call, {ours.median / three.median:.2f} of 3")
    return f"bench: {rounds} rounds; {'; '.join(parts)}; plaintext {life_line(lives)}"


def report(bench, rounds):
    """Measure and print."""
    print(f"pipeline: {KEY} OAEP pkcs11-tool --decrypt | curl --data @- in sh; tokens of "
          f"{TOKEN_LENGTH} characters; each way {rounds} times, in turns", flush=True)
    before = len(bench.entries())
    bench.measure(rounds)
    # Two of the ways are ours, and each exchange leaves one outcome.
    lives = bench.lives(2 * rounds)
    requests = bench.lives(2 * rounds, "request_us")
    answers = bench.lives(2 * rounds, "answer_us")
    after = len(bench.entries())
    bench.measure_memory()
    print_times(bench)
    print(f"log: {before} entries at the start, {after} at the end")
    print(f"plaintext life of an exchange, its three steps together: {life_line(lives)}")
    print(f"  until the requests were sent and wiped: {life_line(requests)}")
    print(f"  of the answers, until they were wiped: {life_line(answers)}")
    print(f"secrets in argv or environment, pipeline: {exposure(bench, 1)}")
    print(f"secrets in argv or environment, p11vault: {exposure(bench, 'p11vault')}")
    print(f"load average at the end: {os.getloadavg()[0]:.2f}")
    print(summary(bench, rounds, lives))


def guarded(work):
    """Say the machine, and do the work with a stack: everything is removed and ended, whatever happens."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    adopt_orphans()
    print(machine(), flush=True)
    try:
        with ExitStack() as stack:
            work(stack)
    except (AssertionError, Failed) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def main():
    """As many rounds as are wanted."""
    given = os.environ.get("BENCH_ROUNDS", str(ROUNDS))
    if not re.fullmatch(r"[1-9]\d{0,3}", given):
        sys.exit("bench: BENCH_ROUNDS is a number from 1 to 9999")
    missing = [name for name in ("pkcs11-tool", "curl", "openssl") if not shutil.which(name)]
    if missing or not os.access(BUNDLE, os.R_OK):
        sys.exit(f"bench: this needs {', '.join(missing) or BUNDLE}")
    guarded(lambda stack: report(Bench(stack), int(given)))


if __name__ == "__main__":
    main()
