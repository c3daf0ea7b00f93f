"""Grants of several apps in one vault, refreshed together: what was asked for, and what came of each."""

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from cards import Facts
from examining import compiled

HERE = Path(__file__).resolve().parent
PERSON = "10153848260347724"
DAY = 86400


class Fleet:
    """The apps and grants of a vault, as the stand-in knows them."""

    def __init__(self, vault, graph):
        self.vault, self.graph = vault, graph
        self.apps = {"ads": vault.app_id}
        graph.rules(long_lived_extends=True)
        for header in ("app", "page", "ad_account", "insights", "business"):
            graph.usage(**{header: None})
        self.asked = len(graph.requests())

    def add_app(self, app, family="meta", **facts):
        """One more."""
        made = self.graph.add_app(**({"family": family} if family != "meta" else {}), **facts)
        self.vault.done("app", "add", app, "--provider", family, "--id", made["app_id"],
                        "--origin", self.graph.origin, stdin=made["secret"])
        self.apps[app] = made["app_id"]

    def give(self, *names, user_id=PERSON, **facts):
        """Tokens made at the stand-in and imported; the last one."""
        for name in names:
            token = self.graph.add_token(self.apps[name.partition("/")[0]], user_id, **facts)
            self.vault.done("import", name, stdin=token)
        return token

    def know(self, name, **facts):
        """One whose expiry the vault knows, because it was looked at."""
        token = self.give(name, **facts)
        self.vault.done("inspect", name)
        self.forget_calls()
        return token

    def forget_calls(self):
        """Count from here on."""
        self.asked = len(self.graph.requests())

    def calls(self):
        """The steps since then."""
        return [one["step"] for one in self.graph.requests()[self.asked:]]

    def refresh(self, *arguments, **how):
        """`refresh`, counted alone."""
        self.forget_calls()
        return self.vault.run("refresh", *arguments, **how)

    def done(self, *arguments, **how):
        """One that succeeds, and leaves a log that is good."""
        result = self.refresh(*arguments, **how)
        assert result.code == 0, result
        self.vault.done("audit", "verify")
        return result

    @property
    def versions(self):
        """The current version of each grant; none may be left pending."""
        known = Facts(self.vault).versions
        assert not any(pending for _, pending in known.values()), known
        return {name: version for name, (version, _) in known.items()}

    def checkpoints(self):
        """How many were signed so far."""
        with closing(sqlite3.connect(f"file:{self.vault.directory}/vault.db?mode=ro",
                                     uri=True)) as store:
            return store.execute("SELECT count(*) FROM checkpoint").fetchone()[0]

    def outcomes(self):
        """Result of the newest refresh of each grant."""
        entries = Facts(self.vault).entries
        names = {entry["use"]: entry["name"] for entry in entries
                 if entry["type"] == "intent" and entry["verb"] == "refresh"}
        return {names[entry["use"]]: entry["result"] for entry in entries
                if entry["type"] == "outcome" and entry["use"] in names}


def later(vault, seconds, sooner=1):
    """The environment of a front whose clock has gone on and that sleeps so much shorter; rooms have a clean one."""
    shim = vault.base / "later.so"
    if not shim.exists():
        compiled(HERE / "later.c", shim, "-shared", "-fPIC")
    options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]))
    return {"LD_PRELOAD": str(shim), "P11VAULT_TEST_LATER": str(seconds),
            "P11VAULT_TEST_SOONER": str(sooner), "ASAN_OPTIONS": options}


def long_lived(days, **facts):
    """Facts of a token that ends in so many days."""
    return {"expires_in": days * DAY, "issued_at": int(time.time()) - DAY, **facts}


def listed(result):
    """By name, what --json says."""
    return {one["name"]: one for one in json.loads(result.out)}
