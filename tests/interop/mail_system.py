"""What the runner knows of another program, as a server, as a client, or as both."""

import re
import smtplib
import ssl
import subprocess

from features import TLS, USER
from harness import Client, wait_until
from message import head_of


def first_line(*command, **options):
    """What a program says of its version, in one line."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60,
                          **options)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else ""


class Server:
    """Takes mail from Outbox for `recipient`, and for `utf8_recipient` if it can. `port`: with
    STARTTLS where it has that; `implicit_port`: TLS at once, or None; `auth_port`: takes mail from
    `user` only."""

    name = ""
    title = ""
    lmtp = False
    implicit_port = None
    user = USER
    # Its DSN has the ENVID and the ORCPT that it was given.
    quotes_dsn = True
    # By its own word in Received or in what it writes beside the message; None: it writes nothing.
    secured = r"(?i)with (utf8|e)?smtpsa?\b"
    authenticated = r"(?i)with (utf8|e)?smtpsa\b"

    keywords = frozenset()
    # Why it cannot do TLS as a server, although it offers it; None: it can.
    tls_trouble = None

    def __init__(self, world):
        self.world = world
        self.domain = f"{self.name}.test"
        self.recipient = f"known@{self.domain}"
        self.utf8_recipient = f"zoë@{self.domain}"

    @property
    def auth_port(self):
        return self.port

    def files(self):
        """Messages that it has stored."""
        raise NotImplementedError

    def contents(self):
        return [path.read_bytes() for path in self.files()]

    def find(self, token):
        mark = f"X-Interop: {token}"
        return next((c for c in self.contents() if mark in head_of(c)), None)

    def port_for(self, key):
        return {"implicit": self.implicit_port, "auth": self.auth_port}.get(key, self.port)

    def look(self):
        """Finds out what it offers, behind STARTTLS too (`keywords`), and `tls_trouble`."""
        client = (smtplib.LMTP if self.lmtp else smtplib.SMTP)("127.0.0.1", self.auth_port,
                                                               timeout=20)
        with client:
            client.ehlo("interop.test")
            found = set(client.esmtp_features)
            if "starttls" in found:
                try:
                    client.starttls(context=ssl._create_unverified_context())
                    client.ehlo("interop.test")
                    found |= set(client.esmtp_features)
                except ssl.SSLError as error:
                    self.tls_trouble = ("it offers TLS, but this build of it cannot do a handshake,"
                                        f" with Python's ssl neither: {error.reason}")
        self.keywords = {word.upper() for word in found}

    def has(self, feature):
        offered = feature.keyword is None or feature.keyword in self.keywords
        if feature.key in TLS and self.tls_trouble:
            return False
        return self.implicit_port is not None if feature.key == "implicit" else offered

    def troubles(self):
        """The last lines of its log, for a report of what failed."""
        return ""


class MailClient:
    """Sends mail through Outbox. `cannot`: features that it has no way to use; whether it does use
    them is looked at all the same. `sets_envid`: with DSN it says ENVID and ORCPT, too."""

    name = ""
    title = ""
    cannot = frozenset()
    sets_envid = True

    def __init__(self, world):
        self.world = world

    def send(self, key, message, port):
        """Hands the message to 127.0.0.1:port with `key` in use. Raises if it was refused."""
        raise NotImplementedError


class Forwarder(MailClient):
    """A mail system that relays to Outbox whatever is for <anything>@<key>.out.test. `port` is
    where it takes mail itself."""

    def send(self, key, message, port):
        utf8, dsn = key == "smtputf8", key == "dsn"
        client = Client(self.port)
        try:
            client.ehlo()
            self.say(client, f"MAIL FROM:<{message.sender}> BODY=8BITMIME" +
                     (" SMTPUTF8" if utf8 else "") +
                     (f" RET=HDRS ENVID={message.token}" if dsn else ""))
            self.say(client, f"RCPT TO:<{message.recipient}>" +
                     (f" NOTIFY=SUCCESS ORCPT=rfc822;{message.recipient}" if dsn else ""))
            self.say(client, "DATA", 354)
            client.send(message.stuffed() + b".\r\n")
            code, text = client.reply()
            if code != 250:
                raise AssertionError(f"it refused the message itself: {code} {text}")
        finally:
            client.close()

    def say(self, client, line, wanted=250):
        code, text = client.say(line)
        if code != wanted:
            raise AssertionError(f"it answered {line} with {code} {text}")


def wait_for_content(find, token, what, patience):
    return wait_until(lambda: find(token), what, patience)


def says(pattern, stored):
    return re.search(pattern, head_of(stored)) is not None
