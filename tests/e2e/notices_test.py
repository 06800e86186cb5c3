"""A delayed and a failure notice on their way through mail software that we did not write: Postfix
and Exim store them as they were, mutt shows them, and the standard library understands them."""

import email
import email.policy
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import unittest

import peers
from harness import PATIENCE, Scenario, main, route, wait_until

CONTENT = (b"From: Anna Smith <known@%s>\r\nTo: <bob@example.test>\r\n"
           b"Subject: Our meeting on Friday\r\nDate: Mon, 23 Nov 2026 09:00:00 +0100\r\n"
           b"Message-ID: <meeting@client.test>\r\n\r\nDear Bob,\r\n\r\nsee you on Friday.\r\n")
REFUSAL = "550 5.1.1 <bob@example.test>: Recipient address rejected: User unknown"
LATER = "452 4.2.2 <bob@example.test>: Mailbox full"
# Tells mutt nothing but to show the message as it always does; its pager writes that down.
MUTTRC = """
set pager = "{pager}"
set folder = "{home}"
ignore *
unignore from: to: subject: date:
set prompt_after = no
set pipe_decode = yes
set quit = yes
set timeout = 1
set sort = mailbox-order
set mbox_type = Maildir
set charset = "utf-8"
set send_charset = "utf-8"
"""


class Notices(Scenario):
    def notice(self, peer, relay, domain, count):
        """Sends Anna's message; the notice about it, as her mail server has stored it."""
        client = relay.client()
        code, text = client.deliver(["bob@example.test"], CONTENT % domain.encode(),
                                    sender=f"known@{domain}")
        self.assertEqual(code, 250, text)
        client.close()
        wait_until(lambda: len(peer.files()) == count, "the notice in the mailbox")
        return max(peer.files(), key=lambda path: path.stat().st_mtime)

    def read(self, stored):
        """The notice as mutt shows it, without the colours."""
        mutt = shutil.which("mutt")
        if mutt is None:
            raise unittest.SkipTest("mutt is missing: run tools/setup --tests")
        home = self.dir / "reader"
        shutil.rmtree(home, ignore_errors=True)
        for name in ("new", "cur", "tmp"):
            (home / "mail" / name).mkdir(parents=True)
        shutil.copy(stored, home / "mail" / "new" / "1.notice")
        shown = home / "shown"
        pager = home / "pager"
        pager.write_text(f'#!/bin/sh\ncp "$1" {shown}.new && mv {shown}.new {shown}\n')
        pager.chmod(0o755)
        (home / "rc").write_text(MUTTRC.format(pager=pager, home=home))
        # It wants a terminal, and leaves when its window is closed.
        terminal, inside = pty.openpty()
        process = self.spawn(
            [mutt, "-n", "-R", "-F", home / "rc", "-f", home / "mail", "-e",
             'push "<display-message>"'],
            stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
            env={"PATH": os.environ["PATH"], "TERM": "xterm", "HOME": str(home), "LANG": "C.UTF-8",
                 "COLUMNS": "80", "LINES": "40"})
        os.close(inside)

        def displayed():
            if select.select([terminal], [], [], 0)[0]:
                os.read(terminal, 65536)
            return shown.exists() and shown.stat().st_size > 0
        try:
            wait_until(displayed, "mutt to show the notice", 10)
        finally:
            process.terminate()
            process.wait(PATIENCE)
            os.close(terminal)
        return shown.read_text()

    def check_structure(self, stored, action):
        dsn = email.message_from_bytes(stored.read_bytes(), policy=email.policy.default)
        self.assertEqual(dsn.defects, [])
        self.assertEqual(dsn.get_content_type(), "multipart/report")
        self.assertEqual([part.get_content_type() for part in dsn.iter_parts()],
                         ["text/plain", "message/delivery-status", "text/rfc822-headers"])
        text, status, returned = dsn.iter_parts()
        for part in dsn.walk():
            self.assertEqual(part.defects, [])
        (fields,) = status.get_payload()[1:]
        self.assertEqual(fields["Action"], action)
        self.assertEqual(fields["Final-Recipient"], "rfc822; bob@example.test")
        self.assertEqual(dsn.get_body().get_content(), text.get_content())
        self.assertIn("Our meeting on Friday", returned.get_content())
        return text.get_content()

    def check_shown(self, shown, text):
        """All of the human part is there, line by line, and before everything else."""
        at = 0
        for line in filter(None, (line.rstrip() for line in text.split("\n"))):
            found = shown.find(line, at)
            self.assertGreaterEqual(found, 0, (line, shown))
            at = found
        self.assertLess(shown.index(text.split("\n")[0]), shown.index("Reporting-MTA"))
        self.assertNotIn("unsupported", shown)
        return shown

    def both(self, peer, domain, relay, answers):
        answers["bob@example.test"] = REFUSAL
        failed = self.notice(peer, relay, domain, 1)
        answers["bob@example.test"] = LATER
        delayed = self.notice(peer, relay, domain, 2)
        for stored, action in ((failed, "failed"), (delayed, "delayed")):
            with self.subTest(action):
                text = self.check_structure(stored, action)
                shown = self.check_shown(self.read(stored), text)
                keep = os.environ.get("OUTBOX_KEEP_NOTICES")
                if keep:
                    pathlib.Path(keep, f"{domain}-{action}.shown").write_text(shown)
                    shutil.copy(stored, pathlib.Path(keep, f"{domain}-{action}.eml"))
        return failed, delayed

    def bare(self, stored):
        """Without what is different each time and the headers of the way."""
        text = stored.read_text()
        text = text[text.index("From: Mail Delivery"):]
        text = re.sub(r"[0-9A-Z]{13}", "ID", text)
        text = re.sub(r"\w{3}, +\d+ \w{3} \d{4} [\d:]{8}", "DATE", text)
        return re.sub(r"(?m)^Received: .*\n(?:[ \t].*\n)*", "", text)

    def test_postfix_and_exim_keep_them_as_they_were(self):
        postfix, exim = peers.Postfix(self), peers.Exim(self)
        answers = {}
        receiver = self.receiver(on_rcpt=lambda address: answers[address])
        relay = self.outbox(route(postfix.port, match="postfix.test") +
                            route(exim.port, match="exim.test") +
                            route(receiver.port, match="*", retry="1s", notify_after="2s",
                                  retry_until="4d"))
        one = self.both(postfix, "postfix.test", relay, answers)
        other = self.both(exim, "exim.test", relay, answers)
        for left, right in zip(one, other):
            self.assertEqual(self.bare(left).replace("postfix.test", "exim.test"),
                             self.bare(right))


if __name__ == "__main__":
    main()
