"""The last host: takes what Outbox sends on, and the notices that Outbox and its peers return. It
has no DSN, so that Outbox has to answer for it."""

import email
import re

from harness import Message, Receiver, wait_until

EHLO = ("250-catcher.test\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250-8BITMIME\r\n"
        "250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES")


class Catcher(Receiver):
    def dialogue(self, stream, say):
        sender, recipients = None, []
        for line in iter(stream.rfile.readline, b""):
            verb = line[:4].upper()
            if verb in (b"EHLO", b"HELO"):
                say(EHLO)
            elif verb in (b"MAIL", b"RCPT"):
                address = re.search(rb"<(.*?)>", line)[1].decode()
                if verb == b"MAIL":
                    sender, recipients = address, []
                else:
                    recipients.append(address)
                say("250 2.1.0 Ok")
            elif verb == b"DATA":
                say("354 End with a dot")
                message: Message = self.read_message(stream, sender, recipients)
                if message is None:
                    return
                with self.lock:
                    self.messages.append(message)
                say("250 2.0.0 Ok")
            elif verb == b"QUIT":
                say("221 2.0.0 Bye")
                return
            else:
                say("250 2.0.0 Ok")

    def taken(self):
        with self.lock:
            return list(self.messages)

    def find(self, token):
        """The content of the message with this token that is no notice."""
        mark = f"X-Interop: {token}".encode()
        for message in self.taken():
            if message.sender and mark in message.content.partition(b"\r\n\r\n")[0]:
                return message.content
        return None

    def notice_to(self, address, patience):
        """The fields about the message and its only recipient in the DSN that came to this address
        with a null return path."""
        def came():
            for message in self.taken():
                if message.sender == "" and message.recipients == [address]:
                    return message.content
            return None
        content = wait_until(came, f"a DSN to {address}", patience)
        for part in email.message_from_bytes(content).walk():
            if part.get_content_type() in ("message/delivery-status",
                                           "message/global-delivery-status"):
                # As email sees it: a message for each group of fields.
                about, recipient, *more = part.get_payload()
                if any(len(fields) for fields in more):
                    raise AssertionError("the DSN is about more than one recipient")
                return about, recipient
        raise AssertionError("the notice has no part message/delivery-status")
