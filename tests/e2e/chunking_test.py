"""BDAT (RFC 3030), in and out: Postfix, Exim and Dovecot take and send the same octets by it as by
DATA, and a host that offers it without knowing it gets DATA."""

import json
import pathlib

import peers
from certificates import Certificates
from dovecot import Dovecot
from harness import LISTENER, Client, Receiver, Scenario, main, route, wait_until

CONTENT = (b"From: Sender <sender@client.test>\r\nTo: <known@example.test>\r\n"
           b"Date: Mon, 01 Jan 2024 00:00:00 +0000\r\nMessage-ID: <%d@client.test>\r\n"
           b"Subject: number %d\r\n\r\n"
           b".a line that begins with a dot\r\n..two dots\r\n.\r\nafter a lone dot\r\n"
           b"QUIT\r\nBDAT 5 LAST\r\ntrailing spaces   \r\n\r\n\r\n" + b"long " * 150 +
           b"\r\nlast line\r\n")
# More lines that begin with a dot than pieces go into one send; and larger than what is kept in
# one record.
DOTTED = b"Subject: dotted\r\n\r\n" + b"".join(b".%d\r\n..\r\n" % i for i in range(40_000))
# Without a line that looks like BDAT.
PLAIN = CONTENT.replace(b"BDAT", b"NOOP")
CHUNKING = "\n[delivery]\nchunking = true\n"


def bdat(content, last=False):
    return b"BDAT %d%s\r\n" % (len(content), b" LAST" if last else b"") + content


class Liar(Receiver):
    """Offers CHUNKING, and knows no BDAT. It keeps what it was sent instead of commands."""

    def __init__(self, answer="500 5.5.2 Command not recognized", **options):
        self.answer = answer
        self.bdats = 0
        super().__init__(**options)

    def dialogue(self, stream, say):
        receiver = self

        class Lines:
            @staticmethod
            def readline():
                line = stream.rfile.readline()
                while line.startswith(b"BDAT "):
                    receiver.bdats += 1
                    stream.rfile.read(int(line.split()[1]))
                    say(receiver.answer)
                    line = stream.rfile.readline()
                return line

        class Stream:
            rfile = Lines
            wfile = stream.wfile
            client_address = stream.client_address

        def with_chunking(line):
            say(line.replace("250-PIPELINING", "250-PIPELINING\r\n250-CHUNKING"))

        return super().dialogue(Stream, with_chunking)


