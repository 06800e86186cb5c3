"""Clients that break the rules, by accident or on purpose: nothing is smuggled, nothing stops the
rest."""

import socket

from harness import Scenario, main, route

# What some servers take for the end of a message and others do not. Behind it, a second message
# that must never exist.
SMUGGLING_ENDS = (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\n.\r",
                  b"\r\n\x00.\r\n")
SMUGGLED = (b"MAIL FROM:<forged@victim.test>\r\nRCPT TO:<target@victim.test>\r\nDATA\r\n"
            b"Subject: smuggled\r\n\r\nforged\r\n.\r\n")


class MalformedClients(Scenario):
    def setUp(self):
        super().setUp()
        self.catcher = self.receiver()
        self.relay = self.outbox(route(self.catcher.port))

    def check_alive(self):
        """The relay still takes and delivers a proper message, and only that one more."""
        before = len(self.catcher.messages)
        client = self.relay.client()
        self.assertEqual(client.deliver(["fine@dest.test"], b"Subject: fine\r\n\r\nok\r\n")[0], 250)
        client.close()
        messages = self.catcher.wait_for(before + 1)
        self.assertEqual(len(messages), before + 1)
        self.assertEqual(messages[-1].recipients, ["fine@dest.test"])
        self.assertIsNone(self.relay.process.poll())

    def test_smuggling(self):
        for end in SMUGGLING_ENDS:
            with self.subTest(end):
                client = self.relay.client()
                client.begin(["a@dest.test"])
                client.send(b"Subject: outer\r\n\r\nouter" + end + SMUGGLED)
                # The real end comes with SMUGGLED's own: one message, refused for its line endings
                # (or, with NUL, taken as the one message that it is).
                code, text = client.reply()
                if b"\x00" in end:
                    self.assertIn(code, (250, 550, 554), text)
                else:
                    self.assertIn(code, (550, 554), text)
                self.assertEqual(client.say("NOOP")[0], 250)
                client.close()
        self.relay.wait_for_stats("the queue to be empty", queued=0)
        for message in self.catcher.messages:
            self.assertNotEqual(message.sender, "forged@victim.test")
            self.assertNotIn("target@victim.test", message.recipients)
        self.check_alive()

    def test_bare_line_ends_in_commands(self):
        for line in (b"NOOP\n", b"NO\rOP\r\n", b"MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\r\n"):
            with self.subTest(line):
                client = self.relay.client()
                client.ehlo()
                client.send(line)
                client.send(b"NOOP\r\n")
                self.assertGreaterEqual(client.reply()[0] or 500, 500)
                client.close()
        self.check_alive()

    def test_commands_out_of_order(self):
        client = self.relay.client()
        self.assertEqual(client.say("DATA")[0], 503)
        client.ehlo()
        self.assertEqual(client.say("RCPT TO:<a@b.test>")[0], 503)
        self.assertEqual(client.say("DATA")[0], 503)
        self.assertEqual(client.say("MAIL FROM:<a@b.test>")[0], 250)
        self.assertEqual(client.say("MAIL FROM:<a@b.test>")[0], 503)
        self.assertIn(client.say("DATA")[0], (503, 554))
        self.assertEqual(client.say("RSET")[0], 250)
        self.assertEqual(client.say("RCPT TO:<a@b.test>")[0], 503)
        client.close()
        self.check_alive()

    def test_bad_syntax(self):
        client = self.relay.client()
        client.ehlo()
        for line, codes in (("MAIL FROM:a@b.test", (501, 553)), ("MAIL FROM:<a@b", (501, 553)),
                            ("MAIL FROM:<a@b.test> SIZE=x", (501, 555)),
                            ("MAIL FROM:<a@b.test> NOSUCH=1", (555, 501)),
                            ("MAIL FROM:<a@b.test> SIZE=99999999999", (552,)),
                            ("NOSUCH", (500, 502)), ("\xff\xfe", (500, 501, 502))):
            with self.subTest(line):
                code, text = client.say(line)
                self.assertIn(code, codes, text)
        client.close()
        self.check_alive()

    def test_endless_command_line(self):
        client = self.relay.client()
        client.ehlo()
        client.send(b"NOOP " + b"x" * 100_000 + b"\r\n")
        self.assertEqual(client.reply()[0], 500)
        client.close()
        self.check_alive()

    def test_a_client_that_only_errs_is_closed(self):
        client = self.relay.client()
        for _ in range(200):
            try:
                code, _ = client.say("NOSUCH")
            except (BrokenPipeError, ConnectionResetError):
                break
            if code in (421, None):
                break
        else:
            self.fail("two hundred errors and still welcome")
        client.close()
        self.check_alive()

    def test_disconnects_anywhere(self):
        whole = (b"EHLO client.test\r\nMAIL FROM:<s@client.test>\r\nRCPT TO:<cut@dest.test>\r\n"
                 b"DATA\r\nSubject: cut\r\n\r\nbody\r\n.\r\n")
        for cut in range(0, len(whole) - 1, 3):
            with socket.create_connection(("127.0.0.1", self.relay.port)) as s:
                s.recv(200)
                s.sendall(whole[:cut])
        self.relay.wait_for_stats("all to be gone", connections_in=0)
        self.assertEqual(self.relay.stats()["accepted_total"], 0)
        self.check_alive()

    def test_everything_at_once(self):
        # Pipelined to the limit: envelope and content in one segment, QUIT behind. RFC 2920 asks to
        # wait at DATA; who does not still gets a message that is whole.
        client = self.relay.client()
        client.send(b"EHLO client.test\r\nMAIL FROM:<s@client.test>\r\nRCPT TO:<at@once.test>\r\n"
                    b"DATA\r\nSubject: at once\r\n\r\nbody\r\n.\r\nQUIT\r\n")
        self.assertEqual([client.reply()[0] for _ in range(6)], [250, 250, 250, 354, 250, 221])
        client.close()
        messages = self.catcher.wait_for(1)
        self.assertTrue(messages[0].content.endswith(b"Subject: at once\r\n\r\nbody\r\n"))


if __name__ == "__main__":
    main()
