"""Dovecot's LMTP. Its TLS and AUTH are left alone: Outbox hands mail to LMTP servers of its own
house, in the clear."""

from harness import PEERS
from mail_system import Server, first_line


class DovecotLmtp(Server):
    name = "dovecot"
    title = "Dovecot LMTP"
    lmtp = True

    def __init__(self, world):
        super().__init__(world)
        self.recipient = "alice@dovecot.test"
        self.port = world.dovecot.lmtp_port

    def version(self):
        said = first_line("env", f"LD_LIBRARY_PATH={PEERS / 'dovecot/usr/lib/dovecot'}",
                          PEERS / "dovecot/usr/sbin/dovecot", "--version")
        return said.split()[0]

    def contents(self):
        return self.world.dovecot.messages("alice")

    def troubles(self):
        return self.world.dovecot.log_text()
