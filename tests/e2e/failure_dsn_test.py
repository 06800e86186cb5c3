"""A recipient that the next hop refuses for good: the sender gets one failure notice (RFC 3464),
and nobody gets one for the null return path."""

import email
import email.policy
import unittest

from harness import Scenario, main, route

CONTENT = (b"From: <sender@client.test>\r\nTo: <bad@dest.test>\r\nSubject: original subject\r\n"
           b"Date: Mon, 01 Jan 2024 00:00:00 +0000\r\nMessage-ID: <dsn-test@client.test>\r\n\r\n"
           b"the body\r\n")


def refuse_bad(address):
    return "550 5.1.1 <%s>: no such mailbox" % address if address.startswith("bad") else None


class FailureDsn(Scenario):
    def test_the_sender_is_told_once_and_in_full(self):
        receiver = self.receiver(on_rcpt=refuse_bad)
        relay = self.outbox(route(receiver.port))
        client = relay.client()
        code, _ = client.deliver(["bad1@dest.test", "good@dest.test", "bad2@dest.test"], CONTENT)
        self.assertEqual(code, 250)
        client.close()
        messages = receiver.wait_for(2)
        stats = relay.wait_for_stats("everything to be final", queued=0)
        self.assertEqual(stats["accepted_total"], 3)
        self.assertEqual(stats["bounced_total"], 2)
        self.assertEqual(stats["generated_total"], 1)
        self.assertEqual(stats["delivered_total"], 2)
        relay.check_ledger()
        (original,) = [m for m in messages if m.sender]
        self.assertEqual(original.recipients, ["good@dest.test"])
        (notice,) = [m for m in messages if not m.sender]
        self.assertEqual(notice.recipients, ["sender@client.test"])
        self.check_notice(email.message_from_bytes(notice.content, policy=email.policy.SMTP))

    def check_notice(self, dsn):
        self.assertEqual(dsn.get_content_type(), "multipart/report")
        self.assertEqual(dsn["Content-Type"].params["report-type"], "delivery-status")
        self.assertIn("sender@client.test", dsn["To"])
        self.assertIn("relay.outbox.test", dsn["From"])
        self.assertIsNotNone(dsn["Date"].datetime)
        self.assertRegex(dsn["Message-ID"], "^<.+@relay.outbox.test>$")
        self.assertEqual(dsn["Auto-Submitted"], "auto-replied")
        text, status, returned = dsn.get_payload()
        self.assertEqual(text.get_content_type(), "text/plain")
        words = " ".join(text.get_content().split())  # lines are broken anywhere
        for word in ("bad1@dest.test", "bad2@dest.test", "no such mailbox"):
            self.assertIn(word, words)
        self.assertEqual(status.get_content_type(), "message/delivery-status")
        per_message, *recipients = status.get_payload()
        self.assertEqual(per_message["Reporting-MTA"], "dns; relay.outbox.test")
        self.assertEqual([r["Final-Recipient"] for r in recipients],
                         ["rfc822; bad1@dest.test", "rfc822; bad2@dest.test"])
        for recipient in recipients:
            self.assertEqual(recipient["Action"], "failed")
            self.assertEqual(recipient["Status"], "5.1.1")
            self.assertTrue(recipient["Diagnostic-Code"].startswith("smtp; 550 5.1.1"),
                            recipient["Diagnostic-Code"])
            self.assertIn("127.0.0.1", recipient["Remote-MTA"])
        self.assertIn(returned.get_content_type(), ("message/rfc822", "text/rfc822-headers"))
        self.assertIn("original subject", returned.as_string())
        self.assertIn("dsn-test@client.test", returned.as_string())

    def test_the_null_return_path_gets_none(self):
        receiver = self.receiver(on_rcpt=refuse_bad)
        relay = self.outbox(route(receiver.port))
        client = relay.client()
        self.assertEqual(client.deliver(["bad@dest.test"], CONTENT, sender="")[0], 250)
        client.close()
        stats = relay.wait_for_stats("the refusal", bounced_total=1, queued=0)
        self.assertEqual(stats["generated_total"], 0)
        self.assertEqual(receiver.messages, [])

    def test_a_bounce_never_bounces(self):
        # The notice itself is refused: it ends there.
        receiver = self.receiver(on_rcpt=lambda address: "550 5.7.1 nobody at all")
        relay = self.outbox(route(receiver.port))
        client = relay.client()
        self.assertEqual(client.deliver(["bad@dest.test"], CONTENT)[0], 250)
        client.close()
        stats = relay.wait_for_stats("both refusals", bounced_total=2, queued=0)
        self.assertEqual(stats["generated_total"], 1)
        relay.check_ledger()

    def test_a_refusal_of_the_content_fails_every_recipient(self):
        receiver = self.receiver(
            on_message=lambda m: "554 5.6.0 content refused" if m.sender else None)
        relay = self.outbox(route(receiver.port))
        client = relay.client()
        self.assertEqual(client.deliver(["a@dest.test", "b@dest.test"], CONTENT)[0], 250)
        client.close()
        (notice,) = receiver.wait_for(1)
        stats = relay.wait_for_stats("the end", bounced_total=2, delivered_total=1, queued=0)
        self.assertEqual(stats["generated_total"], 1)
        dsn = email.message_from_bytes(notice.content, policy=email.policy.SMTP)
        statuses = [r["Status"] for r in dsn.get_payload()[1].get_payload()[1:]]
        self.assertEqual(statuses, ["5.6.0", "5.6.0"])


if __name__ == "__main__":
    main()
