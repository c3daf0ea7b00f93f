"""The stand-in as Instagram and as Threads: one origin, apps and words of their own."""

import time

import pytest

from browsing import open_dialog
from graphsteps import PERSON, SIXTY_DAYS, URI, World

FAMILIES = ("instagram", "threads")
BASIC = {"instagram": "instagram_business_basic", "threads": "threads_basic"}
WORD = {"instagram": "ig", "threads": "th"}


class Family:
    """One of the two, and its calls."""

    def __init__(self, graph, name):
        self.graph, self.name, self.world = graph, name, World(graph)
        self.caller, self.app = self.world.caller, getattr(self.world, name)

    def dialog(self, **changes):
        """Where the dialog sends the browser."""
        fields = {"app_id": self.app["app_id"], "path": "/oauth/authorize", **changes}
        return open_dialog(self.graph, self.world.dialog_url(**fields))

    def redeem(self, **changes):
        """The code grant as a form."""
        fields = {"client_id": self.app["app_id"], "client_secret": self.app["secret"],
                  "grant_type": "authorization_code", "redirect_uri": URI, **changes}
        if "code" not in fields:
            fields["code"] = self.dialog().parameters["code"]
        return self.caller.post("/oauth/access_token", **fields)

    def add(self, **facts):
        """A token of this family."""
        facts = {"scopes": [BASIC[self.name]], **facts}
        return self.graph.add_token(self.app["app_id"], PERSON, **facts)

    def day_old(self, **facts):
        """A long-lived token that may be refreshed."""
        return self.add(**{"expires_in": SIXTY_DAYS - 90000, "issued_at": int(time.time()) - 90000,
                           **facts})

    def lengthen(self, token, **changes):
        """Short-lived to long-lived."""
        fields = {"grant_type": WORD[self.name] + "_exchange_token", "access_token": token,
                  "client_secret": self.app["secret"], **changes}
        return self.caller.ask("/access_token", **fields)

    def refresh(self, token, **changes):
        """Sixty days more."""
        fields = {"grant_type": WORD[self.name] + "_refresh_token", "access_token": token,
                  **changes}
        return self.caller.ask("/refresh_access_token", **fields)


@pytest.fixture(params=FAMILIES)
def family(graph, request):
    """Each of the two."""
    made = Family(graph, request.param)
    yield made
    made.caller.close()


@pytest.fixture
def instagram(graph):
    """Instagram alone."""
    made = Family(graph, "instagram")
    yield made
    made.caller.close()


@pytest.fixture
def threads(graph):
    """Threads alone."""
    made = Family(graph, "threads")
    yield made
    made.caller.close()


def test_the_dialog(family):
    """With a fragment of two characters; response_type is needed; Facebook's path is not theirs."""
    back = family.dialog(scope=BASIC[family.name])
    assert back.fragment == "_" and back.parameters["state"] == "opaque-state"
    for wrong in ({"response_type": None}, {"app_id": family.caller.app_id},
                  {"code_challenge": "x" * 43, "code_challenge_method": "S256"},
                  {"redirect_uri": "https://evil.example/"},
                  {"path": "/v26.0/dialog/oauth"}):
        assert family.dialog(**wrong) is None
    family.graph.person(PERSON, answer="cancel")
    assert family.dialog().parameters["error_reason"] == "user_denied"


def test_from_code_to_sixty_days(family):
    """An hour first; then a long-lived token, which is refreshed after a day."""
    family.redeem()
    token = family.graph.issued("token")[0]
    assert family.graph.token(token)["expires_at"] - family.graph.token(token)["made_at"] == 3600
    answer = family.lengthen(token)
    assert answer.data["token_type"] == "bearer" and answer.data["expires_in"] == 5183944
    long_lived = answer.data["access_token"]
    assert family.refresh(long_lived).error == (100, 0)
    family.graph.clock(86401)
    answer = family.refresh(long_lived)
    assert answer.data["expires_in"] == 5183944 and answer.data["access_token"] != long_lived
    assert family.caller.ask("/me", long_lived).status == 200
    assert [one["step"] for one in family.graph.requests()] == [
        "dialog", "code", "exchange", "refresh", "refresh", "me"]


