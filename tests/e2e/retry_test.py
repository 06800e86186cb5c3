"""Refusals for now: the mail waits in the queue, can be seen there, and goes out later."""

import time

from harness import Scenario, free_port, main, route, wait_until

CONTENT = b"Subject: patience\r\n\r\nx\r\n"


class Retry(Scenario):
    def test_greylisted_then_delivered(self):
        seen = {}

        def greylist(address):
            first = seen.setdefault(address, time.monotonic())
            return "451 4.7.1 Greylisted" if time.monotonic() - first < 1.5 else None

        receiver = self.receiver(on_rcpt=greylist)
        relay = self.outbox(route(receiver.port, retry="1s"))
        client = relay.client()
        self.assertEqual(client.deliver(["a@grey.test"], CONTENT)[0], 250)
        client.close()

        def deferred_line():
            lines = relay.queue()
            return lines if lines and lines[0]["attempts"] > 0 else None

        (line,) = wait_until(deferred_line, "a deferred recipient in the listing")
        self.assertEqual(line["sender"], "sender@client.test")
        self.assertEqual(line["recipient"], "a@grey.test")
        self.assertEqual(line["domain"], "grey.test")
        self.assertIn("Greylisted", line["last_reply"])
        self.assertIn("127.0.0.1", line["mailhost"])
        self.assertGreater(line["size"], len(CONTENT) - 1)
        for name in ("id", "state", "next_attempt", "age_seconds"):
            self.assertIn(name, line)
        self.assertIn("a@grey.test", relay.cli("queue").stdout)

        receiver.wait_for(1)
        stats = relay.wait_for_stats("delivery", delivered_total=1, queued=0)
        self.assertGreaterEqual(stats["deferred_total"], 1)
        self.assertEqual(relay.queue(), [])
        relay.check_ledger()

    def test_a_host_that_comes_back_and_a_restart_between(self):
        port = free_port()
        relay = self.outbox(route(port, retry="1s"))
        client = relay.client()
        for number in range(30):
            code, _ = client.deliver([f"u{number}@down.test"], CONTENT, ehlo=number == 0)
            self.assertEqual(code, 250)
        client.close()
        relay.wait_for_stats("the queue to be there", queued=30)
        self.assertEqual(len(relay.queue()), 30)
        self.assertEqual(relay.stop(), 0)
        relay.configure(shards=3)
        relay.start()
        self.assertEqual({line["recipient"] for line in relay.queue()},
                         {f"u{number}@down.test" for number in range(30)})
        receiver = self.receiver(port=port)
        messages = receiver.wait_for(30)
        relay.wait_for_stats("an empty queue", queued=0)
        self.assertEqual({r for m in messages for r in m.recipients},
                         {f"u{number}@down.test" for number in range(30)})
        self.assertEqual(len(messages), 30)

    def test_the_second_host_is_tried_when_the_first_is_down(self):
        receiver = self.receiver()
        dead = free_port()
        relay = self.outbox(f'\n[[route]]\nmatch = "*"\nretry = "60s"\n'
                            f'via = ["127.0.0.1:{dead}", "127.0.0.1:{receiver.port}"]\n')
        client = relay.client()
        self.assertEqual(client.deliver(["a@two.test"], CONTENT)[0], 250)
        client.close()
        receiver.wait_for(1)

    def test_the_first_matching_route_wins(self):
        special, rest = self.receiver(), self.receiver()
        relay = self.outbox(route(special.port, match="special.test") +
                            route(special.port, match="*.wild.test") + route(rest.port))
        client = relay.client()
        code, _ = client.deliver(["a@special.test", "b@sub.wild.test", "c@wild.test",
                                  "d@other.test"], CONTENT)
        self.assertEqual(code, 250)
        client.close()
        relay.wait_for_stats("delivery", delivered_total=4, queued=0)
        self.assertEqual(sorted(r for m in special.messages for r in m.recipients),
                         ["a@special.test", "b@sub.wild.test"])
        self.assertEqual(sorted(r for m in rest.messages for r in m.recipients),
                         ["c@wild.test", "d@other.test"])


if __name__ == "__main__":
    main()
