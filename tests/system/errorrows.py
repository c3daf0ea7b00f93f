"""The provider's errors as docs and field know them: at which step, with which codes, and what must come of each.

A row is (code, subcode, exit code, words of the hint, options of the stand-in's http_error).
"""

RETRY, WAIT, LOGIN, PERMISSION, CONFIG, STOP = 10, 11, 12, 13, 14, 15

AGAIN, LATER, NOTHING = "try again", "wait an hour", None
LOG_IN, SECRET, DASHBOARD = "p11vault login NAME", "p11vault app set-secret APP", "dashboard"
CONSENT, FACEBOOK, VERSION = "p11vault login NAME --rerequest", "facebook.com", "api-version"

# Where one grant is given for another.
EXCHANGE = [
    (1, 0, CONFIG, SECRET, {"message": "Error validating client secret."}),
    (1, 0, CONFIG, SECRET, {}),
    (1, 0, RETRY, AGAIN, {"status": 500}),
    (1, 99, STOP, NOTHING, {}),
    (2, 0, RETRY, AGAIN, {"status": 500}),
    (2, 1504040, RETRY, AGAIN, {"transient": True}),
    (-1, 0, RETRY, AGAIN, {}),
    (-2, 0, RETRY, AGAIN, {}),
    (3, 0, PERMISSION, DASHBOARD, {}),
    (4, 0, WAIT, LATER, {"status": 403}),
    (4, 1504022, WAIT, LATER, {}),
    (4, 1504039, WAIT, LATER, {}),
    (9, 0, WAIT, LATER, {}),
    (10, 0, PERMISSION, CONSENT, {"status": 403}),
    (17, 0, WAIT, LATER, {}),
    (17, 2446079, WAIT, LATER, {}),
    (32, 0, WAIT, LATER, {}),
    (100, 0, STOP, LOG_IN, {}),
    (100, 0, RETRY, AGAIN, {"transient": True}),
    (100, 0, CONFIG, SECRET, {"message": "Invalid appsecret_proof provided in the API argument"}),
    (100, 33, PERMISSION, CONSENT, {}),
    (100, 36009, LOGIN, LOG_IN, {}),
    (101, 0, CONFIG, "p11vault app show APP", {}),
    (102, 0, LOGIN, LOG_IN, {}),
    (102, 463, LOGIN, LOG_IN, {}),
    (104, 0, CONFIG, SECRET, {}),
    (190, 0, LOGIN, LOG_IN, {}),
    (190, 0, LOGIN, LOG_IN, {"status": 401}),
    (190, 458, LOGIN, LOG_IN, {}),
    (190, 459, LOGIN, FACEBOOK, {"set": {"error_data": {"url": "https://facebook.invalid/x"}}}),
    (190, 460, LOGIN, LOG_IN, {}),
    (190, 463, LOGIN, LOG_IN, {}),
    (190, 464, LOGIN, FACEBOOK, {}),
    (190, 467, LOGIN, LOG_IN, {}),
    (190, 483, LOGIN, FACEBOOK, {}),
    (190, 492, LOGIN, "p11vault pages", {}),
    (190, 493, LOGIN, "p11vault login NAME --reauthorize", {}),
    (191, 0, CONFIG, DASHBOARD, {}),
    (200, 0, PERMISSION, CONSENT, {"status": 403}),
    (200, 1870034, PERMISSION, CONSENT, {}),
    (294, 0, PERMISSION, CONSENT, {}),
    (299, 0, PERMISSION, CONSENT, {}),
    (341, 0, WAIT, LATER, {}),
    (368, 0, STOP, "for a day", {}),
    (368, 1390008, STOP, "for a day", {}),
    (368, 4854002, STOP, FACEBOOK, {}),
    (368, 1404082, STOP, NOTHING, {}),
    (412, 0, LOGIN, LOG_IN, {}),
    (450, 0, LOGIN, LOG_IN, {}),
    (452, 0, LOGIN, LOG_IN, {}),
    (463, 0, LOGIN, "p11vault login NAME", {}),
    (506, 0, STOP, NOTHING, {}),
    (613, 0, WAIT, LATER, {}),
    (613, 1996, WAIT, LATER, {}),
    (613, 1487742, WAIT, LATER, {}),
    (613, 5044001, WAIT, LATER, {}),
    (960, 0, RETRY, AGAIN, {}),
    (2500, 0, CONFIG, VERSION, {}),
    (2635, 0, CONFIG, VERSION, {}),
    (2642, 0, RETRY, "start the listing again", {}),
    (1609005, 0, STOP, NOTHING, {}),
    (80000, 2446079, WAIT, LATER, {}),
    (80001, 0, WAIT, LATER, {}),
    (80002, 0, WAIT, LATER, {}),
    (80003, 2446079, WAIT, LATER, {}),
    (80004, 2446079, WAIT, LATER, {}),
    (80005, 0, WAIT, LATER, {}),
    (80006, 0, WAIT, LATER, {}),
    (80008, 0, WAIT, LATER, {}),
    (80009, 0, WAIT, LATER, {}),
    (80014, 0, WAIT, LATER, {}),
    (4711, 0, STOP, "look the code up", {}),
    (4711, 0, RETRY, AGAIN, {"status": 500}),
    (4711, 0, WAIT, LATER, {"status": 429}),
]

