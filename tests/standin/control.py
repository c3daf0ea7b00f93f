"""The commands of the control interface: README.md lists them, talking.py is how they come and are answered."""

from dataclasses import asdict

import meta_usage
import misbehave
from meta_calls import signed_request

WAIT_MAX = 600


class Control:
    """Commands by name: a public method here is a command, its parameters are the fields."""

    COMMANDS = ("add_app", "set_app", "person", "add_business", "add_token", "set_token",
                "token_info", "tokens", "issued", "revoke", "signed_request", "device_answer",
                "rules", "usage", "set_misbehaviour", "clear_misbehaviours", "requests", "wait",
                "release", "set_clock", "certificate", "shutdown")

    def __init__(self, house):
        self.house = house
        self.state = house.state

    def add_app(self, **fields):
        """Register an app."""
        return asdict(self.state.add_app(**fields))

    def set_app(self, app_id, **fields):
        """Change an app's registration."""
        return asdict(self.state.set_app(app_id, **fields))

    def person(self, user_id, **fields):
        """Make or change a person, who then sits at the browser."""
        return asdict(self.state.set_person(user_id, **fields))

    def add_business(self, **fields):
        """Make a business with its administrators and system users."""
        return asdict(self.state.add_business(**fields))

    def add_token(self, app_id, user_id, **fields):
        """Issue a token."""
        return asdict(self.state.add_token(app_id, user_id, **fields))

    def set_token(self, token, **fields):
        """Change what is true of a token."""
        return asdict(self.state.set_token(token, **fields))

    def token_info(self, token):
        """What is known of a token."""
        return self.state.token_info(token)

    def tokens(self, made_by=None):
        """Every token, or those that an exchange has issued."""
        known = [asdict(token) for token in self.state.tokens.values()]
        return {"tokens": [one for one in known if made_by in (None, one["made_by"])]}

    def issued(self):
        """Every secret that the stand-in has handed out to a client, tokens and others."""
        with self.state.changed:
            return {"issued": list(self.state.issued)}

    def signed_request(self, app_id, user_id, **fields):
        """What Meta posts to an app's deauthorise or data deletion callback."""
        app = self.state.apps[str(app_id)]
        return {"signed_request": signed_request(app.secret, {
            "algorithm": "HMAC-SHA256", "user_id": str(user_id),
            "issued_at": self.state.now(), **fields})}

    def device_answer(self, answer="grant", user_code=None, user_id=None, decline=()):
        """What the person says to a device; without a code, to the newest one."""
        if answer not in ("grant", "decline", "wait"):
            raise ValueError(f"no answer {answer!r}")
        with self.state.changed:
            device = [one for one in self.state.devices.values()
                      if user_code in (None, one.user_code)][-1:]
            if not device:
                raise ValueError("no such device")
            person = user_id or (self.state.person and self.state.person.user_id)
            if not person:
                raise ValueError("no person: give user_id")
            device[0].user_id, device[0].decline = str(person), list(decline)
            device[0].answer = answer
            return {"user_code": device[0].user_code}

    def rules(self, **changes):
        """Decide what Meta leaves open; without any change, say what holds."""
        return {"rules": self.state.set_rules(**changes)}

    def usage(self, step="all", **limits):
        """Send usage headers from now on; without any limit, none."""
        meta_usage.check(limits)
        if step != "all":
            misbehave.check(step, "headers")
        with self.state.changed:
            self.state.usage[step] = limits
        return {}

    def set_misbehaviour(self, step, kind, which="all", **options):
        """Order wrong answers."""
        misbehave.check(step, kind, options)
        if kind in self.house.certificates.KINDS:
            self.house.certificates.context(kind)  # now, so that the client waits for nothing
        self.state.add_misbehaviour(step, kind, which, options)
        return {}

    def clear_misbehaviours(self):
        """Take all orders back."""
        self.state.clear_misbehaviours()
        return {}

    def requests(self, step=None):
        """What was asked since the start."""
        with self.state.changed:
            known = list(self.state.requests)
        return {"requests": [one for one in known if step in (None, one["step"])]}

    def wait(self, event, count=1, timeout=30):
        """Answer when the event has happened that often, or when the time is over."""
        reached = self.state.wait(event, int(count), min(float(timeout), WAIT_MAX))
        return {"reached": reached, "count": self.state.events.get(event, 0)}

    def release(self):
        """Let every answer go that is held back now."""
        self.house.release_all()
        return {}

    def revoke(self, token, subcode=467):
        """Kill a token."""
        self.state.revoke(token, subcode)
        return {}

    def set_clock(self, offset):
        """Let the stand-in's clock be wrong by some seconds."""
        self.state.clock_offset = int(offset)
        return {}

    def certificate(self, kind="good"):
        """The file with the authority behind a kind of certificate."""
        return {"ca": str(self.house.certificates.authority(kind))}

    def shutdown(self):
        """End the stand-in."""
        self.house.stop.ring()
        return {}
