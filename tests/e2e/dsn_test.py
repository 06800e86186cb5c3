"""What senders ask for of notices (RFC 3461), between us and a real Postfix, both ways, and a real
Dovecot; read as mail programs read them. And VERP."""

import email
import email.policy
import smtplib

from dovecot import Dovecot
from harness import Scenario, main, route, wait_until
from peers import Postfix

CONTENT = (b"From: <sender@client.test>\r\nTo: <known@postfix.test>\r\n"
           b"Subject: asks for notices\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\n"
           b"Message-ID: <asks@client.test>\r\n\r\n"
           b".a dot\r\nthe body\r\n")


def submit(relay, recipients, asks=(), ret_and_envid=("RET=HDRS", "ENVID=QQ+2B314"),
           content=CONTENT, sender="sender@client.test"):
    """By Python's client, to a server that must offer DSN. `asks`: of each recipient."""
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=20) as client:
        client.ehlo()
        assert client.has_extn("dsn")
        assert client.mail(sender, ret_and_envid)[0] == 250
        for recipient, options in zip(recipients, list(asks) + [()] * len(recipients)):
            code, text = client.rcpt(recipient, options)
            assert code in (250, 251), (code, text)
        assert client.data(content)[0] == 250


def reports(message):
    """The fields of a notice: of the message, and of each recipient by its address."""
    dsn = email.message_from_bytes(message.content, policy=email.policy.SMTP)
    assert dsn.get_content_type() == "multipart/report", dsn.get_content_type()
    assert dsn["Content-Type"].params["report-type"] == "delivery-status"
    status = dsn.get_payload()[1]
    assert status.get_content_type() == "message/delivery-status"
    of_all, *each = status.get_payload()
    return dsn, of_all, {one["Final-Recipient"].split(";")[1].strip(): one for one in each}