class ChunkingIn(Scenario):
    def setUp(self):
        super().setUp()
        self.host = self.receiver()
        self.relay = self.outbox(route(self.host.port))

    def begin(self):
        client = self.relay.client()
        self.assertIn("CHUNKING", client.ehlo())
        self.envelope(client)
        return client

    def envelope(self, client, recipient="a@dest.test"):
        for line in ("MAIL FROM:<sender@client.test>", f"RCPT TO:<{recipient}>"):
            code, text = client.say(line)
            self.assertEqual(code, 250, text)

    def received(self, count):
        messages = self.host.wait_for(count)
        return [m.content[m.content.index(b"\r\nFrom: Sender") + 2:] for m in messages]

    def test_cut_anywhere(self):
        client = self.begin()
        content = CONTENT % (1, 1)
        at, chunks = 0, 0
        # Of 1 octet, 2, 3, ...: within CRLF and before dots among others.
        while at < len(content):
            size = chunks % 7 + 1
            client.send(bdat(content[at:at + size]))
            at, chunks = at + size, chunks + 1
        client.send(bdat(b"", last=True))
        for _ in range(chunks):
            self.assertEqual(client.reply()[0], 250)
        code, text = client.reply()
        self.assertEqual((code, text[:6]), (250, "2.0.0 "), text)
        # Everything in one piece, and without the last line end.
        client.send(b"MAIL FROM:<sender@client.test>\r\nRCPT TO:<a@dest.test>\r\n" +
                    bdat(content[:-2], last=True))
        self.assertEqual([client.reply()[0] for _ in range(3)], [250, 250, 250])
        self.assertEqual(self.received(2), [content, content])

    def test_megabytes(self):
        big = CONTENT % (7, 7) + DOTTED * 4
        client = self.begin()
        client.send(bdat(big[:1_000_000]))
        self.assertEqual(client.reply(), (250, "2.0.0 1000000 octets received"))
        client.send(bdat(big[1_000_000:], last=True))
        self.assertEqual(client.reply()[0], 250)
        self.assertEqual(client.say("MAIL FROM:<sender@client.test> SIZE=%d" % len(big))[0], 250)
        self.assertEqual(client.say("RCPT TO:<a@dest.test>")[0], 250)
        client.send(bdat(big, last=True))
        self.assertEqual(client.reply()[0], 250)
        self.assertEqual(self.received(2), [big, big])

    def test_octets_of_refused_chunks_are_no_commands(self):
        client = self.begin()
        evil = b"QUIT\r\n"
        client.send(bdat(b"x" * (51 << 20)) + bdat(evil) + bdat(evil, last=True))
        self.assertEqual([client.reply()[0] for _ in range(3)], [552, 503, 503])
        # Nobody accepted.
        self.assertEqual(client.say("MAIL FROM:<sender@client.test>")[0], 250)
        self.assertEqual(client.say("RCPT TO:<nobody>")[0], 501)
        client.send(bdat(evil, last=True))
        self.assertEqual(client.reply()[0], 554)
        # DATA does not go with it; RSET ends it.
        self.envelope(client)
        client.send(bdat(evil))
        self.assertEqual(client.reply()[0], 250)
        self.assertEqual(client.say("DATA")[0], 503)
        self.assertEqual(client.say("MAIL FROM:<sender@client.test>")[0], 503)
        self.assertEqual(client.say("RSET")[0], 250)
        self.assertEqual(client.say("MAIL FROM:<a@client.test> BODY=BINARYMIME")[0], 555)
        content = CONTENT % (3, 3)
        self.envelope(client)
        client.send(bdat(content, last=True))
        self.assertEqual(client.reply()[0], 250)
        self.assertEqual(self.received(1), [content])
        self.assertEqual(client.say("BDAT -1 LAST")[0], 501)
        self.assertEqual(client.reply(), (None, ""))

    def test_a_client_that_leaves_between_chunks(self):
        client = self.begin()
        client.send(bdat(CONTENT % (4, 4)))
        self.assertEqual(client.reply()[0], 250)
        client.close()
        client = self.begin()
        client.send(bdat(b"half a chu")[:-3])
        client.close()
        client = self.begin()
        client.send(bdat(CONTENT % (5, 5), last=True))
        self.assertEqual(client.reply()[0], 250)
        self.assertEqual(self.received(1), [CONTENT % (5, 5)])
        self.relay.wait_for_stats("one message", accepted_total=1, delivered_total=1, queued=0)

    def test_not_offered(self):
        listener = LISTENER + "chunking = false\n"
        client = self.outbox(route(self.host.port), listener=listener).client()
        self.assertNotIn("CHUNKING", client.ehlo())
        self.assertEqual(client.say("BDAT 0 LAST")[0], 502)

    def test_exim_sends_by_it(self):
        peer = peers.Exim(self, relay_to=self.relay.port)
        for number in range(5):
            code, text = self.deliver_to(peer, CONTENT % (number, number))
            self.assertEqual(code, 250, text)
        contents = self.received(5)
        self.assertEqual(sorted(contents), [CONTENT % (n, n) for n in range(5)])
        # "K": CHUNKING was used.
        wait_until(lambda: sum("=> a@dest.test" in line and " K " in line
                               for line in peer.log_text().splitlines()) == 5, "Exim's log")

    @staticmethod
    def deliver_to(peer, content):
        client = Client(peer.port)
        try:
            return client.deliver(["a@dest.test"], content)
        finally:
            client.close()


