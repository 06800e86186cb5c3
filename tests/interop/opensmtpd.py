"""OpenSMTPD, both ways. It has its paths compiled in, so it runs in a mount namespace of its own in
which it seems to be installed; nothing of the machine changes."""

import os
import pathlib
import shutil
import subprocess

from features import KEYS, SECRET, USER
from harness import PEERS, free_ports, wait_for_port
from mail_system import Forwarder, Server, first_line
from peers import need, need_root, terminate
from relay import readable_copy

OPENSMTPD = PEERS / "opensmtpd"

# $1: what was unpacked; $2: a folder with etc and var.
NAMESPACE = """
set -e
mount -t overlay -o "lowerdir=$1/usr:/usr" overlay /usr
mount -t overlay -o "lowerdir=$2/etc:/etc" overlay /etc
mount --bind "$2/var" /var
mount -t tmpfs -o mode=755 tmpfs /run
exec /usr/sbin/smtpd -d -f "$2/smtpd.conf"
"""

# Accounts that are not in use on a fresh system, and only seen in the namespace.
ACCOUNTS = {"opensmtpd": 61011, "opensmtpq": 61012, "vmail": 61013}

CONF = """
pki interop cert "{certificate}"
pki interop key "{key}"
ca interop cert "{ca}"
table users {{ "{user}" = "{hash}" }}
table secrets {{ "outbox" = "{user}:{secret}" }}
table everybody {{ "@" = "vmail" }}
listen on 127.0.0.1 port {port} tls pki interop hostname mx.opensmtpd.test
listen on 127.0.0.1 port {implicit} smtps pki interop hostname mx.opensmtpd.test
listen on 127.0.0.1 port {auth} tls-require pki interop auth <users> hostname mx.opensmtpd.test
action "store" maildir "/var/mail/known" virtual <everybody>
action "back" relay host "smtp+notls://127.0.0.1:{catcher}"
{actions}
match from any for domain "opensmtpd.test" action "store"
{matches}
match from any auth for any action "back"
match from any for domain "interop.test" action "back"
match from local for any action "back"
"""

SCHEMES = {"starttls": "smtp+tls://", "implicit": "smtps://", "auth": "smtp+tls://outbox@"}


class OpenSmtpd(Server, Forwarder):
    name = "opensmtpd"
    title = "OpenSMTPD"
    quotes_dsn = False
    cannot = {"pipelining", "bdat", "smtputf8"}

    def __init__(self, world):
        super().__init__(world)
        need_root()
        need(OPENSMTPD)
        self.port, self.implicit_port, self.auth_only_port = free_ports(3)
        self.dir = world.dir / "opensmtpd"
        self.lay_out()
        certificate, key = world.certificates.issue("opensmtpd", "localhost", "127.0.0.1",
                                                    rsa=True)
        private = self.dir / "smtpd.key"
        shutil.copyfile(key, private)
        private.chmod(0o600)
        hashed = subprocess.run(["openssl", "passwd", "-6", SECRET], check=True,
                                capture_output=True, text=True).stdout.strip()
        actions = matches = ""
        for name in KEYS:
            where = f"127.0.0.1:{world.out_port(self, name)}"
            scheme = SCHEMES.get(name, "smtp+notls://")
            tls = " tls no-verify" if name in SCHEMES else ""
            auth = " auth <secrets>" if name == "auth" else ""
            actions += f'action "{name}" relay host "{scheme}{where}"{tls}{auth}\n'
            matches += f'match from any for domain "{name}.out.test" action "{name}"\n'
        conf = self.dir / "smtpd.conf"
        conf.write_text(CONF.format(
            certificate=certificate, key=private,
            ca=readable_copy(world.certificates.ca, world.dir),
            user=USER, secret=SECRET, hash=hashed, port=self.port, implicit=self.implicit_port,
            auth=self.auth_only_port, catcher=world.catcher.port, actions=actions,
            matches=matches))
        conf.chmod(0o600)
        self.log = self.dir / "log"
        process = world.spawn(["unshare", "-m", "sh", "-c", NAMESPACE, "sh", OPENSMTPD, self.dir],
                              stdout=subprocess.DEVNULL, stderr=open(self.log, "wb"))
        world.addCleanup(terminate, process)
        wait_for_port(self.port)
        wait_for_port(self.auth_only_port)

    def lay_out(self):
        etc, var = self.dir / "etc", self.dir / "var"
        etc.mkdir(parents=True)
        os.chmod(self.world.dir, 0o755)
        users = "".join(f"{n}:x:{i}:{i}::/nonexistent:/usr/sbin/nologin\n"
                        for n, i in ACCOUNTS.items())
        groups = "".join(f"{n}:x:{i}:\n" for n, i in ACCOUNTS.items())
        for name, lines in (("passwd", users), ("group", groups)):
            (etc / name).write_text(pathlib.Path("/etc", name).read_text() + lines)
        for folder in ("mail/known", "spool/smtpd", "lib/opensmtpd/empty", "tmp"):
            (var / folder).mkdir(parents=True)
        (var / "spool/smtpd").chmod(0o711)
        os.chown(var / "mail/known", ACCOUNTS["vmail"], ACCOUNTS["vmail"])
        (var / "run").symlink_to("/run")

    @property
    def auth_port(self):
        return self.auth_only_port

    def version(self):
        return first_line(OPENSMTPD / "usr/sbin/smtpd", "-h").split()[-1]

    def files(self):
        folder = self.dir / "var/mail/known/new"
        return sorted(folder.iterdir()) if folder.exists() else []

    def troubles(self):
        return self.log.read_text(errors="replace")
