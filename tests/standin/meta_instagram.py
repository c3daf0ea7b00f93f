"""Instagram Login: the code at api.instagram.com, everything else at graph.instagram.com."""

from messages import Answer
from meta_calls import BAD_TOKEN
from meta_errors import GraphError, method_error
from meta_grants import use_code
from state import LONG_LIVED_SECONDS

CODE_SECONDS = 3600
PROFILE = ("id", "user_id", "username", "name")


def code(call):
    """POST /oauth/access_token as a form; errors there have a shape of their own."""
    token = redeem_code(call, "instagram")
    call.facts["issued"] = [token]
    flat = {"access_token": token.token, "user_id": int(token.user_id)}
    if call.rule("code_shape") == "flat":
        return Answer(200, flat)
    if call.rule("code_shape") == "list":
        return Answer(200, {**flat, "permissions": list(token.scopes)})
    return Answer(200, {"data": [{"access_token": token.token, "user_id": token.user_id,
                                  "permissions": ",".join(token.scopes)}]})


def redeem_code(call, family):
    """What Instagram and Threads have in common at this call; everything is in the form."""
    if call.request.query:
        raise GraphError(400, "The parameters belong into the form")
    app = call.state.apps.get(call.value("client_id"))
    if app is None or app.family != family:
        raise GraphError(101, "Invalid platform app")
    call.check_secret(app)
    if call.value("grant_type") != "authorization_code":
        raise GraphError(100, "Invalid grant_type")
    found = call.state.codes.get(call.required("code"))
    use_code(call, app, found, subcodes=family == "threads")
    facts = {**found.token, "expires_in": CODE_SECONDS}
    return call.state.add_token(app.app_id, made_by="code", **facts)


def exchange(call):
    """GET /access_token?grant_type=ig_exchange_token"""
    return lengthen(call, "instagram", "ig_exchange_token")


def refresh(call):
    """GET /refresh_access_token?grant_type=ig_refresh_token"""
    return renew(call, "instagram", "ig_refresh_token", "instagram_business_basic")


def me(call):
    """GET /me"""
    return profile(call, "instagram", PROFILE)


# The same at Threads.

def lengthen(call, family, grant):
    """A short-lived token becomes one for sixty days; the secret must be that of its app."""
    parent = _holder(call, family, grant)
    call.check_secret(call.app_of(parent))
    if call.state.long_lived(parent):
        raise GraphError(100, "Only a short-lived token can be exchanged")
    call.facts.update(input=parent)
    return call.issue(call.state.derive(parent, "exchange",
                                        expires_at=call.state.now() + LONG_LIVED_SECONDS))


def renew(call, family, grant, scope):
    """A long-lived token of at least a day gets sixty days more; no secret is needed."""
    parent = _holder(call, family, grant)
    if not call.state.long_lived(parent):
        raise GraphError(100, "Only a long-lived token can be refreshed")
    if scope not in parent.scopes:
        raise GraphError(10, f"(#10) This call needs the permission {scope}")
    if call.state.now() - (parent.issued_at or parent.made_at) < call.rule("refresh_age"):
        raise GraphError(100, "The token is not yet 24 hours old")
    call.facts.update(input=parent)
    expires_at = call.state.now() + LONG_LIVED_SECONDS
    if call.rule("refresh_same_token"):
        parent.expires_at, parent.issued_at = expires_at, call.state.now()
        return call.issue(parent)
    return call.issue(call.state.derive(parent, "refresh", expires_at=expires_at))


def profile(call, family, known):
    """The one whose token it is: `fields`, and the id always."""
    token = call.data_caller(types=("USER",), family=family)
    person = call.state.people.get(token.user_id)
    facts = {"id": token.user_id, "user_id": token.user_id,
             "username": person.username if person else "stand.in",
             "name": person.name if person else "Stand-in person"}
    asked = [one for one in (call.value("fields") or "id").split(",") if one]
    if unknown := set(asked) - set(known):
        raise GraphError(100, f"(#100) Tried accessing nonexisting field ({sorted(unknown)[0]})")
    return Answer(200, {name: facts[name] for name in dict.fromkeys((*asked, "id"))})


def _holder(call, family, grant):
    if call.value("grant_type") != grant:
        raise GraphError(100, "Invalid parameter: grant_type")
    if call.request.bearer() and not call.rule("bearer_at_exchange"):
        raise method_error("The access token is a parameter of this call")
    parent = call.state.tokens.get(call.token_text())
    if parent is None or call.app_of(parent).family != family or parent.type != "USER":
        raise GraphError(190, BAD_TOKEN)
    call.check_alive(parent)
    call.check_proof(call.app_of(parent), parent.token)
    return parent