def test_tokens_look_like_theirs(family):
    """By their beginning."""
    assert family.add().startswith({"instagram": "IGAA", "threads": "THAA"}[family.name])


@pytest.mark.parametrize("shape", ["data", "list", "flat"])
def test_three_shapes_of_instagrams_answer(instagram, shape):
    """All seen in the wild; ids beyond 2^53 as numbers too."""
    instagram.graph.rules(code_shape=shape)
    data = instagram.redeem().data
    if shape == "data":
        assert data["data"][0].pop("access_token").startswith("IGAA")
        assert data == {"data": [{"user_id": PERSON, "permissions": BASIC["instagram"]}]}
    else:
        assert data.pop("access_token").startswith("IGAA")
        more = {"permissions": [BASIC["instagram"]]} if shape == "list" else {}
        assert data == {"user_id": int(PERSON), **more}


def test_threads_answer_has_a_number(threads):
    """user_id is no text."""
    answer = threads.redeem()
    assert f'"user_id":{PERSON}'.encode() in answer.body
    assert set(answer.data) == {"access_token", "user_id"}


CODE_ERRORS = [({"client_id": "42"}, 101), ({"client_secret": "0" * 32}, 1),
               ({"grant_type": None}, 100), ({"code": "AQunknown"}, 100), ({"code": None}, 100),
               ({"redirect_uri": "https://app.example/"}, 100)]


@pytest.mark.parametrize("changes, _code", CODE_ERRORS)
def test_instagrams_errors_have_a_shape_of_their_own(instagram, changes, _code):
    """error_type, code 400, error_message; also where the app is unknown."""
    answer = instagram.redeem(**changes)
    assert answer.status == 400
    assert set(answer.data) == {"error_type", "code", "error_message"}
    assert (answer.data["error_type"], answer.data["code"]) == ("OAuthException", 400)


@pytest.mark.parametrize("changes, code", CODE_ERRORS[1:])
def test_threads_errors_are_graphs(threads, changes, code):
    """The usual object."""
    assert threads.redeem(**changes).error[0] == code


def test_codes_are_used_once(family):
    """With the shape of each."""
    code = family.dialog().parameters["code"]
    assert family.redeem(code=code).status == 200
    answer = family.redeem(code=code)
    assert answer.status == 400 and b"This authorization code has been used." in answer.body
    if family.name == "threads":
        assert answer.error == (100, 36009)


def test_the_code_goes_in_a_form(family):
    """A query is refused, and so is a GET."""
    fields = {"client_id": family.app["app_id"], "client_secret": family.app["secret"],
              "grant_type": "authorization_code", "redirect_uri": URI, "code": "AQx"}
    assert family.caller.call("POST", "/oauth/access_token", {}, fields).status == 400
    assert family.caller.ask("/oauth/access_token", **fields).status == 400


def test_exchange_and_refresh_are_gets(family):
    """With the token in the query, as documented, until a rule allows more."""
    fields = {"grant_type": WORD[family.name] + "_refresh_token", "access_token": family.day_old()}
    assert family.caller.post("/refresh_access_token", **fields).error == (100, 33)
    token = fields.pop("access_token")
    assert family.caller.ask("/refresh_access_token", token, **fields).error == (100, 33)
    family.graph.rules(bearer_at_exchange=True, post=["refresh"])
    assert family.caller.post("/refresh_access_token", token, **fields).status == 200
    assert family.caller.post("/refresh_access_token", access_token=token,
                              method="get", **fields).error == (100, 33)
    family.graph.rules(post_as_get=["refresh"])
    assert family.caller.post("/refresh_access_token", access_token=token,
                              method="get", **fields).status == 200


def test_exchanges_that_are_refused(family):
    """Wrong secret or grant, dead, long-lived already, of another family."""
    short = family.add()
    assert family.lengthen(short, client_secret="0" * 32).error == (1, 0)
    assert family.lengthen(short, grant_type="fb_exchange_token").error == (100, 0)
    assert family.lengthen(family.add(expires_in=-5)).error == (190, 463)
    assert family.lengthen(family.add(revoked=460)).error == (190, 460)
    assert family.lengthen(family.day_old()).error == (100, 0)
    assert family.lengthen("IGunknown").error == (190, 0)
    assert family.caller.exchange(fb_exchange_token=short).error == (190, 0)
    assert family.caller.ask("/access_token", access_token=family.world.user(),
                             grant_type="ig_exchange_token").error == (190, 0)


