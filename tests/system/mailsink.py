"""A mail server that keeps what it is given (RFC 5321, as much of it as a client needs)."""

import email
import email.policy
import socketserver
import threading


class _Session(socketserver.StreamRequestHandler):
    def say(self, line):
        """One reply."""
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("220 sink")
        sender, recipients = None, []
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            verb = verb.upper()
            if verb in ("EHLO", "HELO"):
                self.say("250 sink")
            elif verb == "MAIL":
                sender = rest.partition(":")[2].split()[0].strip("<>")
                self.say("250 ok")
            elif verb == "RCPT":
                refused = self.server.refuses
                if not refused:
                    recipients.append(rest.partition(":")[2].split()[0].strip("<>"))
                self.say("550 no" if refused else "250 ok")
            elif verb == "DATA":
                self.say("354 go on")
                self.server.keep(sender, recipients, self._data())
                self.say("250 kept")
            else:
                self.say("221 bye" if verb == "QUIT" else "250 ok")
            if verb == "QUIT":
                return

    def _data(self):
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        return b"".join(lines)


class Sink(socketserver.ThreadingTCPServer):
    """Listens on a free port of 127.0.0.1; `mails` are (sender, recipients, message, bytes)."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails, self.refuses = [], False
        self.port = self.server_address[1]
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def keep(self, sender, recipients, data):
        """One mail."""
        message = email.message_from_bytes(data, policy=email.policy.default)
        self.mails.append((sender, recipients, message, data))

    def stop(self):
        """No more."""
        self.shutdown()
        self._thread.join()
        self.server_close()
