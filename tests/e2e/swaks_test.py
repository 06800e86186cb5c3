"""swaks in front: what an application's mail looks like when it comes out."""

import email
import email.utils
import subprocess

from harness import PATIENCE, Scenario, main, route


class Swaks(Scenario):
    def swaks(self, relay, *arguments):
        return subprocess.run(
            ["swaks", "--server", f"127.0.0.1:{relay.port}", "--helo", "app.test",
             "--from", "app@app.test", *arguments], capture_output=True, text=True,
            timeout=PATIENCE)

    def test_a_message_arrives_byte_for_byte(self):
        receiver = self.receiver()
        relay = self.outbox(route(receiver.port))
        data = ("Subject: Hello\\nFrom: app@app.test\\nTo: a@one.test\\n"
                "Date: Mon, 01 Jan 2024 00:00:00 +0000\\nMessage-ID: <1@app.test>\\n\\n"
                "first line\\n.dot line\\n..two\\nlast line")
        done = self.swaks(relay, "--to", "a@one.test,b@one.test", "--data", data)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        (message,) = receiver.wait_for(1)
        self.assertEqual(message.sender, "app@app.test")
        self.assertEqual(sorted(message.recipients), ["a@one.test", "b@one.test"])
        body = message.without_added(b"Subject: Hello")
        self.assertTrue(body.startswith(
            b"Subject: Hello\r\nFrom: app@app.test\r\nTo: a@one.test\r\n"
            b"Date: Mon, 01 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@app.test>\r\n\r\n"
            b"first line\r\n.dot line\r\n..two\r\nlast line\r\n"), body)
        added = message.content[:-len(body)].decode()
        received = " ".join(added.split())
        self.assertTrue(received.startswith("Received: from app.test ("), added)
        self.assertIn("127.0.0.1", received)
        self.assertIn("by relay.outbox.test", received)
        self.assertIn("with ESMTP id ", received)
        stamp = email.utils.parsedate_to_datetime(received.rsplit(";", 1)[1])
        self.assertIsNotNone(stamp)
        # Date and Message-ID were there: nothing but Received was added.
        self.assertEqual(added.count("\r\n"), 1 + added.count("\r\n\t") + added.count("\r\n "))

    def test_date_and_message_id_are_added_when_missing(self):
        receiver = self.receiver()
        relay = self.outbox(route(receiver.port))
        done = self.swaks(relay, "--to", "a@one.test", "--data", "Subject: Bare\\n\\nhi")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        (message,) = receiver.wait_for(1)
        parsed = email.message_from_bytes(message.content)
        self.assertIsNotNone(email.utils.parsedate_to_datetime(parsed["Date"]))
        self.assertRegex(parsed["Message-ID"], r"^<[^@<>\s]+@relay\.outbox\.test>$")
        self.assertEqual(len(parsed.get_all("Date")), 1)
        self.assertEqual(len(parsed.get_all("Message-ID")), 1)

    def test_null_sender_and_postmaster(self):
        receiver = self.receiver()
        relay = self.outbox(route(receiver.port))
        done = self.swaks(relay, "--from", "<>", "--to", "a@one.test", "--data",
                          "Subject: x\\n\\nnull sender")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        (message,) = receiver.wait_for(1)
        self.assertEqual(message.sender, "")


if __name__ == "__main__":
    main()
