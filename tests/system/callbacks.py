"""What the provider posts to an app's callbacks."""

import base64
import hashlib
import hmac
import json

ISSUED = 1700000000
USER = "10153848"
PAYLOAD = {"algorithm": "HMAC-SHA256", "issued_at": ISSUED, "user_id": USER}


def b64(data):
    """As JOSE and Meta write it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(secret, **changes):
    """The two halves with a dot between them."""
    payload = b64(json.dumps({**PAYLOAD, **changes}).encode())
    return b64(hmac.digest(secret.encode(), payload.encode(), hashlib.sha256)) + "." + payload
