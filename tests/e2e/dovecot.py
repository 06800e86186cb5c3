"""Dovecot as tools/setup --tests unpacks it under var/peers/: LMTP and IMAP on loopback, its mail
in the scenario's directory. It insists on /usr/lib/dovecot, so it runs in a mount namespace of its
own, in which that is where it was unpacked; nothing of the machine changes."""

import imaplib
import os
import pwd
import shutil
import subprocess

from harness import PEERS, free_ports, wait_for_port
from peers import need, need_root, terminate

DOVECOT = PEERS / "dovecot"

# In front of its libraries, those of the machine under other names.
NAMESPACE = """
set -e
mkdir -p "$2/lib" "$2/new"
mount --bind /usr/lib "$2/lib"
for entry in "$2"/lib/*; do ln -s "$entry" "$2/new/"; done
ln -sfn "$1/usr/lib/dovecot" "$2/new/dovecot"
mount --bind "$2/new" /usr/lib
exec "$1/usr/bin/doveconf" -f service=master -c "$3" -m master -e "$1/usr/sbin/dovecot" -F -c "$3"
"""

CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/run
instance_name = outbox-test
log_path = {dir}/log
protocols = lmtp imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
first_valid_uid = 1
mail_location = maildir:{mail}/%d/%n
recipient_delimiter = +
passdb {{
  driver = passwd-file
  args = scheme=plain username_format=%u {dir}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {dir}/users
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
service auth {{
  unix_listener auth-smtp {{
    mode = 0666
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
protocol lmtp {{
  postmaster_address = postmaster@dovecot.test
}}
"""


class Dovecot:
    """With a mailbox for each of `users`, in the domain dovecot.test."""

    domain = "dovecot.test"

    def __init__(self, scenario, users=("alice", "bob")):
        need_root()
        need(DOVECOT)
        self.scenario = scenario
        self.dir = scenario.dir / "dovecot"
        self.mail = self.dir / "mail"
        self.mail.mkdir(parents=True)
        (self.dir / "run").mkdir()
        os.chmod(scenario.dir, 0o755)
        shutil.chown(self.mail, "nobody")
        owner = pwd.getpwnam("nobody")
        with open(self.dir / "users", "w") as file:
            for user in users:
                home = self.mail / self.domain / user
                file.write(f"{user}@{self.domain}:{{PLAIN}}secret:{owner.pw_uid}:{owner.pw_gid}"
                           f"::{home}::\n")
        self.lmtp_port, self.imap_port = free_ports(2)
        self.socket = self.dir / "run" / "lmtp"
        self.auth = self.dir / "run" / "auth-smtp"  # for a Postfix: PLAIN, LOGIN, CRAM-MD5
        config = self.dir / "dovecot.conf"
        config.write_text(CONFIG.format(dir=self.dir, mail=self.mail, lmtp_port=self.lmtp_port,
                                        imap_port=self.imap_port))
        self.config = config
        self.process = None
        self.start()

    def start(self):
        # Its processes end with it when it is asked to, not when it is killed.
        self.process = self.scenario.spawn(
            ["unshare", "-m", "sh", "-c", NAMESPACE, "sh", DOVECOT, self.dir / "machine",
             self.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.scenario.addCleanup(terminate, self.process)
        wait_for_port(self.lmtp_port)
        wait_for_port(self.imap_port)

    def stop(self):
        terminate(self.process)
        shutil.rmtree(self.dir / "machine" / "new")

    def take_over(self, *parts):
        """Files that root has written are the mailboxes' owner's from now on."""
        path = self.mail.joinpath(*parts)
        for directory, _, files in os.walk(path):
            shutil.chown(directory, "nobody", "nogroup")
            for name in files:
                shutil.chown(os.path.join(directory, name), "nobody", "nogroup")

    def messages(self, user):
        """What IMAP shows in somebody's inbox: whole messages, oldest first."""
        with imaplib.IMAP4("127.0.0.1", self.imap_port) as imap:
            imap.login(f"{user}@{self.domain}", "secret")
            count = int(imap.select()[1][0])
            return [imap.fetch(str(i + 1), "(RFC822)")[1][0][1] for i in range(count)]

    def log_text(self):
        log = self.dir / "log"
        return log.read_text(errors="replace") if log.exists() else ""
