"""Addresses and domains beyond ASCII (RFC 6531, IDNA2008): handed in by Python's smtplib and by
Postfix, out to a Postfix with SMTPUTF8 and one without, by names that nsd has, into Maildirs and
Dovecot; and what operators and senders read of it."""

import email
import email.policy
import json
import os
import smtplib
import subprocess

import peers
from dovecot import Dovecot
from harness import BIN, DEFAULT_CONFIG, LISTENER, PATIENCE, Scenario, main, route, wait_until
from names import Names

JOERG = "jörg@bücher.test"
ASCII_JOERG = "jörg@xn--bcher-kva.test"
TEXT = b"Subject: hello\r\n\r\nhello\r\n"
UTF8_TEXT = "From: Jörg <jörg@bücher.test>\r\nSubject: Grüße\r\n\r\nhällo\r\n".encode()
MAILBOXES = """
virtual_mailbox_domains = postfix.test, xn--bcher-kva.test
virtual_mailbox_maps = inline:{{ known@postfix.test = known/ }, { jörg@postfix.test = known/ },
    { known@xn--bcher-kva.test = known/ }, { jörg@xn--bcher-kva.test = known/ },
    { known@bücher.test = known/ }, { jörg@bücher.test = known/ }}
"""
WITH = "smtputf8_enable = yes\n" + MAILBOXES.replace("test, xn", "test, bücher.test, xn")
WITHOUT = WITH + "smtpd_discard_ehlo_keywords = smtputf8\n"


class Utf8(Scenario):
    def send(self, port, sender, recipients, content=UTF8_TEXT, declared=True):
        """By smtplib; what it says of the recipients that were refused."""
        with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
            options = ["BODY=8BITMIME", "SMTPUTF8"] if declared else []
            return client.sendmail(sender, recipients, content, mail_options=options)

    def talk(self, relay, text):
        """What was said lately, once this was."""
        return wait_until(lambda: text in relay.cli("talk").stdout and relay.cli("talk").stdout,
                          f"{text} in what was said")

    def notices(self, receiver, count=1):
        return [email.message_from_bytes(message.content, policy=email.policy.default)
                for message in receiver.wait_for(count)]

    def check_log(self, relay):
        """Every line is JSON in UTF-8."""
        for line in relay.log.read_bytes().splitlines():
            if line.startswith(b"{"):
                json.loads(line.decode("utf-8"))