class Dsn(Scenario):
    def route_to(self, postfix, sender_port, more=""):
        return self.outbox(route(postfix.port, match="postfix.test") +
                           route(sender_port, match="client.test") + more)

    def test_a_host_with_dsn_reports_itself(self):
        sender = self.receiver()
        postfix = Postfix(self, relay_to=sender.port)
        relay = self.route_to(postfix, sender.port)
        submit(relay, ["known@postfix.test"],
               [["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;was+2Bonce@client.test"]])
        notice, = sender.wait_for(1)
        dsn, of_all, each = reports(notice)
        self.assertIn("mx.postfix.test", of_all["Reporting-MTA"])
        self.assertEqual(of_all["Original-Envelope-Id"], "QQ+314")
        self.assertEqual(each["known@postfix.test"]["Action"], "delivered")
        self.assertEqual(each["known@postfix.test"]["Original-Recipient"],
                         "rfc822;was+once@client.test")
        stats = relay.wait_for_stats("the end", queued=0, delivered_total=1)
        self.assertEqual(stats["generated_total"], 0)
        # A failure there is reported there, too, but not against the sender's will.
        submit(relay, ["nobody@postfix.test", "known@postfix.test"], [["NOTIFY=NEVER"]])
        relay.wait_for_stats("the end", queued=0, delivered_total=2, bounced_total=1)
        self.assertEqual(len(sender.messages), 1)
        relay.check_ledger()

    def test_for_a_host_without_dsn_we_report(self):
        sender = self.receiver()
        postfix = Postfix(self, more="smtpd_discard_ehlo_keywords = dsn\n",
                          relay_to=sender.port)
        relay = self.route_to(postfix, sender.port)
        submit(relay, ["known@postfix.test", "nobody@postfix.test", "no@postfix.test"],
               [["NOTIFY=SUCCESS", "ORCPT=rfc822;was+2Bonce@client.test"], ["NOTIFY=FAILURE"],
                ["NOTIFY=NEVER"]])
        notices = sender.wait_for(2)
        relay.wait_for_stats("the end", queued=0, delivered_total=3, bounced_total=2)
        self.assertEqual(len(sender.messages), 2)
        all_reports = [reports(notice) for notice in notices]
        for dsn, of_all, each in all_reports:
            self.assertEqual(of_all["Reporting-MTA"], "dns; relay.outbox.test")
            self.assertEqual(of_all["Original-Envelope-Id"], "QQ+314")
            self.assertEqual(dsn.get_payload()[2].get_content_type(), "text/rfc822-headers")
        (relayed,) = [each for _, _, each in all_reports if "known@postfix.test" in each]
        self.assertEqual(list(relayed), ["known@postfix.test"])
        one = relayed["known@postfix.test"]
        self.assertEqual((one["Action"], one["Status"]), ("relayed", "2.0.0"))
        self.assertEqual(one["Original-Recipient"], "rfc822; was+once@client.test")
        self.assertTrue(one["Diagnostic-Code"].startswith("smtp; 250 2.0.0"),
                        one["Diagnostic-Code"])
        (failed,) = [each for _, _, each in all_reports if "nobody@postfix.test" in each]
        self.assertEqual(failed["nobody@postfix.test"]["Action"], "failed")
        self.assertNotIn("no@postfix.test", failed)
        relay.check_ledger()

    def test_a_postfix_leaves_it_to_us(self):
        receiver = self.receiver()  # which has no DSN
        relay = self.outbox(route(receiver.port))
        postfix = Postfix(self, relay_to=relay.port)
        submit(postfix, ["bob@dest.test", "carol@dest.test"],
               [["NOTIFY=SUCCESS", "ORCPT=rfc822;Bob@dest.test"], ["NOTIFY=NEVER"]],
               ["RET=FULL", "ENVID=from-postfix"])
        messages = receiver.wait_for(2)
        relay.wait_for_stats("the end", queued=0)
        (notice,) = [message for message in messages if not message.sender]
        _, of_all, each = reports(notice)
        self.assertEqual(of_all["Original-Envelope-Id"], "from-postfix")
        self.assertEqual(list(each), ["bob@dest.test"])
        self.assertEqual(each["bob@dest.test"]["Action"], "relayed")
        self.assertEqual(each["bob@dest.test"]["Original-Recipient"], "rfc822; Bob@dest.test")
        self.assertEqual(len(receiver.messages), 2)  # and none of Postfix

    def test_in_the_mailbox_of_a_dovecot_it_is_delivered(self):
        dovecot = Dovecot(self)
        sender = self.receiver()
        relay = self.outbox(route(sender.port) + f"""
[local]
domains   = ["dovecot.test"]
via       = "lmtp:127.0.0.1:{dovecot.lmtp_port}"
mailboxes = ["alice", "bob"]
""")
        submit(relay, ["alice@dovecot.test", "bob@dovecot.test"], [["NOTIFY=SUCCESS,DELAY"]])
        notice, = sender.wait_for(1)
        wait_until(lambda: dovecot.messages("alice") and dovecot.messages("bob"), "both mailboxes")
        dsn, of_all, each = reports(notice)
        self.assertEqual(list(each), ["alice@dovecot.test"])
        self.assertEqual(each["alice@dovecot.test"]["Action"], "delivered")
        self.assertEqual(each["alice@dovecot.test"]["Status"][:2], "2.")
        self.assertIn("has been delivered", dsn["Subject"])
        self.assertEqual(dsn["In-Reply-To"], "<asks@client.test>")
        relay.wait_for_stats("the end", queued=0, delivered_total=3)
        relay.check_ledger()

    def test_what_failed_comes_back_whole(self):
        receiver = self.receiver(on_message=lambda m: "554 5.6.0 no" if m.sender else None)
        relay = self.outbox(route(receiver.port))
        submit(relay, ["bob@dest.test"], [], ["RET=FULL"])
        notice, = receiver.wait_for(1)
        dsn, of_all, each = reports(notice)
        self.assertNotIn("Original-Envelope-Id", of_all)
        self.assertEqual(each["bob@dest.test"]["Action"], "failed")
        returned = dsn.get_payload()[2]
        self.assertEqual(returned.get_content_type(), "message/rfc822")
        original, = returned.get_payload()
        self.assertEqual(original["Message-ID"], "<asks@client.test>")
        self.assertEqual(original.get_content().encode(), CONTENT.split(b"\r\n\r\n", 1)[1])

    def test_after_a_kill_it_is_still_known(self):
        receiver = self.receiver(on_rcpt=lambda address: "451 4.2.0 later")
        relay = self.outbox(route(receiver.port, retry="1s"))
        submit(relay, ["bob@dest.test", "never@dest.test"],
               [["NOTIFY=SUCCESS", "ORCPT=rfc822;b@dest.test"], ["NOTIFY=NEVER"]])
        wait_until(lambda: relay.queue() and relay.queue()[0].get("last_reply"), "an attempt")
        told = relay.cli("why", "bob@dest.test").stdout
        self.assertIn("NOTIFY=SUCCESS RET=HDRS ENVID=QQ+2B314 ORCPT=rfc822;b@dest.test", told)
        self.assertRegex(told, "sender is told +never")  # of a delay
        relay.kill()
        receiver.on_rcpt = lambda address: None
        relay.start()
        receiver.wait_for(2)
        (notice,) = [message for message in receiver.messages if not message.sender]
        _, of_all, each = reports(notice)
        self.assertEqual(of_all["Original-Envelope-Id"], "QQ+314")
        self.assertEqual(list(each), ["bob@dest.test"])
        self.assertEqual(each["bob@dest.test"]["Original-Recipient"], "rfc822; b@dest.test")

    def test_words_that_are_none_are_refused_where_they_begin(self):
        relay = self.outbox(route(self.receiver().port))
        client = relay.client()
        client.ehlo()
        code, text = client.say("MAIL FROM:<a@client.test> RET=SOME")
        self.assertEqual((code, text), (501, "5.5.4 RET is FULL or HDRS (at column 31)"))
        self.assertEqual(client.say("MAIL FROM:<a@client.test> RET=FULL ENVID=1")[0], 250)
        for words, column in (("NOTIFY=NEVER,SUCCESS", 38), ("ORCPT=bob@dest.test", 34),
                              ("NOTIFY=NEVER NOTIFY=NEVER", 38), ("ORCPT=rfc822;a+b", 39)):
            code, text = client.say(f"RCPT TO:<bob@dest.test> {words}")
            self.assertEqual(code, 501, words)
            self.assertTrue(text.startswith("5.5.4 ") and text.endswith(f"(at column {column})"),
                            (words, text))
        self.assertEqual(client.say("RCPT TO:<bob@dest.test> AUTH=<>")[0], 555)
        self.assertEqual(client.say("RCPT TO:<bob@dest.test> ORCPT=rfc822;" + 493 * "x")[0], 250)
        client.close()

    def test_each_recipient_of_a_newsletter_has_a_return_path(self):
        receiver = self.receiver(on_rcpt=lambda address: (
            "550 5.1.1 no" if address.startswith("gone") else None))
        relay = self.outbox(route(receiver.port, sender="news@*", verp="+=") +
                            route(receiver.port))
        submit(relay, ["anna@dest.test", "bob@dest.test", "gone@dest.test"], [], [],
               sender="news@client.test")
        submit(relay, ["anna@dest.test", "bob@dest.test"], [], [])
        messages = receiver.wait_for(4)
        relay.wait_for_stats("the end", queued=0)
        self.assertEqual(sorted((m.sender, *sorted(m.recipients)) for m in messages), [
            ("", "news+gone=dest.test@client.test"),
            ("news+anna=dest.test@client.test", "anna@dest.test"),
            ("news+bob=dest.test@client.test", "bob@dest.test"),
            ("sender@client.test", "anna@dest.test", "bob@dest.test"),
        ])
        # What is told of the mail is what it came with.
        self.assertIn('"sender":"news@client.test"', relay.log_text())
        self.assertNotIn('"sender":"news+', relay.log_text())


if __name__ == "__main__":
    main()
