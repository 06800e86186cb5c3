"""Real mail servers as next hops: Postfix and Exim take what the relay delivers, byte for byte."""

import pathlib

import peers
from harness import Outbox, Scenario, main, route, stuff, wait_until

CONTENT = (b"From: Sender <sender@client.test>\r\nTo: <known@example.test>\r\n"
           b"Date: Mon, 01 Jan 2024 00:00:00 +0000\r\nMessage-ID: <%d@client.test>\r\n"
           b"Subject: number %d\r\n\r\n"
           b".a line that begins with a dot\r\n..two dots\r\n.\r\nafter a lone dot\r\n"
           b"trailing spaces   \r\n\r\n\r\n" + b"long " * 150 + b"\r\nlast line\r\n")


class PeersBehind(Scenario):
    def deliver_and_compare(self, peer, domain):
        relay = self.outbox(route(peer.port, match=domain, retry="2s"))
        client = relay.client()
        client.ehlo()
        for number in range(20):
            code, text = client.deliver([f"known@{domain}"], CONTENT % (number, number),
                                        ehlo=False)
            self.assertEqual(code, 250, text)
        client.close()
        stats = relay.wait_for_stats("all to be delivered", delivered_total=20, queued=0)
        self.assertEqual(stats["bounced_total"], 0)
        wait_until(lambda: len(peer.files()) == 20, "20 files in the Maildir")
        found = set()
        for path in peer.files():
            stored = pathlib.Path(path).read_bytes()
            # Stored with local line endings, below the headers of the way.
            at = stored.index(b"From: Sender <sender@client.test>\n")
            number = int(stored.split(b"Subject: number ")[1].split(b"\n")[0])
            self.assertEqual(stored[at:], (CONTENT % (number, number)).replace(b"\r\n", b"\n"))
            self.assertIn(b"by relay.outbox.test", stored[:at])
            found.add(number)
        self.assertEqual(found, set(range(20)))
        return relay

    def refused_recipient(self, relay, peer, domain):
        """What the peer refuses for good becomes a bounce, quoted."""
        client = relay.client()
        code, text = client.deliver([f"unknown@{domain}"], CONTENT % (77, 77), sender="")
        self.assertEqual(code, 250, text)
        client.close()
        relay.wait_for_stats("the refusal", bounced_total=1, queued=0)
        self.assertEqual(len(peer.files()), 20)
        relay.check_ledger()

    def test_postfix(self):
        peer = peers.Postfix(self)
        relay = self.deliver_and_compare(peer, "postfix.test")
        self.refused_recipient(relay, peer, "postfix.test")

    def test_exim(self):
        peer = peers.Exim(self)
        relay = self.deliver_and_compare(peer, "exim.test")
        self.refused_recipient(relay, peer, "exim.test")


if __name__ == "__main__":
    main()
