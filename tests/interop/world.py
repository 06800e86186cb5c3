"""What a run has: a directory, certificates, the last host, wires, and whatever was started."""

from certificates import Certificates
from dovecot import Dovecot
from harness import Scenario
from catcher import Catcher
from wire import Wire


class World(Scenario):
    """A Scenario outside of a test: open() and doCleanups() are its setUp and its end."""

    dovecot_user = "alice@dovecot.test"

    def open(self):
        self.setUp()
        self.certificates = Certificates(self.dir)
        self.catcher = Catcher()
        self.addCleanup(self.catcher.close)
        self.in_wires, self.out_wires = {}, {}
        self._dovecot = None

    @property
    def dovecot(self):
        """Started when it is asked for: for its own row, or as Postfix's book of users."""
        if self._dovecot is None:
            self._dovecot = Dovecot(self, users=("alice",))
        return self._dovecot

    def wire(self, wires, peer, key, server_port=None, hold=False):
        wires[peer.name, key] = Wire(server_port, hold)
        self.addCleanup(wires[peer.name, key].close)
        return wires[peer.name, key]

    def out_port(self, peer, key):
        """Where a client that uses this feature finds Outbox."""
        if (peer.name, key) not in self.out_wires:
            # A plain client that is said not to pipeline is given time to do so.
            hold = key == "pipelining" or key == "plain" and "pipelining" in peer.cannot
            self.wire(self.out_wires, peer, key, hold=hold)
        return self.out_wires[peer.name, key].port