# debug_token itself: what is wrong there is the app's, not the grant's.
INSPECT = [
    (1, 0, RETRY, AGAIN, {}),
    (2, 0, RETRY, AGAIN, {}),
    (4, 0, WAIT, LATER, {}),
    (100, 0, STOP, "p11vault import NAME", {
        "message": "(#100) The App_id in the input_token did not match the Viewing App"}),
    (100, 0, CONFIG, "debug-token = get", {"message": "Unsupported post request."}),
    (100, 33, CONFIG, "debug-token = get", {}),
    (101, 0, CONFIG, "p11vault app show APP", {}),
    (104, 0, CONFIG, SECRET, {}),
    (190, 0, CONFIG, SECRET, {}),
    (450, 0, CONFIG, SECRET, {}),
]

# Codes that mean something else where one grant is given for another than where a grant is inspected.
_ELSEWHERE = {1, 100, 101, 102, 104, 190, 450, 452}

# The inspection of a grant that was just issued: what debug_token says, and what any call may be answered.
RESULT = INSPECT + [row for row in EXCHANGE if row[0] not in _ELSEWHERE] + [
    (code, 0, STOP, NOTHING, {}) for code in (5, 33, 803, 1349, 9999)]

# Inside debug_token's data, with status 200: about the grant.
REVOCATIONS = [
    (458, LOG_IN), (459, FACEBOOK), (460, LOG_IN), (464, FACEBOOK), (467, LOG_IN),
    (483, FACEBOOK), (492, "p11vault pages"), (493, "p11vault login NAME --reauthorize")]

# Where a code is given for a grant.
CODE = [
    (1, 0, CONFIG, SECRET, {"message": "Error validating client secret."}),
    (2, 0, RETRY, "log in again in a few minutes: p11vault login NAME", {}),
    (4, 0, WAIT, "log in again in an hour: p11vault login NAME", {}),
    (100, 0, CONFIG, DASHBOARD, {"message": "Error validating: redirect_uri must be identical"}),
    (100, 36007, LOGIN, LOG_IN, {}),
    (100, 36009, LOGIN, LOG_IN, {}),
    (101, 0, CONFIG, "p11vault app show APP", {}),
    (190, 0, LOGIN, LOG_IN, {}),
    (191, 0, CONFIG, DASHBOARD, {}),
]

# Calls that the grant authorises.
PAGES = [
    (1, 0, RETRY, AGAIN, {}),
    (4, 0, WAIT, LATER, {}),
    (10, 0, PERMISSION, CONSENT, {}),
    (17, 0, WAIT, LATER, {}),
    (100, 0, STOP, "ids, permissions", {}),
    (190, 463, LOGIN, LOG_IN, {}),
    (200, 0, PERMISSION, CONSENT, {}),
    (2642, 0, RETRY, "start the listing again", {}),
]

# The app's own credentials.
APP_TOKEN = [
    (1, 0, CONFIG, SECRET, {}),
    (2, 0, RETRY, AGAIN, {}),
    (4, 0, WAIT, LATER, {}),
    (101, 0, CONFIG, "p11vault app show APP", {}),
    (190, 0, CONFIG, SECRET, {}),
]

# A session's grant, out of the one that is held.
SESSION = [
    (100, 0, STOP, LOG_IN, {}),
    (190, 460, LOGIN, LOG_IN, {}),
    (200, 0, PERMISSION, CONSENT, {}),
]

# A device login, which the client token authorises.
DEVICE = [
    (2, 0, RETRY, AGAIN, {}),
    (4, 0, WAIT, LATER, {}),
    (100, 0, CONFIG, "client token", {}),
    (101, 0, CONFIG, "p11vault app show APP", {}),
    (190, 0, CONFIG, "client token", {}),
    (463, 1349152, LOGIN, "p11vault login NAME --device", {}),
    (100, 1349173, LOGIN, "p11vault login NAME --device", {}),
]


def row_id(row):
    """Readable and different."""
    code, subcode, _, _, options = row
    extra = "-".join(f"{key}" + (f"{value}" if isinstance(value, int) else "")
                     for key, value in options.items())
    return "-".join(filter(None, [str(code), str(subcode or ""), extra]))
