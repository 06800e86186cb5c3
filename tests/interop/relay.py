"""Outbox in the middle: listeners for each way to come in, a route for each way to go out."""

import json
import os
import shutil
import smtplib
import ssl
import subprocess

from features import KEYS, SECRET, TLS, USER
from harness import BIN, LISTENER, Outbox, free_ports, route

# One listener takes mail as it comes, one speaks TLS at once; AUTH_LISTENER takes it only from
# those who have said a password.
LISTENERS = """
[[listener]]
address    = "127.0.0.1:{{port}}"
relay_from = ["127.0.0.1/32"]
tls_certificate = "{certificate}"
tls_key = "{key}"

[[listener]]
address    = "127.0.0.1:{implicit}"
relay_from = ["127.0.0.1/32"]
tls = "implicit"
tls_certificate = "{certificate}"
tls_key = "{key}"
"""

AUTH_LISTENER = """
[[listener]]
address    = "127.0.0.1:{auth}"
tls_certificate = "{certificate}"
tls_key = "{key}"
auth = "required"
auth_users = "{users}"
"""

BDAT = "\n[delivery]\nchunking = true\n"


def version():
    done = subprocess.run([BIN / "outboxd", "--version"], capture_output=True, text=True)
    return done.stdout.split()[-1] if done.returncode == 0 and done.stdout else "this tree"


def sender_of(key, peer):
    """The return path of the message with which `key` is tried towards `peer`."""
    return f"{key}.{peer.name}@interop.test"


class Relay:
    """`servers` with their wires: {(name, key): Wire}. Ports: `port`, `implicit_port`, `auth_port`
    (None without AUTH)."""

    def __init__(self, world, servers, wires):
        self.world = world
        certificate, key = world.certificates.issue("outbox", "localhost", "127.0.0.1",
                                                     "relay.outbox.test")
        self.implicit_port, self.auth_port = free_ports(2)
        self.values = dict(certificate=certificate, key=key, implicit=self.implicit_port,
                           auth=self.auth_port, users=self.users_file())
        self.secret = world.dir / "outbox-secret"
        self.secret.write_text(SECRET + "\n")
        self.secret.chmod(0o600)
        self.knows_auth_in = self.accepts(LISTENERS + AUTH_LISTENER, "")
        self.knows_auth_out = self.accepts(LISTENERS, self.auth_keys(
            route(25, name="x", tls="required")))
        self.knows_bdat_out = self.accepts(LISTENERS, BDAT)
        listener = LISTENERS + (AUTH_LISTENER if self.knows_auth_in else "")
        if not self.knows_auth_in:
            self.auth_port = None
        config = f'\n[delivery]\ntls_ca = "{world.certificates.ca}"\nretry = "30s"\n'
        routes = {key: "".join(self.route_to(server, key, wires[server.name, key].port)
                               for server in servers) for key in KEYS}
        onward = route(world.catcher.port, name="onward", tls="none")
        self.outbox = self.started(config + "".join(routes.values()) + onward,
                                   listener.format(**self.values))
        # BDAT is said to all hosts that offer it, or to none.
        self.bdat_outbox = self.knows_bdat_out and self.started(BDAT + routes["bdat"], LISTENER)
        self.port = self.outbox.port
        self.keywords = self.offered()

    def started(self, config, listener):
        outbox = Outbox(self.world, config, listener=listener, shards=2)
        self.world.addCleanup(outbox.end)
        return outbox

    def way_out(self, key):
        """The daemon through which it is tried towards a server."""
        return self.bdat_outbox if key == "bdat" else self.outbox

    def users_file(self):
        hashed = subprocess.run(["openssl", "passwd", "-6", SECRET], check=True,
                                capture_output=True, text=True).stdout.strip()
        path = self.world.dir / "outbox-users"
        path.write_text(f"{USER}:{hashed}\n")
        path.chmod(0o600)
        return path

    def accepts(self, listener, more):
        """Whether this outboxd knows these keys."""
        trial = Outbox(self.world, more, listener=listener.format(**self.values), start=False)
        done = subprocess.run([BIN / "outboxd", "--check", "--config", trial.config],
                              capture_output=True, text=True)
        self.refusal = done.stdout + done.stderr
        shutil.rmtree(trial.dir)
        return done.returncode == 0

    def auth_keys(self, text, user=USER):
        return text + f"auth_user = {json.dumps(user)}\nauth_secret_file = \"{self.secret}\"\n"

    def route_to(self, server, key, port):
        tls = {"starttls": "verify", "implicit": "implicit"}.get(TLS.get(key), "none")
        options = dict(name=f"{key}-{server.name}", sender=sender_of(key, server))
        if server.lmtp:
            return route(port, server.domain, **options).replace(
                f'["127.0.0.1:{port}"]', f'"lmtp:127.0.0.1:{port}"')
        if key == "starttls" and server.tls_trouble:
            tls = "opportunistic"
        text = route(port, server.domain, tls=tls, **options)
        if key == "auth":
            if not self.knows_auth_out:
                return ""
            text = self.auth_keys(text, server.user)
        return text

    def offered(self):
        """The keywords of EHLO, those behind STARTTLS too, from all of our listeners."""
        found = set()
        for port in filter(None, (self.port, self.auth_port)):
            with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
                client.ehlo("interop.test")
                found |= set(client.esmtp_features)
                client.starttls(context=ssl._create_unverified_context())
                client.ehlo("interop.test")
                found |= set(client.esmtp_features)
        return {word.upper() for word in found}

    def has(self, feature, outbound):
        if feature.key == "auth":
            return self.knows_auth_out if outbound else self.knows_auth_in
        if feature.key == "bdat" and outbound:
            return self.knows_bdat_out
        # What Outbox offers else it also makes use of.
        return feature.keyword is None or feature.keyword in self.keywords

    def port_for(self, key):
        return {"implicit": self.implicit_port, "auth": self.auth_port or self.port}.get(
            key, self.port)

    def story_of(self, key, sender):
        """The end of the last dialogue about mail of this sender, for a report of what failed."""
        rows = [row for row in self.way_out(key).queue() if row.get("sender") == sender]
        if not rows:
            return "Outbox has no such mail any more"
        return f"it is {rows[0]['state']}: {rows[0]['last_reply']}"


def readable_copy(path, directory, owner=None):
    """Keys of Outbox must be its own; programs that give up root need one that they can read."""
    copy = directory / f"readable-{path.name}"
    shutil.copyfile(path, copy)
    os.chmod(copy, 0o644 if owner is None else 0o600)
    if owner:
        shutil.chown(copy, owner)
    return copy