def test_refreshes_that_are_refused(family):
    """Too young, short-lived, expired, without the basic permission, another word."""
    assert family.refresh(family.day_old(issued_at=int(time.time()) - 80000)).error == (100, 0)
    assert family.refresh(family.add()).error == (100, 0)
    assert family.refresh(family.day_old(expires_in=-5)).error == (190, 463)
    assert family.refresh(family.day_old(scopes=["other"])).error == (10, 0)
    assert family.refresh(family.day_old(), grant_type="dance").error == (100, 0)


def test_a_refresh_may_keep_the_string(family):
    """By rule; the same token then lives longer."""
    family.graph.rules(refresh_same_token=True)
    token = family.day_old()
    before = family.graph.token(token)["expires_at"]
    assert family.refresh(token).data["access_token"] == token
    assert family.graph.token(token)["expires_at"] > before


@pytest.mark.parametrize("path", ["/me", "/v26.0/me"])
def test_who_an_instagram_token_is(instagram, path):
    """With and without a version."""
    answer = instagram.caller.ask(path, instagram.add(), fields="user_id,username")
    assert answer.data == {"user_id": PERSON, "username": "ann", "id": PERSON}


@pytest.mark.parametrize("path, status", [("/me", 200), ("/v1.0/me", 200), ("/v26.0/me", 400)])
def test_who_a_threads_token_is(threads, path, status):
    """Version 1.0 or none."""
    answer = threads.caller.ask(path, threads.add(), fields="id,username")
    assert answer.status == status
    if status == 200:
        assert answer.data == {"id": PERSON, "username": "ann"}
        assert answer.headers["facebook-api-version"] == "v1.0"


def test_subcode_zero(instagram):
    """Some of Instagram's answers have it beside a 190."""
    answer = instagram.caller.ask("/me", "IGAAunknown", fields="id")
    assert "error_subcode" not in answer.data["error"]
    instagram.graph.rules(zero_subcode=True)
    answer = instagram.refresh("IGAAunknown")
    assert answer.data["error"]["code"] == 190 and answer.data["error"]["error_subcode"] == 0


def test_threads_app_token(threads):
    """By GET; it has no end."""
    fields = {"grant_type": "client_credentials", "client_id": threads.app["app_id"],
              "client_secret": threads.app["secret"]}
    answer = threads.caller.ask("/oauth/access_token", **fields)
    assert set(answer.data) == {"access_token", "token_type"}
    assert threads.graph.requests()[-1]["step"] == "app_token"
    assert threads.caller.post("/oauth/access_token", **fields).error == (100, 33)
    assert threads.caller.ask("/oauth/access_token",
                              **{**fields, "client_secret": "0" * 32}).error == (1, 0)


@pytest.mark.parametrize("path", ["/debug_token", "/v1.0/debug_token"])
def test_threads_debugger_is_for_testers(threads, path):
    """With a user token, which may be the one that is asked about; nobody else."""
    token = threads.add()
    answer = threads.caller.ask(path, access_token=token, input_token=token)
    data = answer.data["data"]
    assert data["is_valid"] and data["app_id"] == threads.app["app_id"]
    app_token = f"{threads.app['app_id']}|{threads.app['secret']}"
    assert threads.caller.ask(path, access_token=app_token, input_token=token).error == (100, 0)
    threads.graph.set_app(threads.app["app_id"], testers=[])
    assert threads.caller.ask(path, access_token=token, input_token=token).error == (10, 0)


def test_families_do_not_mix(family):
    """An app of another family is no app at Facebook's token endpoint."""
    answer = family.caller.exchange(client_id=family.app["app_id"],
                                    client_secret=family.app["secret"])
    assert answer.status == 400
    facebook = {"client_id": family.caller.app_id, "client_secret": family.caller.secret}
    assert family.redeem(**facebook).error == (2500, 0)


def test_secrets_in_urls_are_recorded(family):
    """What cannot be avoided here, a test can see."""
    family.redeem()
    family.lengthen(family.add())
    assert family.graph.secrets_in_urls() == [("exchange", ["access_token", "client_secret"])]
