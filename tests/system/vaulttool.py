"""A vault in a directory of its own, and p11vault run on it with nothing of this machine's user.

Nothing that lies here is shared with another test, so tests run in any order and side by side.
"""

import os
import shutil
import tempfile
from pathlib import Path

from program import Program

KEPT = ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "LLVM_PROFILE_FILE", "GCOV_PREFIX")


class Vault:
    """Directories, environment and configuration of one vault.

    The path is short on purpose: sockets below it must fit into 108 bytes.
    """

    def __init__(self, programs, processes):
        self.programs, self.processes = programs, processes
        self.base = Path(tempfile.mkdtemp(prefix="p11v-"))
        self.home = self._directory("home")
        self.xdg_config = self._directory("home/.config")
        self.xdg_data = self._directory("home/data")
        self.runtime = self._directory("run")
        self.tmp = self._directory("tmp")
        self.directory = self._directory("vault")
        self._directory("conf")
        self.config = self.write("conf/p11vault.conf", "")
        self.app_id = self.user_id = self.token = None

    def _directory(self, name):
        path = self.base / name
        path.mkdir(mode=0o700)
        return path

    def write(self, name, text, mode=0o600):
        """A file with exactly this mode, below the base directory but outside the vault."""
        path = self.base / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def configure(self, text):
        """Add lines to the configuration file."""
        with self.config.open("a", encoding="utf-8") as out:
            out.write("\n" + text)

    @property
    def trust(self):
        """Where the root of trust lies: beside the configuration file."""
        return self.config.with_name("trust")

    def environment(self, **more):
        """The whole environment of a program; None as a value leaves a variable out."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        values = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.home),
                  "XDG_CONFIG_HOME": str(self.xdg_config), "XDG_DATA_HOME": str(self.xdg_data),
                  "XDG_RUNTIME_DIR": str(self.runtime), "TMPDIR": str(self.tmp),
                  "LC_ALL": "C.UTF-8", "TERM": "dumb", "TZ": "UTC", **kept, **more}
        return {name: value for name, value in values.items() if value is not None}

    def start_bare(self, *arguments, stdin=None, pty=None, env=None):
        """p11vault with exactly these arguments, not waited for."""
        return Program([self.programs / "p11vault", *arguments], self.environment(**env or {}),
                       self.processes, stdin, pty)

    def start(self, *arguments, **how):
        """p11vault on this vault, not waited for: call finish() on what is returned."""
        return self.start_bare("--config", self.config, "--vault", self.directory, *arguments,
                               **how)

    def run(self, *arguments, timeout=60, **how):
        """p11vault on this vault; returns exit code, stdout, stderr.

        stdin: text or bytes.  pty: pairs (regular expression to wait for, what is typed then);
        gives the program a controlling terminal, whose text is `.terminal` of what is returned.
        env: changes to the environment.
        """
        return self.start(*arguments, **how).finish(timeout)

    def done(self, *arguments, **how):
        """Like run, for a step that a test only builds upon: anything but success ends it."""
        result = self.run(*arguments, **how)
        assert result.code == 0, f"p11vault {' '.join(map(str, arguments))}: {result!r}"
        return result

    def make_soft(self):
        """A vault with an enrolled SoftHSM card."""
        self.done("init", "--soft")
        self.done("card", "enroll")

    def make_ready(self, graph, secret):
        """An app and a user grant that the stand-in knows; returns the grant's token."""
        self.app_id = graph.tell("add_app", secret=secret)["app_id"]
        self.user_id = "10153848260347724"
        self.token = graph.tell("add_token", app_id=self.app_id, user_id=self.user_id)["token"]
        self.configure(f"[origin {graph.origin}]\nca = {graph.ca}\n")
        secret_file = self.write("given/secret", secret + "\n")
        token_file = self.write("given/token", self.token + "\n")
        self.done("app", "add", "ads", "--provider", "meta", "--id", self.app_id,
                  "--origin", graph.origin, "--secret-file", secret_file)
        self.done("import", "ads/user/alice", "--token-file", token_file)
        return self.token

    def remove(self):
        """Everything, also what a test has made unreadable."""
        shutil.rmtree(self.base)
