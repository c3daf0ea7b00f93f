"""One good request of every step, and what has to be there before it."""

import json
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

from browsing import open_dialog
from graphcalls import VERSION, Caller, proof

PERSON, PAGE = "10153848260347724", "1353269864728879"
SYSTEM_USER, BUSINESS, CLIENT_BUSINESS = "122100000000001", "300000000000001", "300000000000002"
URI = "https://app.example/login?from=meta"
SIXTY_DAYS = 5184000


@dataclass
class Sent:
    """What a request consists of."""

    method: str
    path: str
    form: dict = None
    query: dict = None
    headers: dict = field(default_factory=dict)


class World:
    """Apps of all families, a person with a page, a business with a system user."""

    def __init__(self, graph, **app):
        self.graph = graph
        graph.person(PERSON, name="Ann", username="ann", client_business_id=CLIENT_BUSINESS,
                     pages=[{"id": PAGE, "name": "Ann's page"}])
        graph.add_business(business_id=BUSINESS, admins=[PERSON], system_users=[SYSTEM_USER])
        self.caller = Caller(graph, redirect_uris=[URI], business_id=BUSINESS, **app)
        self.instagram = graph.add_app(family="instagram", redirect_uris=[URI])
        self.threads = graph.add_app(family="threads", redirect_uris=[URI], testers=[PERSON])
        self.scopes = ["public_profile", "pages_show_list"]

    # What is needed beforehand.

    def user(self, **facts):
        """A long-lived user token."""
        facts = {"expires_in": SIXTY_DAYS, "scopes": self.scopes, "issued_at": int(time.time()),
                 **facts}
        return self.caller.add_token(**facts)

    def business_token(self, **facts):
        """A business's own system user token (BISU)."""
        facts = {"type": "SYSTEM_USER", "user_id": SYSTEM_USER, "expires_at": 0,
                 "client_business_id": CLIENT_BUSINESS, "data_access_expires_at": 0,
                 "scopes": ["ads_read", "ads_management"], "issued_at": int(time.time()), **facts}
        if "expires_in" in facts:
            del facts["expires_at"]
        return self.caller.add_token(**facts)

    def dialog_url(self, app_id=None, path=VERSION + "/dialog/oauth", **changes):
        """A dialog's URL; None leaves a parameter out."""
        fields = {"client_id": app_id or self.caller.app_id, "redirect_uri": URI,
                  "state": "opaque-state", "response_type": "code", **changes}
        given = {name: value for name, value in fields.items() if value is not None}
        return f"{self.graph.origin}{path}?{urlencode(given)}"

    def dialog(self, **changes):
        """Where the dialog sends the browser, or None."""
        return open_dialog(self.graph, self.dialog_url(**changes))

    def code(self, **changes):
        """A code from the dialog."""
        return self.dialog(**changes).parameters["code"]

    def code_fields(self, **changes):
        """The parameters that redeem a code."""
        fields = {"client_id": self.caller.app_id, "client_secret": self.caller.secret,
                  "redirect_uri": URI, **changes}
        fields["code"] = changes["code"] if "code" in changes else self.code()
        return {name: value for name, value in fields.items() if value is not None}

    def client_code_fields(self, **changes):
        """The parameters of client_code."""
        fields = {"client_id": self.caller.app_id, "client_secret": self.caller.secret,
                  "redirect_uri": URI, **changes}
        fields["access_token"] = changes.get("access_token") or self.user()
        return fields

    def client_code(self):
        """A code for a client."""
        return self.caller.ask("oauth/client_code", **self.client_code_fields()).data["code"]

    def proof(self, token):
        """The proof of a token of the Facebook app, as parameters."""
        return {"appsecret_proof": proof(self.caller.secret, token)}

    @property
    def device_token(self):
        """APPID|CLIENTTOKEN"""
        token = self.graph.set_app(self.caller.app_id)["client_token"]
        return f"{self.caller.app_id}|{token}"

    def device(self):
        """A device code that the person has confirmed."""
        code = self.caller.post("device/login", access_token=self.device_token).data["code"]
        self.graph.device_answer()
        return code

    # The steps.

    def request(self, step):
        """A good request of a step, made ready as far as needed."""
        return getattr(self, "_" + step)()

    def _form(self, path, bearer=None, **form):
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return Sent("POST", f"{VERSION}/{path}", form, headers=headers)

    def _get(self, path, bearer=None, **query):
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return Sent("GET", f"{VERSION}/{path}", None, query, headers)

    def _exchange(self):
        return self._form("oauth/access_token", **self.caller.exchange_fields())

    def _debug_token(self):
        return self._form("debug_token", **self.caller.inspect_fields())

    def _code(self):
        return self._form("oauth/access_token", **self.code_fields())

    def _redeem(self):
        return self._form("oauth/access_token", client_id=self.caller.app_id, redirect_uri=URI,
                          code=self.client_code())

    def _app_token(self):
        return self._form("oauth/access_token", grant_type="client_credentials",
                          client_id=self.caller.app_id, client_secret=self.caller.secret)

    def _session_info(self):
        return self._form("oauth/access_token", grant_type="fb_attenuate_token",
                          client_id=self.caller.app_id, fb_exchange_token=self.user())

    def _client_code(self):
        return self._get("oauth/client_code", **self.client_code_fields())

    def _system_user(self):
        admin = self.user()
        self.caller.post(f"{SYSTEM_USER}/applications", admin, business_app=self.caller.app_id)
        return self._form(f"{SYSTEM_USER}/access_tokens", admin, business_app=self.caller.app_id,
                          scope="ads_read", **self.proof(admin))

    def _narrow(self):
        token = self.business_token()
        return self._form(f"{CLIENT_BUSINESS}/system_user_access_tokens", token, scope="ads_read",
                          **self.proof(token))

    def _revoke(self):
        return self._get("oauth/revoke", client_id=self.caller.app_id,
                         client_secret=self.caller.secret, revoke_token=self.business_token(),
                         access_token=self.user())

    def _device_start(self):
        return self._form("device/login", access_token=self.device_token)

    def _device_poll(self):
        return self._form("device/login_status", access_token=self.device_token,
                          code=self.device())

    def _refresh(self):
        day_old = int(time.time()) - 86401
        token = self.graph.add_token(self.instagram["app_id"], "17841405793187218",
                                     expires_in=SIXTY_DAYS, issued_at=day_old,
                                     scopes=["instagram_business_basic"])
        return Sent("GET", "/refresh_access_token", None,
                    {"grant_type": "ig_refresh_token", "access_token": token})

    def _pages(self):
        return self._get("me/accounts", self.user())

    def _businesses(self):
        return self._get("me/businesses", self.user(scopes=["business_management"]))

    def _permissions(self):
        return self._get("me/permissions", self.user())

    def _take_back(self):
        return Sent("DELETE", f"{VERSION}/me/permissions", None, None,
                    {"Authorization": f"Bearer {self.user()}"})

    def _me(self):
        return self._get("me", self.user(), fields="id,name")

    def _batch(self):
        items = [{"method": "GET", "relative_url": "me"}]
        return Sent("POST", VERSION, {"batch": json.dumps(items)},
                    headers={"Authorization": f"Bearer {self.user()}"})

    def _call(self):
        return self._get(PERSON, self.user())

    def _dialog(self):
        return self._get("dialog/oauth", client_id=self.caller.app_id, redirect_uri=URI,
                         state="opaque-state")

    def _other(self):
        return self._get("nothing", self.user())
