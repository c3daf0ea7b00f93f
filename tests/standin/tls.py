"""Certificates for the stand-in, made with the openssl command line.

Keys are made anew for every run and die with its directory, so no test key ever lies in the
repository and nobody is tempted to trust one.
"""

import ssl
import subprocess
import threading
from pathlib import Path

NAMES = "DNS:localhost,IP:127.0.0.1,IP:::1"

CONFIGURATION = """\
[req]
distinguished_name = subject
prompt = no
string_mask = utf8only
[subject]
CN = {subject}
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


def _certificate(directory, stem, subject, section, names=NAMES, issuer=None):
    """Make STEM.key and STEM.pem; without an issuer the certificate signs itself."""
    configuration = directory / f"{stem}.cnf"
    configuration.write_text(CONFIGURATION.format(subject=subject, names=names))
    command = ["openssl", "req", "-x509", "-newkey", "ec",
               "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
               "-config", str(configuration), "-extensions", section,
               "-keyout", str(directory / f"{stem}.key"), "-out", str(directory / f"{stem}.pem")]
    if issuer:
        command += ["-CA", str(directory / f"{issuer}.pem"),
                    "-CAkey", str(directory / f"{issuer}.key")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl req: {done.stderr.decode(errors='replace').strip()}")


def _context(directory, stem, maximum=None):
    """A server context for STEM; HTTP/1.1 is the only protocol offered by ALPN."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(directory / f"{stem}.pem", directory / f"{stem}.key")
    if maximum is None:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    else:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = maximum
        context.maximum_version = maximum
    return context


class Certificates:
    """The good certificate at once, the bad ones when somebody asks for them.

    good:        own authority (ca.pem), for localhost, 127.0.0.1 and ::1
    untrusted:   another authority (untrusted-ca.pem), for the same names
    other_name:  own authority, for a name that is not ours
    old_tls:     the good certificate, but TLS 1.1 only
    """

    KINDS = ("good", "untrusted", "other_name", "old_tls")

    def __init__(self, directory):
        self.directory = Path(directory)
        self._lock = threading.Lock()
        self._contexts = {}
        _certificate(self.directory, "ca", "Stand-in test authority", "authority")
        _certificate(self.directory, "server", "localhost", "server", issuer="ca")
        self._contexts["good"] = _context(self.directory, "server")

    def context(self, kind="good"):
        """The TLS context of a kind; several connections may ask at the same time."""
        with self._lock:
            if kind not in self._contexts:
                self._contexts[kind] = self._make(kind)
            return self._contexts[kind]

    def authority(self, kind="good"):
        """The file with the authority that signed a kind, for a client's configuration."""
        self.context(kind)
        return self.directory / ("untrusted-ca.pem" if kind == "untrusted" else "ca.pem")

    def _make(self, kind):
        if kind == "untrusted":
            _certificate(self.directory, "untrusted-ca", "Nobody's authority", "authority")
            _certificate(self.directory, "untrusted", "localhost", "server",
                         issuer="untrusted-ca")
            return _context(self.directory, "untrusted")
        if kind == "other_name":
            _certificate(self.directory, "other", "graph.invalid", "server",
                         names="DNS:graph.invalid", issuer="ca")
            return _context(self.directory, "other")
        if kind == "old_tls":
            return _context(self.directory, "server", maximum=ssl.TLSVersion.TLSv1_1)
        raise ValueError(f"no certificate of kind {kind!r}")
