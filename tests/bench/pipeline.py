"""The baseline: what a person would write in a shell to use a sealed secret once.

One form body with the app secret and the token, sealed with RSA-OAEP to a key on the same card;
pkcs11-tool opens it and curl sends it.  One RSA block holds both only when the token is short, so
the tokens here are: longer ones would need a second tool.
"""

import subprocess

from cards import SoftCard

KEY = "rsa:2048"
KEY_ID = "62656e6368"
TOKEN_LENGTH = 140
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

SCRIPT = """\
#!/bin/sh
export SOFTHSM2_CONF={conf}
read -r PIN <{pin} || true
for call in {calls}; do
    PIN=$PIN pkcs11-tool --module {module} --token-label vault --login --pin env:PIN \\
        --decrypt --mechanism RSA-PKCS-OAEP --hash-algorithm SHA-1 --id {key} \\
        --input-file {body} |
    curl --silent --cacert {ca} --data grant_type=fb_exchange_token --data client_id={app} \\
        --data @- {origin}/v26.0/oauth/access_token
done
"""


def _sealed(card, text):
    """Sealed by openssl to the public half, as the card says it; the text comes on stdin."""
    public = card.vault.base / "pipeline-key.der"
    card.tool("--read-object", "--type", "pubkey", "--id", KEY_ID, "--output-file", public)
    return subprocess.run(
        ["openssl", "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", public,
         "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha1"],
        input=text.encode(), capture_output=True, check=True).stdout


class Pipeline:
    """The scripts, and what they read, in the directory of a vault with a soft card."""

    def __init__(self, vault, graph, secret, token):
        self._vault, self._graph = vault, graph
        self._card = SoftCard(vault)
        self._card.tool("--keypairgen", "--key-type", KEY, "--usage-decrypt", "--id", KEY_ID,
                        "--label", "pipeline")
        self._body = vault.base / "pipeline-body"
        self._body.write_bytes(_sealed(
            self._card, f"client_secret={secret}&fb_exchange_token={token}"))

    def script(self, name, calls, ca):
        """A command that makes the exchange call so many times with this file of authorities."""
        text = SCRIPT.format(
            conf=self._card.directory / "softhsm2.conf", pin=self._card.pin,
            calls=" ".join(map(str, range(1, calls + 1))), module=self._card.module, key=KEY_ID,
            body=self._body, ca=ca, app=self._vault.app_id, origin=self._graph.origin)
        return ["/bin/sh", self._vault.write(f"pipeline/{name}.sh", text)]
