"""Logins and what follows them: an app, a person, a browser; and what must hold after each."""

import json
import re
import shutil
import sys
import time

from cards import Facts, SoftCard
from graphsteps import BUSINESS, CLIENT_BUSINESS, PAGE, PERSON, SYSTEM_USER
from logging_in import free_port
from opening import __file__ as BROWSER

__all__ = ["BUSINESS", "CLIENT_BUSINESS", "PAGE", "PERSON", "SYSTEM_USER", "Flow"]
ALICE = "ads/user/alice"
SIXTY_DAYS = 5184000
DAY = 86400


class Flow:
    """A vault with one app, and the stand-in that it belongs to.

    What was asked of the stand-in is counted from here on: a module's tests share it.
    """

    def __init__(self, vault, graph, canaries, family="meta", app="ads"):
        self.vault, self.graph, self.canaries = vault, graph, canaries
        self.family, self.app, self.port = family, app, free_port()
        self.redirect = f"http://localhost:{self.port}/"
        self.told = vault.base / "browser.told"
        graph.tell("clear_misbehaviours")
        graph.clock(0)
        self.rules()
        self.app_id = vault.app_id if family == "meta" else None
        if family == "meta":
            graph.set_app(self.app_id, redirect_uris=[self.redirect], mode="development",
                          business_id=BUSINESS)
        else:
            self._add_app()
        vault.configure(f"[{family}]\ndialog = {graph.origin}\n")
        self.person()
        graph.add_business(business_id=BUSINESS, admins=[PERSON], system_users=[SYSTEM_USER])
        shutil.rmtree(vault.base / "given", ignore_errors=True)
        for file in ("pin", "so-pin"):
            canaries.add(file, (SoftCard(vault).directory / file).read_text())
        self.asked = len(graph.requests())

    def _add_app(self):
        made = self.graph.add_app(family=self.family, redirect_uris=[self.redirect],
                                  mode="development", testers=[PERSON])
        self.canaries.add(f"secret of {self.app}", made["secret"])
        self.app_id = made["app_id"]
        self.vault.done("app", "add", self.app, "--provider", self.family, "--id", self.app_id,
                        "--origin", self.graph.origin, stdin=made["secret"])

    def rules(self, **changes):
        """What Meta leaves open; everything else as it is by default."""
        self.graph.rules(**{"long_lived_extends": True, "page_limit": 25, "device_interval": 5,
                            "code_shape": "data", "refresh_same_token": False,
                            "post_as_get": ["debug_token", "client_code", "revoke"], **changes})

    def person(self, user_id=PERSON, **facts):
        """Who sits at the browser, and that they say yes unless told otherwise."""
        facts = {"name": "Ann", "username": "ann", "answer": "grant", "decline": [],
                 "client_business_id": CLIENT_BUSINESS, "pages": [{"id": PAGE, "name": "Ann's"}],
                 **facts}
        return self.graph.person(user_id, **facts)

    # ---- running ----

    def browser(self, visits=1, strays=(), between=()):
        """The environment with a browser that does so much."""
        settings = self.vault.base / "browser.json"
        settings.write_text(json.dumps({
            "graph": {"ca": str(self.graph.ca), "port": self.graph.port}, "told": str(self.told),
            "visits": visits, "strays": list(strays),
            "between": [list(map(str, command)) for command in between]}))
        script = self.vault.write("browser", f"#!/bin/sh\nexec {sys.executable} -B {BROWSER} "
                                             f"{settings} \"$1\"\n", 0o700)
        return {"BROWSER": str(script)}

    def login(self, name=ALICE, *options, pty=None, **browser):
        """`login` with a browser; the result, and what the browser saw in `seen`."""
        self.told.unlink(missing_ok=True)
        result = self.vault.run("login", name, "--port", self.port, *options, pty=pty,
                                env=self.browser(**browser))
        self.check(result)
        return result

    @property
    def seen(self):
        """What the browser wrote down."""
        return json.loads(self.told.read_text())

    def run(self, *arguments, **how):
        """Any verb, and all that must hold after it."""
        result = self.vault.run(*arguments, **how)
        self.check(result)
        return result

    def done(self, *arguments, **how):
        """The same, of one that succeeds."""
        result = self.run(*arguments, **how)
        assert result.code == 0, result
        return result

    def give(self, name, **facts):
        """A grant of the app made at the stand-in and imported; returns its token."""
        token = self.graph.add_token(self.app_id, facts.pop("user_id", PERSON), **facts)
        self.canaries.add(f"token of {name}", token)
        self.vault.done("import", name, stdin=token)
        return token

    def give_long(self, name=ALICE, **facts):
        """A long-lived user grant that sees pages."""
        return self.give(name, **{"expires_in": SIXTY_DAYS, "issued_at": 1700000000,
                                  "scopes": ["public_profile", "pages_show_list"], **facts})

    def give_old(self, name, scope, **facts):
        """A long-lived grant that is old enough to be refreshed; its token."""
        return self.give(name, **{"expires_in": SIXTY_DAYS, "issued_at": int(time.time()) - DAY - 60,
                                  "scopes": [scope], **facts})

    # ---- looking ----

    @property
    def facts(self):
        """What the vault says of itself; verified."""
        return Facts(self.vault)

    def steps(self):
        """The steps the stand-in was asked, in order."""
        return [one["step"] for one in self.graph.requests()[self.asked:]
                if one["step"] != "dialog"]

    def columns(self, name=ALICE):
        """What is known of a grant without asking anybody."""
        return json.loads(self.vault.done("grant", "show", name, "--json").out)

    def states(self, name):
        """The newest state of each version of a record."""
        return {entry["version"]: entry["state"] for entry in self.facts.entries
                if entry["type"] in ("seal", "state") and entry["name"] == name}

    def works(self, name):
        """The provider itself says that what is kept is good."""
        facts = json.loads(self.done("inspect", name, "--json").out)
        assert facts["valid"] == 1, facts
        return facts

    def newest_token(self, step):
        """What the stand-in issued last at a step."""
        return self.graph.tell("tokens", made_by=step)["tokens"][-1]

    def check(self, *results):
        """Nothing secret anywhere it may not be, the log good, no page left."""
        self._watch_issued()
        vault = self.vault
        pins = {SoftCard(vault).directory / "pin", SoftCard(vault).directory / "so-pin"}
        own = {self.told, vault.base / "spy", *pins}  # the spy writes down PINs
        files = [path for path in vault.base.rglob("*") if path.is_file() and path not in own]
        texts = [text for result in results for text in (result.out, result.err, result.terminal)]
        if self.told.exists():
            texts += [self.seen["page"], self.seen["argument"], self.seen["url"],
                      *(page for _, page in self.seen["answers"])]
        leaks = self.canaries.leaks([*files, self.graph.directory / "requests.jsonl"], texts)
        assert not leaks, leaks
        assert not list(vault.base.rglob("login-*.html")), "a page is left"
        self.check_urls()
        vault.done("audit", "verify")

    def _watch_issued(self):
        """Of an id token only the signature, not the usual head; of an app token not its id."""
        for number, one in enumerate(self.graph.tell("issued")["issued"]):
            self.canaries.add(f"issued {one['what']} {number}", re.split("[.|]", one["value"])[-1])

    def check_urls(self):
        """No secret in a request line, but where Instagram and Threads document nothing else."""
        for one in self.graph.requests()[self.asked:]:
            names = set(one["query_secret_names"])
            documented = self.family != "meta" and one["method"] == "GET" and one["step"] in (
                "exchange", "refresh", "app_token")
            assert not names or documented, one