class ChunkingOut(Scenario):
    def talks(self, relay):
        done = relay.cli("talk", "--json", check=False)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def used_bdat(self, relay):
        return any(line["who"] == "C" and line["text"].startswith("BDAT ")
                   for talk in self.talks(relay) for line in talk["lines"])

    def deliver_and_compare(self, peer, domain):
        relay = self.outbox(CHUNKING + route(peer.port, match=domain, retry="2s"))
        client = relay.client()
        client.ehlo()
        sent = {n: CONTENT % (n, n) + (DOTTED * 2 if n == 8 else b"") for n in range(10)}
        for content in sent.values():
            code, text = client.deliver([f"known@{domain}"], content, ehlo=False)
            self.assertEqual(code, 250, text)
        client.close()
        relay.wait_for_stats("all to be delivered", delivered_total=10, bounced_total=0, queued=0)
        wait_until(lambda: len(peer.files()) == 10, "10 files in the Maildir")
        for path in peer.files():
            stored = pathlib.Path(path).read_bytes()
            at = stored.index(b"From: Sender <sender@client.test>\n")
            number = int(stored.split(b"Subject: number ")[1].split(b"\n")[0])
            self.assertEqual(stored[at:], sent.pop(number).replace(b"\r\n", b"\n"))
        self.assertEqual(sent, {})
        self.assertTrue(self.used_bdat(relay))
        # All recipients refused, though the content was sent: each one bounces by its own reply,
        # and the connection goes on.
        client = relay.client()
        for sender in ("", ""):
            code, text = client.deliver([f"unknown@{domain}", f"other@{domain}"],
                                        CONTENT % (77, 77), sender=sender)
            self.assertEqual(code, 250, text)
        code, text = client.deliver([f"known@{domain}", f"other@{domain}"], CONTENT % (78, 78),
                                    sender="")
        self.assertEqual(code, 250, text)
        relay.wait_for_stats("the refusals", bounced_total=5, delivered_total=11, queued=0)
        relay.check_ledger()
        return relay

    def test_postfix(self):
        peer = peers.Postfix(self)
        self.deliver_and_compare(peer, "postfix.test")

    def test_exim(self):
        peer = peers.Exim(self)
        self.deliver_and_compare(peer, "exim.test")
        taken = [line for line in peer.log_text().splitlines() if "<= sender@client.test" in line]
        self.assertEqual(len(taken), 10)
        for line in taken:
            self.assertIn(" K ", line)

    def test_dovecot_by_lmtp(self):
        dovecot = Dovecot(self)
        relay = self.outbox(CHUNKING + f"""
[[route]]
match = "dovecot.test"
via   = ["lmtp:127.0.0.1:{dovecot.lmtp_port}"]
""")
        client = relay.client()
        content = CONTENT % (1, 1)
        users = [f"{name}@dovecot.test" for name in ("alice", "nobody", "bob")]
        self.assertEqual(client.deliver(users, content, sender="")[0], 250)
        relay.wait_for_stats("two deliveries", delivered_total=2, bounced_total=1, queued=0)
        for user in ("alice", "bob"):
            message, = dovecot.messages(user)
            self.assertTrue(message.endswith(content), message)
        self.assertTrue(self.used_bdat(relay))

    def test_another_relay_over_tls(self):
        receiver = self.receiver()
        certificate, key = Certificates(self.dir).issue("next.test", "next.test")
        last = self.outbox(route(receiver.port), listener=LISTENER + f"""
tls = "required"
tls_certificate = "{certificate}"
tls_key = "{key}"
""")
        relay = self.outbox(CHUNKING + route(last.port, tls="required"))
        client = relay.client()
        contents = [CONTENT % (1, 1), CONTENT % (2, 2) + DOTTED, CONTENT % (3, 3) + DOTTED * 4]
        client.ehlo()
        for content in contents:
            self.assertEqual(client.deliver(["a@dest.test"], content, ehlo=False)[0], 250)
        got = [m.without_added(b"From: Sender") for m in receiver.wait_for(3)]
        self.assertEqual(sorted(got), sorted(contents))
        self.assertTrue(self.used_bdat(relay))

    def test_a_host_that_does_not_know_what_it_offers(self):
        for answer in ("500 5.5.2 Command not recognized", "502 5.5.1 Not implemented",
                       "503 5.5.1 Bad sequence"):
            liar = Liar(answer)
            self.addCleanup(liar.close)
            relay = self.outbox(CHUNKING + route(liar.port, retry="1h"), shards=1)
            client = relay.client()
            client.ehlo()
            self.assertEqual(client.deliver(["a@dest.test"], PLAIN % (1, 1), ehlo=False)[0], 250)
            relay.wait_for_stats("the first message", delivered_total=1, queued=0)
            self.assertEqual((liar.bdats, liar.connections), (1, 2))
            # From now on it is known.
            for number in range(2, 5):
                content = PLAIN % (number, number)
                self.assertEqual(client.deliver(["a@dest.test"], content, ehlo=False)[0], 250)
            relay.wait_for_stats("the others", delivered_total=4, queued=0)
            self.assertEqual(liar.bdats, 1)
            got = [m.without_added(b"From: Sender") for m in liar.messages]
            self.assertEqual(sorted(got), [PLAIN % (n, n) for n in range(1, 5)])
            relay.check_ledger()

    def test_load(self):
        """Source and sink, both by BDAT: every message arrives once, with its hash."""
        sink = self.sink("--chunking")
        relay = self.outbox(CHUNKING + route(sink.port))
        for number, arguments in enumerate((("--size", "mixed", "--messages", 1500, "--pipelining"),
                                            ("--size", "1MiB", "--messages", 60))):
            result = self.source(relay.port, "--chunking", "--connections", 20, "--first-id",
                                 1 + 10_000 * number, *arguments)
            self.assertEqual(result["exit"], 0, result)
        stats = sink.wait_for(1560)
        relay.wait_for_stats("an empty queue", queued=0, delivered_total=1560)
        stats = sink.stop()
        self.assertEqual((stats["duplicates"], stats["corrupted"]), (0, 0), stats)


if __name__ == "__main__":
    main()
