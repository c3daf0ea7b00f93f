"""Starts and stops the Graph stand-in for a test and talks with it."""

import sys

from served import STANDIN, Refused, Served

__all__ = ["STANDIN", "Refused", "Standin"]


class Standin(Served):
    """One running stand-in."""

    name = "stand-in"

    def __init__(self, directory, processes):
        super().__init__([sys.executable, str(STANDIN / "graph.py")], directory, processes)
        word, port = self.said
        assert word == "listening"
        self.port = int(port)

    @property
    def origin(self):
        """Where it listens, as a client is configured with it."""
        return f"https://localhost:{self.port}"

    @property
    def ca(self):
        """The authority behind its good certificate."""
        return self.directory / "ca.pem"

    def add_app(self, **facts):
        """Register an app: app_id, secret, family, mode, redirect_uris, …; returns it."""
        return self.tell("add_app", **facts)

    def set_app(self, app_id, **facts):
        """Change its registration."""
        return self.tell("set_app", app_id=app_id, **facts)

    def person(self, user_id, **facts):
        """Make or change a person, who sits at the browser from now on."""
        return self.tell("person", user_id=user_id, **facts)

    def add_business(self, **facts):
        """Make a business: admins, system_users, must_expire; returns it."""
        return self.tell("add_business", **facts)

    def add_token(self, app_id, user_id, **facts):
        """Issue a token; returns its text."""
        return self.tell("add_token", app_id=app_id, user_id=user_id, **facts)["token"]

    def set_token(self, text, **facts):
        """Change what is true of a token: issued_at and made_at are its age."""
        return self.tell("set_token", token=text, **facts)

    def token(self, text):
        """What is known of a token."""
        return self.tell("token_info", token=text)

    def issued(self, what=None):
        """The secrets that went out: those of one kind, or all."""
        found = self.tell("issued")["issued"]
        return [one["value"] for one in found if what in (None, one["what"])]

    def device_answer(self, answer="grant", **facts):
        """What the person says to the newest device."""
        return self.tell("device_answer", answer=answer, **facts)

    def rules(self, **changes):
        """Decide what Meta leaves open; returns all that hold."""
        return self.tell("rules", **changes)["rules"]

    def usage(self, **limits):
        """Usage headers from now on: app=True for Meta's sample, or the value."""
        self.tell("usage", **limits)

    def clock(self, offset):
        """Set its clock off by some seconds."""
        self.tell("set_clock", offset=offset)

    def misbehave(self, step, kind, which="all", **options):
        """Order wrong answers."""
        self.tell("set_misbehaviour", step=step, kind=kind, which=which, **options)

    def requests(self, step=None):
        """What it was asked so far."""
        return self.tell("requests", step=step)["requests"]

    def secrets_in_urls(self):
        """Requests so far that had a secret in their request line, as (step, names)."""
        return [(one["step"], one["query_secret_names"]) for one in self.requests()
                if one["query_secret_names"]]
