"""Device login.  The person answers by the control command `device_answer`."""

import secrets
import string

from messages import Answer
from meta_calls import BAD_APP, same
from meta_errors import GraphError
from meta_records import Device, random_text
from state import LONG_LIVED_SECONDS

PENDING, SLOW_DOWN, DECLINED, EXPIRED = 1349174, 1349172, 1349173, 1349152
LETTERS = string.ascii_uppercase + string.digits


def start(call):
    """POST /device/login"""
    app = _app(call)
    scopes = call.names("scope") or ["public_profile"]
    device = Device(secrets.token_hex(32), random_text(8, LETTERS), app.app_id, scopes,
                    call.state.now() + call.rule("device_seconds"))
    with call.state.changed:
        call.state.devices[device.code] = device
    call.state.hand_out("device code", call.step, device.code)
    return Answer(200, {"code": device.code, "user_code": device.user_code,
                        "verification_uri": "https://www.facebook.com/device",
                        "expires_in": call.rule("device_seconds"),
                        "interval": call.rule("device_interval")})


def poll(call):
    """POST /device/login_status"""
    app = _app(call)
    device = call.state.devices.get(call.required("code"))
    if device is None or device.app_id != app.app_id:
        raise GraphError(100, "Invalid device code")
    now, before = call.state.now(), device.asked_at
    device.asked_at = now
    if device.used or device.expires_at <= now:
        raise GraphError(463, "Device code has expired: code_expired", EXPIRED)
    if before is not None and now - before < call.rule("device_interval"):
        raise GraphError(17, "User request limit reached: slow_down", SLOW_DOWN)
    if device.answer == "decline":
        raise GraphError(call.rule("device_declined_code"),
                         "The person said no: authorization_declined", DECLINED)
    if device.answer == "wait":
        raise GraphError(31, "Device authorization pending: authorization_pending", PENDING)
    return _grant(call, app, device)


def _app(call):
    """By APPID|CLIENTTOKEN; the app secret has no business on a device."""
    app_id, _, client_token = call.token_text().partition("|")
    app = call.state.apps.get(app_id)
    if app is None or app.family != "facebook":
        raise GraphError(101, BAD_APP)
    if not same(client_token, app.client_token):
        raise GraphError(190, "Invalid OAuth access token signature.")
    return app


def _grant(call, app, device):
    device.used = True
    known = call.state.permissions.setdefault((app.app_id, device.user_id), {})
    known.update({scope: "declined" if scope in device.decline else "granted"
                  for scope in device.scopes})
    person = call.state.people.get(device.user_id)
    token = call.state.add_token(
        app.app_id, device.user_id, made_by="device_poll", issued_at=call.state.now(),
        expires_at=call.state.now() + LONG_LIVED_SECONDS,
        scopes=[one for one in device.scopes if one not in device.decline],
        targets=dict(person.targets) if person else {})
    return call.issue(token, {"data_access_expiration_time": token.data_access_expires_at},
                      bearer=False)
