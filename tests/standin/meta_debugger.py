"""The token debugger."""

from messages import Answer
from meta_errors import GraphError


def debug_token(call):
    """GET /debug_token: by app token or by a user token of the app that issued the other one."""
    caller = call.caller(family="facebook")
    return inspect(call, call.app_of(caller))


def inspect(call, app):
    """What is said of input_token to somebody who speaks for `app`."""
    text = call.value("input_token")
    if not text:
        raise GraphError(100, "(#100) The parameter input_token is required.",
                         kind="GraphMethodException")
    token = call.state.tokens.get(text) or call.literal_app_token(text)
    if token is None:
        error = {"code": 190, "message": "Invalid OAuth access token."}
        return Answer(200, {"data": {"error": error, "is_valid": False, "scopes": []}})
    if token.app_id != app.app_id:
        raise GraphError(100, "(#100) The App_id in the input_token did not match the Viewing App")
    call.facts.update(input=token)
    return Answer(200, {"data": describe(call, token)})


def describe(call, token):
    """The facts of a token, with the error inside when it is dead."""
    data = {"app_id": token.app_id, "type": token.type, "application": call.app_of(token).name}
    if token.type == "APP":
        return {**data, "is_valid": True, "scopes": []}
    data["data_access_expires_at"] = token.data_access_expires_at
    data["expires_at"], data["is_valid"] = token.expires_at, True
    if token.issued_at:
        data["issued_at"] = token.issued_at
    if token.metadata:
        data["metadata"] = dict(token.metadata)
    if token.profile_id:
        data["profile_id"] = token.profile_id
    data["scopes"] = list(token.scopes)
    data["granular_scopes"] = [_granular(token, scope) for scope in token.scopes]
    data["user_id"] = token.user_id
    try:
        call.check_alive(token)
    except GraphError as error:
        data["is_valid"] = False
        data["error"] = {"code": error.code, "message": error.message, "subcode": error.subcode}
    return data


def _granular(token, scope):
    """Without target_ids it is for all."""
    ids = token.targets.get(scope)
    return {"scope": scope} if ids is None else {"scope": scope,
                                                 "target_ids": [str(one) for one in ids]}
