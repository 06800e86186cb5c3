"""What travels: one message with all that has ever been spoilt on the way, and the look at what
has arrived."""

import secrets

from harness import stuff

FILLER = b"".join(b"%05d The quick brown fox jumps over the lazy dog.\r\n" % n for n in range(2000))

# Leading dots, the longest lines of RFC 5322, every octet above 127, blanks at the end of a line,
# what looks like the beginning of a mailbox's next message; more than a buffer of it; a lone dot at
# the end. As Latin-1 it is text.
BODY = b"\r\n".join([
    b"The first line.", b".", b"..", b"...", b".a dot in front", b". and a blank behind it", b"",
    b"x" * 998, b"." + b"y" * 997, bytes(range(0x80, 0x100)), "äöü€".encode() * 100,
    b"\xe4" * 998, b"blanks at the end  \t ", b"From somebody Mon Jan  1 00:00:00 2024",
    b"-- ", b"=3D =20 =", b"\t", b"."]) + b"\r\n" + FILLER + b"The last but one.\r\n.\r\n"


class Message:
    """`utf8`: with a header section that only SMTPUTF8 allows."""

    def __init__(self, sender, recipient, utf8=False):
        self.sender, self.recipient = sender, recipient
        self.token = secrets.token_hex(8)
        self.subject = "Grüße" if utf8 else "Interop"
        head = [f"From: {sender}", f"To: {recipient}", f"Subject: {self.subject}",
                "Date: Mon, 01 Jan 2024 00:00:00 +0000", f"Message-ID: <{self.token}@interop.test>",
                "MIME-Version: 1.0", "Content-Type: text/plain; charset=iso-8859-1",
                "Content-Transfer-Encoding: 8bit", f"X-Interop: {self.token}"]
        self.content = "\r\n".join(head).encode() + b"\r\n\r\n" + BODY

    def stuffed(self):
        return stuff(self.content)

    def arrived_as(self, stored):
        """What is wrong with this content, None if nothing is. `stored` may have the line ends of a
        file; header fields may have been added."""
        if b"\r\n" not in stored:
            stored = stored.replace(b"\n", b"\r\n")
        head, _, body = stored.partition(b"\r\n\r\n")
        if f"Subject: {self.subject}".encode() not in head:
            return "the subject is another"
        if body == BODY:
            return None
        at = next((i for i, (a, b) in enumerate(zip(body, BODY)) if a != b),
                  min(len(body), len(BODY)))
        return (f"the body differs from octet {at} on: {body[at:at + 20]!r} instead of "
                f"{BODY[at:at + 20]!r}; {len(body)} octets of {len(BODY)}")


def head_of(stored):
    """The header section, unfolded, as text."""
    head = stored.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode(errors="replace")
    return head.replace("\n\t", " ").replace("\n ", " ")