class ToPostfix(Utf8):
    def test_with_smtputf8(self):
        postfix = peers.Postfix(self, WITH)
        relay = self.outbox(route(postfix.port))
        self.send(relay.port, JOERG, ["jörg@postfix.test"])
        wait_until(postfix.files, "mail in the Maildir")
        stored = postfix.files()[0].read_bytes().decode()
        self.assertIn(f"Return-Path: <{JOERG}>", stored)
        self.assertIn("Subject: Grüße\n", stored)
        self.assertIn("with UTF8SMTP id", stored)
        self.assertIn("for <jörg@postfix.test>", stored)
        said = self.talk(relay, "RCPT TO:<jörg@postfix.test>")
        self.assertRegex(said, f"MAIL FROM:<{JOERG}> SIZE=\\d+ BODY=8BITMIME SMTPUTF8")
        relay.wait_for_stats("delivery", delivered_total=1, queued=0)
        self.check_log(relay)

    def test_without_need_the_parameter_is_not_passed_on(self):
        postfix = peers.Postfix(self, WITH)
        relay = self.outbox(route(postfix.port))
        self.send(relay.port, "a@client.test", ["known@postfix.test"], TEXT)
        wait_until(postfix.files, "mail in the Maildir")
        self.assertNotIn("SMTPUTF8\n", self.talk(relay, "RCPT TO:<known@postfix.test>")
                         .split("MAIL FROM", 1)[1].split("RCPT TO")[0])
        # Nor for a header of 8 bits of which nobody has said that it needs it.
        self.send(relay.port, "a@client.test", ["known@postfix.test"], UTF8_TEXT, declared=False)
        wait_until(lambda: len(postfix.files()) == 2, "the second message")
        mail = [line for line in relay.cli("talk").stdout.splitlines() if "MAIL FROM" in line]
        self.assertEqual(len(mail), 2)
        self.assertNotIn("SMTPUTF8", "".join(mail))

    def test_a_host_without_it(self):
        """Local parts cannot be written otherwise, nor can headers: their senders are told. Of a
        domain there is a form in ASCII."""
        postfix = peers.Postfix(self, WITHOUT)
        senders = self.receiver()
        relay = self.outbox(route(senders.port, "client.test") + route(postfix.port))
        self.send(relay.port, "a@client.test",
                  ["jörg@postfix.test", "known@bücher.test", "known@postfix.test"], TEXT)
        wait_until(lambda: len(postfix.files()) >= 2, "the mail that can be sent")
        stored = "".join(path.read_text() for path in postfix.files())
        self.assertIn("X-Original-To: known@xn--bcher-kva.test", stored)
        self.assertIn("X-Original-To: known@postfix.test", stored)
        notice = self.notices(senders)[0]
        report = notice.get_payload()[1].get_payload()[1]
        self.assertEqual(report["Final-Recipient"], "utf-8; j\\x{F6}rg@postfix.test")
        self.assertEqual(report["Status"], "5.6.7")
        self.assertFalse(any(octet > 127 for octet in senders.messages[0].content))
        text = notice.get_payload()[0].get_content()
        self.assertIn("jörg@postfix.test", text)
        self.assertIn("it does not offer SMTPUTF8", " ".join(text.split()))
        # The header is what cannot be written otherwise.
        self.send(relay.port, "a@client.test", ["known@postfix.test"], UTF8_TEXT)
        notice = self.notices(senders, 2)[1]
        self.assertIn("the header of the message has characters beyond ASCII",
                      " ".join(notice.get_payload()[0].get_content().split()))
        # Without the declaration it goes, as it always has.
        self.send(relay.port, "a@client.test", ["known@postfix.test"], UTF8_TEXT, declared=False)
        wait_until(lambda: len(postfix.files()) == 3, "the undeclared message")
        relay.wait_for_stats("the end", queued=0, bounced_total=2)
        relay.check_ledger()

    def test_a_notice_to_such_an_address(self):
        """It goes to its sender with SMTPUTF8, in which its report stays ASCII."""
        postfix = peers.Postfix(self, WITH)
        refuses = self.receiver(on_rcpt=lambda address: "550 5.1.1 No such user")
        relay = self.outbox(route(postfix.port, "postfix.test") + route(refuses.port))
        self.send(relay.port, "jörg@postfix.test", ["bob@dest.test"], TEXT)
        # The receiver does not offer it: the sender's address is what cannot be written.
        wait_until(postfix.files, "the notice")
        notice = email.message_from_bytes(postfix.files()[0].read_bytes(),
                                          policy=email.policy.default)
        self.assertIn("jörg@postfix.test", postfix.files()[0].read_text())
        report = notice.get_payload()[1].get_payload()[1]
        self.assertEqual(report["Final-Recipient"], "rfc822; bob@dest.test")
        self.assertEqual(report["Status"], "5.6.7")
        self.assertIn("the sender's address jörg@postfix.test",
                      " ".join(notice.get_payload()[0].get_content().split()))
        relay.wait_for_stats("the end", queued=0)
        self.assertRegex(self.talk(relay, "RCPT TO:<jörg@postfix.test>"),
                         "MAIL FROM:<> SIZE=\\d+ BODY=8BITMIME SMTPUTF8")


class FromPostfix(Utf8):
    def test_into_a_maildir(self):
        """A Postfix hands it on; the mailbox has a name of its own, its domain is given in either
        form."""
        relay = self.outbox(f"""
[local]
domains   = ["größe.test"]
mailboxes = ["jörg"]
maildir   = "{self.dir}/mail/{{domain}}/{{user}}"
""")
        (self.dir / "mail").mkdir()
        postfix = peers.Postfix(self, WITH, relay_to=relay.port)
        for domain in ("größe.test", "xn--gre-6ka8i.test"):
            self.send(postfix.port, "björn@client.test", [f"jörg@{domain}"])
        maildir = self.dir / "mail" / "xn--gre-6ka8i.test" / "jörg" / "new"
        wait_until(lambda: maildir.exists() and len(list(maildir.iterdir())) == 2, "the mail")
        stored = next(maildir.iterdir()).read_text()
        self.assertIn("Return-Path: <björn@client.test>", stored)
        self.assertIn("Subject: Grüße\n", stored)

    def test_a_name_without_a_mailbox(self):
        relay = self.outbox(f"""
[local]
domains   = ["xn--bcher-kva.test"]
mailboxes = ["jörg"]
maildir   = "{self.dir}/{{domain}}/{{user}}"
""")
        with smtplib.SMTP("127.0.0.1", relay.port, timeout=PATIENCE) as client:
            client.ehlo()
            client.command_encoding = "utf-8"
            self.assertEqual(client.docmd("MAIL FROM:<a@b.test> SMTPUTF8")[0], 250)
            self.assertEqual(client.docmd("RCPT TO:<jörg@bücher.test>")[0], 250)
            for name in ("bjørn", "j/örg", "..", "jörg\u2028"):
                self.assertIn(client.docmd(f"RCPT TO:<{name}@bücher.test>")[0], (501, 550))


