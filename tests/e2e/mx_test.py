"""Mail by MX, with nsd and unbound: every shape of answer, hundreds of domains, answers that
change, a resolver that dies and returns. The hosts are loopback addresses with the relay's port."""

import socket
import time

from harness import Scenario, main, wait_until
from names import Names

DOMAINS = 300
FIRST, SECOND, SENDERS, NOBODY = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.9"
CONFIG = """
[resolver]
servers = ["{servers}"]

[delivery]
port         = {port}
retry        = "1h"
notify_after = "never"
retry_until  = "2d"
"""


class MailByMx(Scenario):
    def setUp(self):
        super().setUp()
        self.names = Names(self)
        self.names.zone("client.test", f"@ MX 10 mx\nmx A {SENDERS}")

    def start(self, more=""):
        """The names, the relay, and a receiver for each address. Unbound's address is known before
        it is started."""
        self.relay = self.outbox(CONFIG.replace("{servers}", self.names.address) + more,
                                 start=False)
        self.names.start()
        self.receivers = {address: self.receiver(port=self.relay.port, address=address)
                          for address in (FIRST, SECOND, SENDERS)}
        self.relay.start()

    def send(self, *domains):
        client = self.relay.client()
        for i in range(0, len(domains), 100):
            code, text = client.deliver([f"bob@{domain}" for domain in domains[i:i + 100]],
                                        b"Subject: x\r\n\r\nhello\r\n", ehlo=i == 0)
            self.assertEqual(code, 250, text)
        client.close()

    def taken(self, address):
        """The domains whose mail this receiver has got, in order."""
        return sorted(recipient.split("@")[1]
                      for message in self.receivers[address].messages[:]
                      for recipient in message.recipients)

    def test_every_shape_of_mx(self):
        zone = self.names.zone
        zone("plain.test", f"@ MX 10 mx\nmx A {FIRST}")
        zone("unequal.test", f"@ MX 20 b\n@ MX 10 a\na A {FIRST}\nb A {SECOND}")
        zone("dead-first.test", f"@ MX 10 a\n@ MX 20 b\na A {NOBODY}\nb A {SECOND}")
        zone("dangling.test", f"@ MX 10 gone\n@ MX 20 b\nb A {SECOND}")
        zone("implicit.test", f"@ A {FIRST}")
        zone("both-families.test", f"@ MX 10 mx\nmx A {SECOND}\nmx AAAA ::1")
        zone("alias.test", "@ MX 10 mail\nmail CNAME mx.plain.test.")
        zone("zero.test", f"@ 0 MX 10 mx\nmx 0 A {SECOND}")
        zone("us-second.test", f"@ MX 10 a\n@ MX 20 relay.outbox.test.\na A {FIRST}")
        long = "a-long-name-of-a-host-so-that-the-answer-becomes-large"
        zone("large.test", "\n".join(
            f"@ MX {i} {long}-{i}\n{long}-{i} A {SECOND}" for i in range(1, 31)))
        zone("null.test", f"@ MX 0 .\n@ A {FIRST}")
        zone("nothing.test", '@ TXT "no mail"')
        zone("us.test", f"@ MX 10 relay.outbox.test.\n@ MX 20 b\nb A {SECOND}")
        zone("our-address.test", "@ MX 10 mx\nmx A 127.0.0.1")
        zone("refuses.test", f"@ MX 10 mx\nmx A {NOBODY}")
        zone("invalid.test", "@ MX 10 127.0.0.2.")
        self.names.failing("broken.test")
        self.names.silent("dead.test")
        self.start()
        at_first = ["alias.test", "implicit.test", "plain.test", "unequal.test", "us-second.test"]
        at_second = ["both-families.test", "dangling.test", "dead-first.test", "large.test",
                     "zero.test"]
        refused = {"null.test": "5.1.10", "nothing.test": "5.4.4", "us.test": "5.4.6",
                   "our-address.test": "5.4.6", "nowhere.test": "5.1.2"}
        waiting = ["broken.test", "dead.test", "invalid.test", "refuses.test"]
        self.send(*at_first, *at_second, *refused, *waiting)
        wait_until(lambda: self.taken(FIRST) == at_first, "the mail of the first host")
        wait_until(lambda: self.taken(SECOND) == at_second, "the mail of the second host")
        # Who cannot be reached for good is named to the sender, with the reason.
        notes = self.receivers[SENDERS]
        status = {}
        def all_told():
            for note in notes.messages[:]:
                lines = note.content.decode().splitlines()
                domain = None
                for line in lines:
                    if line.startswith("Final-Recipient:"):
                        domain = line.split("@")[1]
                    if line.startswith("Status:"):
                        status[domain] = line.split()[1]
            return len(status) == len(refused)
        wait_until(all_told, "the failure notices")
        self.assertEqual(status, refused)
        # The rest waits, and why says for what.
        wait_until(lambda: {one["recipient"]: one["state"] for one in self.relay.queue()} == {
            "bob@broken.test": "resolving", "bob@dead.test": "resolving",
            "bob@invalid.test": "resolving", "bob@refuses.test": "deferred"}, "what waits")
        wait_until(lambda: "asked again" in self.why("broken.test"), "the DNS to have failed")
        self.assertIn("SERVFAIL", self.why("broken.test"))
        self.assertIn("the DNS does not tell its hosts for now", self.why("invalid.test"))
        self.assertRegex(self.why("refuses.test"), r"is left alone for a time(.*\n)+? +at +\d{4}-")
        self.assertIn(f"mx.refuses.test[{NOBODY}]:{self.relay.port}", self.why("refuses.test"))
        self.relay.check_ledger()

    def why(self, domain):
        return self.relay.cli("why", domain).stdout

    def test_hundreds_of_domains_share_their_hosts(self):
        domains = [f"d{i}.test" for i in range(DOMAINS)]
        for domain in domains:
            self.names.zone(domain, "@ MX 10 one.shared.test.\n@ MX 10 two.shared.test.")
        self.names.zone("shared.test", f"one A {FIRST}\ntwo A {SECOND}")
        self.start("max_connections = 2\n")
        self.send(*domains)
        wait_until(lambda: sorted(self.taken(FIRST) + self.taken(SECOND)) == sorted(domains),
                   "all mail to be delivered", 120)
        # Equal preferences: both have their part.
        self.assertGreater(len(self.taken(FIRST)), DOMAINS // 10)
        self.assertGreater(len(self.taken(SECOND)), DOMAINS // 10)
        self.relay.check_ledger()

    def test_answers_change(self):
        self.names.zone("moving.test", f"@ 0 MX 10 mx\nmx 0 A {FIRST}")
        self.start()
        self.send("moving.test")
        wait_until(lambda: self.taken(FIRST) == ["moving.test"], "the first message")
        self.names.zone("moving.test", f"@ 0 MX 10 mx\nmx 0 A {SECOND}")
        self.names.reload()
        def moved():
            self.send("moving.test")
            time.sleep(0.5)  # between two messages; the answer is good for a few seconds
            return self.taken(SECOND)
        wait_until(moved, "mail at the new host")

    def test_the_resolver_dies_and_returns(self):
        self.names.zone("known.test", f"@ MX 10 mx\nmx A {FIRST}")
        self.names.zone("new.test", f"@ MX 10 mx\nmx A {SECOND}")
        self.start()
        self.send("known.test")
        wait_until(lambda: self.taken(FIRST) == ["known.test"], "the first message")
        self.names.stop_unbound()
        self.send("known.test", "new.test")
        # What is known goes on.
        wait_until(lambda: self.taken(FIRST) == ["known.test"] * 2, "the second message")
        wait_until(lambda: "asked again" in self.why("new.test"), "the DNS to have failed")
        self.names.start_unbound()
        self.relay.cli("retry", "--domain", "new.test")
        wait_until(lambda: self.taken(SECOND) == ["new.test"], "the mail that waited")
        self.relay.check_ledger()

    def test_hosts_that_have_ipv6_alone(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            self.skipTest(f"no IPv6 on loopback: {error}")
        self.names.zone("six.test", "@ MX 10 mx\nmx AAAA ::1")
        self.names.zone("implicit-six.test", "@ AAAA ::1")
        # Nobody listens at its better host, which has the other family.
        self.names.zone("mixed.test", f"@ MX 10 a\n@ MX 20 b\na A {NOBODY}\nb AAAA ::1")
        self.start()
        self.receivers["::1"] = self.receiver(port=self.relay.port, address="::1")
        self.send("six.test", "implicit-six.test", "mixed.test")
        wait_until(lambda: self.taken("::1") == ["implicit-six.test", "mixed.test", "six.test"],
                   "the mail at ::1")
        self.assertEqual({one.client for one in self.receivers["::1"].messages}, {"::1"})
        self.relay.wait_for_log(f'"mailhost":"mx.six.test[::1]:{self.relay.port}"')
        self.relay.check_ledger()

    def test_names_in_a_route(self):
        self.names.zone("hosts.test", f"first A {NOBODY}\nlast A {SECOND}")
        self.start('[[route]]\nmatch = "*.routed.test"\n'
                   'via = ["first.hosts.test:{port}", "last.hosts.test:{port}"]\n')
        self.send("a.routed.test")
        wait_until(lambda: self.taken(SECOND) == ["a.routed.test"], "the message")


if __name__ == "__main__":
    main()
