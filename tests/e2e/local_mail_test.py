"""Local mail: LMTP to a Dovecot, Maildirs that it reads, and what becomes of mail that has no
mailbox."""

import os

from dovecot import Dovecot
from harness import Scenario, main, stuff, wait_until

CONTENT = b"Subject: local\r\nX-Test: yes\r\n\r\n.one dot\r\n..two\r\nlast line\r\n"

LISTENER = """
[[listener]]
address    = "127.0.0.1:{port}"
relay_from = ["127.0.0.1/32"]

[delivery]
retry = "1s"
"""


def local(**keys):
    lines = ["", "[local]"]
    aliases = keys.pop("aliases", {})
    for key, value in keys.items():
        lines.append(f"{key} = {value if isinstance(value, (list, bool)) else repr(str(value))}"
                     .replace("'", '"').replace("True", "true"))
    lines += ["[local.aliases]"] + [f'"{a}" = "{d}"' for a, d in aliases.items()]
    return "\n".join(lines) + "\n"


class LocalMail(Scenario):
    def relay(self, text):
        return self.outbox(text, listener=LISTENER)

    def check_inbox(self, dovecot, user, count=1):
        messages = wait_until(lambda: len(dovecot.messages(user)) >= count and
                              dovecot.messages(user), f"{count} messages of {user}")
        self.assertEqual(len(messages), count)
        for message in messages:
            self.assertTrue(message.endswith(CONTENT), message)
        return messages

    def test_lmtp_over_tcp(self):
        dovecot = Dovecot(self)
        relay = self.relay(local(domains=["dovecot.test"],
                                 via=f"lmtp:127.0.0.1:{dovecot.lmtp_port}",
                                 mailboxes=["alice", "bob"],
                                 aliases={"alias.test": "dovecot.test"}))
        client = relay.client()
        code, text = client.deliver(["Alice@dovecot.test", "bob+news@alias.test",
                                     "alice@alias.test"], CONTENT)
        self.assertEqual(code, 250, text)
        message, = self.check_inbox(dovecot, "bob")
        self.assertTrue(message.startswith(b"Return-Path: <sender@client.test>\r\n"), message)
        self.assertIn(b" with LMTP\r\n", message)
        self.assertIn(b"Received: from client.test", message)
        # Many, over connections that are used again and again.
        for _ in range(50):
            self.assertEqual(client.deliver(["alice@dovecot.test", "bob@dovecot.test"], CONTENT,
                                            ehlo=False)[0], 250)
        client.close()
        self.check_inbox(dovecot, "alice", 51)
        self.check_inbox(dovecot, "bob", 51)
        stats = relay.wait_for_stats("an empty queue", queued=0, delivered_total=102)
        self.assertLess(stats["connections_out_total"], 51)
        relay.check_ledger()

    def test_lmtp_by_a_unix_socket_that_is_asked_and_goes_away(self):
        dovecot = Dovecot(self)
        relay = self.relay(local(domains=["dovecot.test"], via=f"lmtp:{dovecot.socket}", ask=True))
        # A stranger: local mailboxes, and nothing else.
        client = relay.client(source="127.0.0.2")
        client.ehlo()
        self.assertEqual(client.say("MAIL FROM:<x@stranger.test>")[0], 250)
        code, text = client.say("RCPT TO:<nobody@dovecot.test>")
        self.assertEqual((code, text[:6]), (550, "5.1.1 "))
        code, text = client.say("RCPT TO:<someone@elsewhere.test>")
        self.assertEqual((code, text[:6]), (550, "5.7.1 "))
        self.assertEqual(client.say("RCPT TO:<alice@dovecot.test>")[0], 250)
        self.assertEqual(client.say("DATA")[0], 354)
        client.send(stuff(CONTENT) + b".\r\n")
        self.assertEqual(client.reply()[0], 250)
        self.check_inbox(dovecot, "alice")
        # Dovecot stops. What is remembered is taken, what must be asked gets "not now".
        dovecot.stop()
        self.assertEqual(client.say("MAIL FROM:<x@stranger.test>")[0], 250)
        self.assertEqual(client.say("RCPT TO:<alice@dovecot.test>")[0], 250)
        code, text = client.say("RCPT TO:<bob@dovecot.test>")
        self.assertEqual((code, text[:6]), (451, "4.3.0 "))
        self.assertEqual(client.say("DATA")[0], 354)
        client.send(stuff(CONTENT) + b".\r\n")
        self.assertEqual(client.reply()[0], 250)
        client.close()
        wait_until(lambda: relay.queue() and relay.queue()[0].get("last_reply"), "a failed attempt")
        self.assertIn("dovecot/run/lmtp", relay.queue()[0]["last_reply"])
        dovecot.start()
        self.check_inbox(dovecot, "alice", 2)
        relay.wait_for_stats("an empty queue", queued=0, delivered_total=2)
        relay.check_ledger()

    def test_maildirs_are_read_by_dovecot(self):
        dovecot = Dovecot(self)
        names = self.dir / "mailboxes"
        names.write_text("alice\n")
        relay = self.relay(local(domains=["dovecot.test"], mailbox_file=names,
                                 maildir=f"{dovecot.mail}/{{domain}}/{{user}}"))

        def answer(user):
            client = relay.client(source="127.0.0.2")
            client.ehlo()
            client.say("MAIL FROM:<x@stranger.test>")
            code, _ = client.say(f"RCPT TO:<{user}@dovecot.test>")
            client.close()
            return code
        wait_until(lambda: answer("alice") == 250, "the mailboxes to be read")
        self.assertEqual(answer("bob"), 550)
        names.write_text("alice\nbob@dovecot.test # new\n")
        wait_until(lambda: answer("bob") == 250, "the new mailbox to be known")
        client = relay.client(source="127.0.0.2")
        self.assertEqual(client.deliver(["alice@dovecot.test", "bob@dovecot.test"], CONTENT)[0],
                         250)
        client.close()
        relay.wait_for_stats("an empty queue", queued=0, delivered_total=2)
        place = dovecot.mail / "dovecot.test" / "alice"
        self.assertEqual([os.stat(place).st_mode & 0o777,
                          os.stat(next((place / "new").iterdir())).st_mode & 0o777],
                         [0o700, 0o600])
        dovecot.take_over()
        message, = self.check_inbox(dovecot, "alice")
        self.assertTrue(message.startswith(b"Return-Path: <sender@client.test>\r\n"
                                           b"Delivered-To: alice@dovecot.test\r\n"
                                           b"Received: from client.test"), message)
        self.check_inbox(dovecot, "bob")
        relay.check_ledger()

    def test_the_five_rules_for_mail_without_a_mailbox(self):
        elsewhere = self.receiver()
        everything = f"""
[[route]]
match = "*"
via = ["127.0.0.1:{elsewhere.port}"]
"""
        mail = self.dir / "mail"
        mail.mkdir()
        base = dict(domains=["local.test"], mailboxes=["alice"], maildir=f"{mail}/{{user}}")
        rules = {
            "reject": {},
            "report": {"undelivered": "report"},
            "forward": {"undelivered": "forward", "forward_to": "catchall@elsewhere.test"},
            "relay": {"undelivered": "relay", "relay_to": f"127.0.0.1:{elsewhere.port}"},
            "discard": {"undelivered": "discard"},
        }
        for rule, keys in rules.items():
            with self.subTest(rule):
                elsewhere.messages.clear()
                relay = self.relay(everything + local(**base, **keys))
                client = relay.client()
                client.ehlo()
                client.say("MAIL FROM:<sender@client.test>")
                code, text = client.say("RCPT TO:<nobody@local.test>")
                if rule == "reject":
                    self.assertEqual((code, text[:6]), (550, "5.1.1 "))
                    client.close()
                    self.assertEqual(relay.stats()["rejected_total"], 1)
                    continue
                self.assertEqual(code, 250)
                self.assertEqual(client.say("DATA")[0], 354)
                client.send(b"Subject: x\r\n\r\nhello\r\n.\r\n")
                self.assertEqual(client.reply()[0], 250)
                client.close()
                stats = relay.wait_for_stats("an empty queue", queued=0, accepted_total=1)
                took = [m.recipients for m in elsewhere.messages]
                if rule == "report":
                    self.assertEqual(took, [["sender@client.test"]])
                    self.assertIn(b"Status: 5.1.1", elsewhere.messages[0].content)
                    self.assertEqual(stats["bounced_total"], 1)
                elif rule == "forward":
                    self.assertEqual(took, [["catchall@elsewhere.test"]])
                elif rule == "relay":
                    self.assertEqual(took, [["nobody@local.test"]])
                else:
                    self.assertEqual(took, [])
                    self.assertEqual(stats["discarded_total"], 1)
                relay.check_ledger()
                self.assertEqual(list(mail.iterdir()), [])

    def test_killed_while_it_delivers(self):
        mail = self.dir / "mail"
        mail.mkdir()
        text = local(domains=["local.test"], mailboxes=["alice"], maildir=f"{mail}/{{user}}")
        relay = self.relay(text)
        client = relay.client()
        client.ehlo()
        taken = 0
        for i in range(60):
            content = b"Subject: %d\r\n\r\nhello\r\n" % i
            if client.deliver(["alice@local.test"], content, ehlo=False)[0] == 250:
                taken += 1
            if i in (20, 40, 59):
                wait_until((mail / "alice" / "new").is_dir, "the first delivery")
                relay.kill()
                # A reader takes what has come, before the relay is there again.
                for file in (mail / "alice" / "new").iterdir():
                    file.rename(mail / "alice" / "cur" / (file.name + ":2,S"))
                relay.start()
                client.close()
                client = relay.client()
                client.ehlo()
        client.close()
        relay.wait_for_stats("an empty queue", queued=0)
        files = [f.read_bytes() for part in ("new", "cur")
                 for f in (mail / "alice" / part).iterdir()]
        subjects = sorted(int(f.split(b"Subject: ")[1].split(b"\n")[0]) for f in files)
        self.assertEqual(subjects, list(range(60)))
        self.assertEqual(taken, 60)


if __name__ == "__main__":
    main()