class Clients(Utf8):
    def test_what_a_client_may_say(self):
        relay = self.outbox(route(self.receiver().port))
        client = relay.client()
        self.assertIn("SMTPUTF8", client.ehlo())
        self.assertEqual(client.say("MAIL FROM:<jörg@a.test>")[0], 553)
        self.assertIn("5.6.7", client.say("MAIL FROM:<a@bücher.test>")[1])
        self.assertEqual(client.say("MAIL FROM:<a@☃.test> SMTPUTF8")[0], 501)
        self.assertEqual(client.say("MAIL FROM:<a@b.test>")[0], 250)
        self.assertEqual(client.say("RCPT TO:<jörg@a.test>")[0], 553)
        self.assertEqual(client.say("RCPT TO:<bob@a.test>")[0], 250)
        self.assertEqual(client.say("RSET")[0], 250)
        self.assertEqual(client.say("VRFY jörg")[0], 553)
        self.assertEqual(client.say("VRFY jörg SMTPUTF8")[0], 252)
        client.send(b"MAIL FROM:<j\xf6rg@a.test> SMTPUTF8\r\n")
        self.assertIn("column 13", client.reply()[1])
        client.close()

    def test_garbage_leaves_a_log_that_can_be_read(self):
        receiver = self.receiver()
        relay = self.outbox(route(receiver.port, "a.test"))
        client = relay.client()
        client.send(b"EHLO \xff\xfe.test\r\n")
        self.assertEqual(client.reply()[0], 501)
        client.ehlo()
        client.say("MAIL FROM:<> SMTPUTF8")
        for address in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"a\xe2\x80"):
            client.send(b"RCPT TO:<" + address + b"@a.test>\r\n")
            self.assertEqual(client.reply()[0], 501)
        client.say("RCPT TO:<bob@a.test>")
        client.say("DATA")
        client.send(b"Subject: \xff\xfe\x80\r\n\xf6: \xed\xa0\x80\r\n\r\n\xff\r\n.\r\n")
        # UTF-8 or not: it was declared, and is more than the host takes.
        self.assertEqual(client.reply()[0], 250)
        client.close()
        relay.wait_for_stats("the end", queued=0, bounced_total=1)
        self.check_log(relay)


