#!/usr/bin/python3
"""`make batch-bench`: many grants of a few apps in one `refresh --due`: docs/benchmarks.md.

Prints what a grant takes once its app's card has signed, what an app takes until then, and what the card was asked.
"""

import os
import re
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bench import ROOT, Processes, Standin, Vault, guarded
from cards import SoftCard
from figures import rank

GRANTS, APPS = 1000, 3
PERSON = "10153848260347724"
LINE = re.compile(rb"^(\w+)/user/\w+: user ")


class Batch:
    """A vault with so many grants, as if they had been imported one after the other."""

    def __init__(self, stack, grants, apps):
        self.processes = Processes()
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="p11g-")))
        self.graph = Standin(directory, self.processes)
        stack.callback(self.graph.stop)
        self.vault = Vault(ROOT / os.environ.get("P11VAULT_BUILD", "build/release"), self.processes)
        stack.callback(self.vault.remove)
        self.vault.make_soft()
        self.vault.configure(f"[origin {self.graph.origin}]\nca = {self.graph.ca}\n")
        ids = [self._add_app(f"app{number}") for number in range(apps)]
        begin = time.monotonic()
        for number in range(grants):
            app = number % apps
            token = self.graph.add_token(ids[app], PERSON)
            self.vault.done("import", f"app{app}/user/u{number}", stdin=token)
        print(f"{grants} grants of {apps} apps imported, each by a process of its own: "
              f"{(time.monotonic() - begin) / grants * 1000:.1f} ms each", flush=True)

    def _add_app(self, name):
        made = self.graph.add_app()
        self.vault.done("app", "add", name, "--id", made["app_id"], "--origin", self.graph.origin,
                        stdin=made["secret"])
        return made["app_id"]

    def refresh(self):
        """Moments at which each grant was told, by app; the start; CPU time of all processes."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin, told = time.monotonic(), {}
        with subprocess.Popen(
                [self.vault.programs / "p11vault", "--config", self.vault.config, "--vault",
                 self.vault.directory, "refresh", "--due"], env=self.vault.environment(),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True) as run:
            self.processes.add(run.pid)
            for line in run.stdout:
                found = LINE.match(line)
                told.setdefault(found[1].decode(), []).append(time.monotonic())
        if run.returncode != 0:
            sys.exit(f"bench: refresh ended with {run.returncode}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return begin, told, cpu

    def count(self, table):
        """Rows of the store."""
        path = f"file:{self.vault.directory}/vault.db?mode=ro"
        with closing(sqlite3.connect(path, uri=True)) as store:
            return store.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def report(batch, grants):
    """Refresh once, and say what it took."""
    entries, checkpoints = batch.count("entry"), batch.count("checkpoint")
    spy = SoftCard(batch.vault).spy()
    begin, told, cpu = batch.refresh()
    total = max(moments[-1] for moments in told.values()) - begin
    each, first, last = [], [], begin
    for moments in sorted(told.values()):
        first.append(moments[0] - last)
        each += [(after - before) * 1000 for before, after in zip(moments, moments[1:])]
        last = moments[-1]
    if sum(len(moments) for moments in told.values()) != grants:
        sys.exit("bench: not every grant was refreshed")
    print(f"refresh --due: {total:.1f} s, {total / grants * 1000:.1f} ms a grant, of all processes "
          f"{cpu / grants * 1000:.1f} ms CPU a grant (the stand-in's not among them)")
    print(f"a grant, once the card has signed: median {rank(each, 50):.1f} ms, "
          f"p99 {rank(each, 99):.1f} ms, most {max(each):.1f} ms")
    print("an app until its first grant is through: "
          + ", ".join(f"{seconds:.2f} s" for seconds in first))
    print(f"card: {spy.logins} logins, {spy.calls('C_DeriveKey')} unwraps, "
          f"{spy.calls('C_Sign')} signatures; "
          f"{batch.count('checkpoint') - checkpoints} checkpoints")
    print(f"log: {entries} entries before, {batch.count('entry')} after")


def main():
    """As many grants as are wanted."""
    given = os.environ.get("BENCH_GRANTS", str(GRANTS))
    if not re.fullmatch(r"[1-9]\d{0,3}", given) or int(given) < 2 * APPS:
        sys.exit(f"bench: BENCH_GRANTS is a number from {2 * APPS} to 9999")
    guarded(lambda stack: report(Batch(stack, int(given), APPS), int(given)))


if __name__ == "__main__":
    main()
