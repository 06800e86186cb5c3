"""The archive: a copy of outgoing mail in a local mailbox, read back by IMAP; while its server is
down, copies wait, and nobody but the operator hears of it."""

import json
import subprocess

from dovecot import Dovecot
from harness import BIN, Scenario, main, route, wait_until

CONTENT = b"Subject: an offer\r\n\r\n.one dot\r\n..two\r\nlast line\r\n"

CONFIG = """
[archive]
to = "archive@dovecot.test"

[local]
domains   = ["dovecot.test"]
via       = "lmtp:{socket}"
mailboxes = ["alice"]
retry     = "1s"
"""


class Archive(Scenario):
    def test_copies_of_outgoing_mail(self):
        dovecot = Dovecot(self, users=("alice", "archive", "sales"))
        receiver = self.receiver(
            on_rcpt=lambda address: address.startswith("no@") and "550 5.1.1 who is that")
        config = (CONFIG.replace("{socket}", str(dovecot.socket)) +
                  route(receiver.port, match="*.secret.test", archive="") +
                  route(receiver.port, match="sales.test", archive="sales@dovecot.test") +
                  route(receiver.port))
        relay = self.outbox(config)
        client = relay.client()
        client.ehlo()
        # To several hosts, and to two archives: each copy once, and what is local is not outgoing.
        self.assertEqual(client.deliver(["a@one.test", "b@one.test", "c@two.test", "d@sales.test",
                                         "alice@dovecot.test"], CONTENT, ehlo=False)[0], 250)
        self.assertEqual(client.deliver(["e@x.secret.test"], CONTENT, ehlo=False)[0], 250)
        relay.wait_for_stats("all of it", queued=0, accepted_total=6, generated_total=2,
                             delivered_total=8)
        for user, count in (("archive", 1), ("sales", 1), ("alice", 1)):
            messages = dovecot.messages(user)
            self.assertEqual(len(messages), count, user)
            self.assertIn(b"Return-Path: <sender@client.test>\r\n", messages[0])
            self.assertTrue(messages[0].endswith(CONTENT), messages[0])
        for message in receiver.messages:
            self.assertNotIn(b"archive", message.content)
            self.assertNotIn(b"sales@dovecot", message.content)

        # A stranger cannot write to it: nobody has said that it is a mailbox.
        self.assertEqual(client.say("MAIL FROM:<x@stranger.test>")[0], 250)
        self.assertEqual(client.say("RCPT TO:<archive@dovecot.test>")[0], 550)
        self.assertEqual(client.say("RSET")[0], 250)

        # Its server is away; the relay is killed, too. The mail goes, or comes back, as ever.
        dovecot.stop()
        self.assertEqual(client.deliver(["a@one.test", "no@one.test"], CONTENT, ehlo=False)[0], 250)
        client.close()
        waiting = wait_until(lambda: [one for one in relay.queue() if one["attempts"] > 0 and
                                      len(relay.queue()) == 1], "the copy alone")[0]
        self.assertEqual((waiting["recipient"], waiting["route"]),
                         ("archive@dovecot.test", "archive"))
        why = relay.cli("why", waiting["id"]).stdout
        self.assertIn("archive@dovecot.test\n", why)
        self.assertRegex(why, "route +archive \\(lmtp:")
        relay.kill()
        relay.start()
        dovecot.start()
        wait_until(lambda: len(dovecot.messages("archive")) == 2, "the copy")
        relay.wait_for_stats("an empty queue", queued=0)
        # That of the refused recipient went to its sender, and was not archived.
        # Twice, if the kill came between its delivery and the commit of that.
        notices = [m for m in receiver.messages if m.sender == ""]
        self.assertEqual({tuple(m.recipients) for m in notices}, {("sender@client.test",)})
        self.assertEqual(len({m.content for m in notices}), 1)
        self.assertIn(b"no@one.test", notices[0].content)
        self.assertNotIn(b"archive@", notices[0].content)

        # Before a mail is sent, and in the log afterwards.
        self.assertRegex(relay.cli("route", "test", "x@client.test", "d@sales.test").stdout,
                         "copy to +sales@dovecot.test\n")
        self.assertIsNone(json.loads(relay.cli("route", "test", "x@client.test", "e@x.secret.test",
                                               "--json").stdout)["archive"])
        report = relay.cli("report", waiting["id"], "--log", str(relay.log)).stdout
        self.assertRegex(report, "archive@dovecot.test +archive \\(lmtp:")

    def test_a_mailbox_elsewhere_is_no_archive(self):
        relay = self.outbox('\n[archive]\nto = "archive@elsewhere.test"\n', start=False)
        done = subprocess.run([BIN / "outboxd", "--check", "--config", relay.config],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, ":17:6: \"archive@elsewhere.test\" is no local mailbox, and "
                                      "copies do not leave this side; expected a \\[local\\]")


if __name__ == "__main__":
    main()