class Operators(Utf8):
    def test_both_forms_find_it(self):
        relay = self.outbox('\n[[route]]\nmatch = ["*.bücher.test", "a.test"]\nvia = "hold"\n'
                            '\n[[route]]\nmatch = ["bücher.test", "xn--r8jz45g.test"]\n'
                            'via = "hold"\nname = "Bücher"\n')
        for recipient in (JOERG, ASCII_JOERG, "a@例え.test", "b@unter.bücher.test", "c@a.test"):
            self.send(relay.port, "a@client.test", [recipient], TEXT)
        relay.wait_for_stats("the mail", accepted_total=5)

        def found(*arguments):
            lines = relay.cli("queue", "--json", *arguments).stdout.splitlines()
            return sorted(json.loads(line)["recipient"] for line in lines)

        both = sorted([JOERG, ASCII_JOERG])
        for domain in ("bücher.test", "BÜCHER.test", "xn--bcher-kva.test"):
            self.assertEqual(found("--domain", domain), both, domain)
        for recipient in both + ["jörg@*", "JöRG@Bücher.test"]:
            self.assertEqual(found("--recipient", recipient), both, recipient)
        self.assertEqual(found("--domain", "xn--r8jz45g.test"), ["a@例え.test"])
        self.assertEqual(found("--domain", "*.bücher.test"), ["b@unter.bücher.test"])
        self.assertEqual(found("--route", "Bücher"), sorted(both + ["a@例え.test"]))
        table = relay.cli("queue", "--columns", "recipient,state").stdout
        self.assertIn(JOERG, table)
        columns = {line.replace(JOERG, " " * len(JOERG)).find("held")
                   for line in table.splitlines() if "held" in line and "例" not in line}
        self.assertEqual(len(columns), 1, table)
        group = json.loads(relay.cli("queue", "--by", "domain", "--json").stdout.splitlines()[0])
        self.assertEqual((group["group"], group["recipients"]), ("xn--bcher-kva.test", 2))
        for recipient in both:
            self.assertIn(JOERG, relay.cli("why", recipient).stdout)
        for domain in ("bücher.test", "xn--bcher-kva.test"):
            self.assertIn("domain xn--bcher-kva.test", relay.cli("why", domain).stdout)
            self.assertIn("Bücher", relay.cli("route", "test", "a@b.test", f"x@{domain}").stdout)
        bad = relay.cli("why", "a☃.test", check=False)
        self.assertNotEqual(bad.returncode, 0)
        self.assertIn("IDNA2008", bad.stderr)
        relay.cli("suspend", "例え.test")
        self.assertIn("xn--r8jz45g.test", relay.cli("suspended").stdout)
        relay.cli("resume", "xn--r8jz45g.test")
        self.assertEqual(relay.cli("release", "--recipient", "a@例え.test").returncode, 0)
        self.check_log(relay)

    def test_another_envelope(self):
        postfix = peers.Postfix(self, WITH)
        relay = self.outbox('\n[[route]]\nmatch = "held.test"\nvia = "hold"\n'
                            + route(postfix.port))
        self.send(relay.port, "a@client.test", ["a@held.test"], TEXT)
        relay.wait_for_stats("the mail", queued=1)
        relay.cli("reroute", "--recipient", "a@held.test", "--to", "jörg@bücher.test")
        relay.cli("release", "--recipient", "jörg@xn--bcher-kva.test")
        wait_until(postfix.files, "mail in the Maildir")
        self.assertIn("X-Original-To: jörg@bücher.test", postfix.files()[0].read_text())

    def test_configuration(self):
        relay = self.outbox("\n[[route]]\nmatch = \"a☃.test\"\nvia = \"hold\"\n", start=False)
        checked = subprocess.run([BIN / "outboxd", "--check", "--config", relay.config],
                                 capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(checked.returncode, 2)
        self.assertIn("a character that IDNA2008 does not allow", checked.stderr)


class ByMx(Utf8):
    def test_names(self):
        names = Names(self)
        first = "127.0.0.2"
        names.zone("xn--bcher-kva.test", f"@ MX 10 mx\nmx A {first}")
        relay = self.outbox(f'[resolver]\nservers = ["{names.address}"]\n[delivery]\n'
                            'port = {port}\n', start=False)
        names.start()
        receiver = self.receiver(port=relay.port, address=first)
        relay.start()
        self.send(relay.port, "a@client.test", ["bob@bücher.test", "carol@Bücher.TEST",
                                                "dave@xn--bcher-kva.test"], TEXT)
        taken = [r for m in receiver.wait_for(1) for r in m.recipients]
        self.assertEqual(sorted(taken), ["bob@xn--bcher-kva.test", "carol@xn--bcher-kva.test",
                                         "dave@xn--bcher-kva.test"])
        relay.wait_for_stats("the end", queued=0, delivered_total=3)
        relay.wait_for_log('"recipient":"bob@bücher.test"')  # as it was given


class FromPrograms(Utf8):
    def test_sendmail(self):
        postfix = peers.Postfix(self, WITH)
        drop = self.dir / "drop"
        drop.mkdir()
        submit = self.dir / "submit.sock"
        head = DEFAULT_CONFIG.replace("[storage]", f'maildrop = "{drop}"\n[storage]')
        listener = LISTENER + f'\n[[listener]]\naddress = "unix:{submit}"\n'
        relay = self.outbox(route(postfix.port), head=head, listener=listener, start=False)
        environment = dict(os.environ, OUTBOX_SUBMIT=str(submit), OUTBOX_MAILDROP=str(drop),
                           OUTBOX_DROP=str(BIN / "outbox-drop"))

        def sendmail():
            done = subprocess.run(
                ["sendmail", "-t", "-f", JOERG], executable=BIN / "outbox-sendmail",
                input="To: Jörg <jörg@postfix.test>\nSubject: grüße\n\nhi\n".encode(),
                capture_output=True, env=environment, timeout=PATIENCE)
            self.assertEqual((done.returncode, done.stderr), (0, b""))

        sendmail()  # into the maildrop
        relay.start()
        sendmail()
        wait_until(lambda: len(postfix.files()) == 2, "both messages")
        for path in postfix.files():
            self.assertIn(f"Return-Path: <{JOERG}>", path.read_text())


class ToDovecot(Utf8):
    def test_what_it_takes(self):
        """Dovecot 2.3 offers no SMTPUTF8: headers are handed over as they are, since it is a store
        and no relay; a name that it cannot be told is no mailbox of its own."""
        dovecot = Dovecot(self, users=("alice", "bob"))
        senders = self.receiver()
        relay = self.outbox(route(senders.port, "client.test") + f"""
[local]
domains   = ["dovecot.test"]
mailboxes = ["alice", "jörg"]
via       = "lmtp:{dovecot.socket}"
""")
        self.send(relay.port, "a@client.test", ["alice@dovecot.test"], UTF8_TEXT)
        relay.wait_for_stats("delivery", delivered_total=1)
        stored = [p for p in (dovecot.mail / "dovecot.test" / "alice" / "new").iterdir()]
        self.assertIn("Subject: Grüße", stored[0].read_text())
        self.send(relay.port, "a@client.test", ["jörg@dovecot.test"], TEXT)
        report = self.notices(senders)[0].get_payload()[1].get_payload()[1]
        self.assertEqual(report["Status"], "5.6.7")


if __name__ == "__main__":
    main()
