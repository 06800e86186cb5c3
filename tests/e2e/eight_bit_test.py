"""Mail with octets above 127 for hosts that do not take them: Python's email reads what Postfix's
smtp-sink was sent, part by part, and finds what was handed in."""

import email
import email.policy

import peers
from harness import Scenario, main, route, wait_until

TEXT = "Grüße aus Köln = 1 \r\n.\r\nFrom here\r\n日本語\r\n"
BINARY = bytes(range(128, 256)) * 3 + b"\r\n" + bytes(range(1, 10)) + b"end"


def multipart():
    inner = ("Subject: =?utf-8?Q?inner?=\r\nFrom: Zoë <z@inner.test>\r\nMIME-Version: 1.0\r\n"
             "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
             + TEXT).encode()
    return b"".join((
        "Subject: Grüße aus Köln\r\nFrom: \"Jürgen Müller\" <j@sender.test>\r\n".encode(),
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_outer\"\r\n",
        b"Content-Transfer-Encoding: 8bit\r\n\r\npreamble\r\n",
        b"--=_outer\r\nContent-Type: multipart/alternative;\r\n boundary=alt\r\n\r\n",
        b"--alt\r\nContent-Type: text/plain; charset=utf-8\r\n",
        b"Content-Transfer-Encoding: 8bit\r\n\r\n", TEXT.encode(),
        b"--alt\r\nContent-Type: text/html; charset=iso-8859-1\r\n",
        b"Content-Transfer-Encoding: 8bit\r\n\r\n<p>Gr\xfc\xdfe</p>\r\n--alt--\r\n",
        b"--=_outer\r\nContent-Type: application/octet-stream\r\n",
        b"Content-Transfer-Encoding: 8bit\r\n",
        "Content-Disposition: attachment; filename=\"ä b.bin\"\r\n\r\n".encode(), BINARY,
        b"\r\n--=_outer\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        inner, b"--=_outer--\r\n"))


def leaves(message):
    """Types and contents, with the line ends of a file."""
    return [(part.get_content_type(),
             part.get_payload(decode=True).replace(b"\r\n", b"\n").rstrip(b"\n"))
            for part in message.walk() if not part.is_multipart()]


class EightBit(Scenario):
    def setUp(self):
        super().setUp()
        self.sink = peers.SmtpSink(self, "-8")
        self.relay = self.outbox(route(self.sink.port))

    def through(self, content):
        """What the sink was sent instead, without the lines about its envelope."""
        client = self.relay.client()
        self.assertEqual(client.deliver(["a@dest.test"], content)[0], 250)
        client.close()
        self.relay.wait_for_stats("delivery", delivered_total=1, queued=0)
        wait_until(lambda: len(self.sink.files()) == 1, "a file of smtp-sink")
        stored = self.sink.files()[0].read_bytes()
        self.assertNotRegex(stored, rb"[\x80-\xff]")
        self.assertLess(max(map(len, stored.split(b"\n"))), 999)
        return email.message_from_bytes(stored, policy=email.policy.default)

    def check_leaves(self, sent, content):
        given = email.message_from_bytes(content, policy=email.policy.compat32)
        self.assertEqual(leaves(sent), leaves(given))

    def test_parts_within_parts(self):
        content = multipart()
        sent = self.through(content)
        self.assertEqual(sent["Subject"], "Grüße aus Köln")
        self.assertEqual(sent["From"].addresses[0].display_name, "Jürgen Müller")
        self.check_leaves(sent, content)
        attachment = [p for p in sent.walk() if p.get_content_type() == "application/octet-stream"]
        self.assertEqual(attachment[0]["Content-Transfer-Encoding"], "base64")
        self.assertEqual(attachment[0].get_filename(), "ä b.bin")

    def test_text_without_mime(self):
        content = b"Subject: plain\r\n\r\n" + TEXT.encode()
        sent = self.through(content)
        self.assertEqual(leaves(sent)[0][1], TEXT.strip().replace("\r\n", "\n").encode())
        self.assertEqual(sent.get_content_charset(), "unknown-8bit")

    def test_megabytes(self):
        content = (b"Subject: long\r\nMIME-Version: 1.0\r\n"
                   b"Content-Type: text/plain; charset=utf-8\r\n"
                   b"Content-Transfer-Encoding: 8bit\r\n\r\n" + TEXT.encode() * 60_000)
        sent = self.through(content)
        self.check_leaves(sent, content)


if __name__ == "__main__":
    main()
