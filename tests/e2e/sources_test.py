"""Where mail is sent from: each source from its address and under its name, as a Postfix sees it;
pools, IPv6, an address that is not on this machine, and reloads with mail queued."""

import collections
import email
import json
import re
import subprocess

import peers
from harness import BIN, PATIENCE, Scenario, main, route, wait_until

KNOWN = "known@postfix.test"
MESSAGE = b"Subject: x\r\n\r\nhello\r\n"
BOTH_FAMILIES = """
inet_interfaces = 127.0.0.1, ::1
inet_protocols = all
mynetworks = 127.0.0.0/8, [::1]/128
"""


def source(name, *addresses, **more):
    """A [[source]] of this name."""
    return table("source", name=name, address=list(addresses), **more)


def table(kind, **keys):
    return f"\n[[{kind}]]\n" + "".join(f"{key} = {json.dumps(value)}\n"
                                      for key, value in keys.items())


SOURCES = (source("main", "127.0.0.20", "::1", helo="main.sources.test") +
           source("shop", "127.0.0.21", helo="shop.sources.test") +
           source("news-1", "127.0.0.31", helo="news1.sources.test", pool="news", weight=3) +
           source("news-2", "127.0.0.32", helo="news2.sources.test", pool="news") +
           table("sender", domain=["shop.test", "*.shop.test"], send_from="shop") +
           '\n[delivery]\nsend_from = "main"\nretry = "2s"\n')
Origin = collections.namedtuple("Origin", "helo client")


class Sources(Scenario):
    def send(self, relay, sender, recipient=KNOWN):
        client = relay.client()
        code, text = client.deliver([recipient], MESSAGE, sender)
        client.close()
        self.assertEqual(code, 250, text)
        return text.split()[-1]

    def where(self, relay, sender, recipient):
        return relay.cli("route", "test", sender, recipient).stdout

    def origins(self, postfix, count):
        """The senders of Postfix's mail, with where it came from, by its own Received fields."""
        wait_until(lambda: len(postfix.files()) >= count, f"{count} messages at Postfix")
        found = collections.defaultdict(collections.Counter)
        for file in postfix.files():
            message = email.message_from_bytes(file.read_bytes())
            received = message.get_all("Received")
            theirs = re.match(r"from (\S+) \(unknown \[(\S+?)\]\)\s+by mx\.postfix\.test",
                              received[0])
            self.assertIsNotNone(theirs, received[0])
            # Ours says the relay's own name, whatever it is called outside.
            self.assertIn("by relay.outbox.test", received[1])
            found[message["Return-Path"].strip("<>")][Origin(*theirs.groups())] += 1
        return found

    def check(self, config):
        done = subprocess.run([str(BIN / "outboxd"), "--check", "--config", str(config)],
                              capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stderr

    def events(self, relay, name):
        return [one for one in map(json.loads, relay.log_text().splitlines())
                if one.get("event") == name]

    def test_by_sender_by_route_and_by_default(self):
        postfix = peers.Postfix(self)
        via = f"127.0.0.1:{postfix.port}"
        relay = self.outbox(SOURCES +
                            table("route", sender="*@bulk.test", match="*", via=via,
                                  send_from="news") +
                            table("route", sender="*@bound.test", match="*", via=via,
                                  bind="127.0.0.99") +
                            table("route", sender="*@system.test", match="*", via=via,
                                  send_from="") +
                            table("route", match="*", via=via))
        self.assertEqual(self.check(relay.config), (0, ""))
        for _ in range(8):
            self.send(relay, "a@bulk.test")
        for sender in ("a@client.test", "a@shop.test", "a@deep.shop.test", "a@bound.test",
                       "a@system.test"):
            self.send(relay, sender)
        origins = self.origins(postfix, 13)
        relay.wait_for_stats("all of it", queued=0, delivered_total=13)
        main_ = Origin("main.sources.test", "127.0.0.20")
        shop = Origin("shop.sources.test", "127.0.0.21")
        for sender, origin in {"a@client.test": main_, "a@shop.test": shop,
                               "a@deep.shop.test": shop,
                               "a@bound.test": Origin("relay.outbox.test", "127.0.0.99"),
                               "a@system.test": Origin("relay.outbox.test", "127.0.0.1")}.items():
            self.assertEqual(origins[sender], {origin: 1}, sender)
        # Three of four each time; a shard shares its own part.
        bulk = origins["a@bulk.test"]
        self.assertEqual(set(bulk), {Origin("news1.sources.test", "127.0.0.31"),
                                     Origin("news2.sources.test", "127.0.0.32")})
        self.assertGreater(bulk[Origin("news1.sources.test", "127.0.0.31")], 4)
        self.assertIn("connect from unknown[127.0.0.21]", postfix.log_text())
        # The log says which one it was.
        relay.wait_for_log('"event":"delivered"')
        wait_until(lambda: len(self.events(relay, "delivered")) == 13, "the log")
        by_sender = {one["sender"]: one.get("source") for one in self.events(relay, "delivered")}
        self.assertEqual(by_sender["a@client.test"], "main")
        self.assertEqual(by_sender["a@shop.test"], "shop")
        self.assertIn(by_sender["a@bulk.test"], ("news-1", "news-2"))
        self.assertIsNone(by_sender["a@system.test"])
        relay.check_ledger()

    def test_what_route_test_says(self):
        relay = self.outbox(SOURCES +
                            table("route", match="bulk.test", via="127.0.0.9", send_from="news") +
                            table("route", match="bound.test", via="127.0.0.9",
                                  bind="127.0.0.99") +
                            table("route", match="system.test", via="127.0.0.9", send_from="") +
                            table("route", match="*", via="127.0.0.9"))
        for sender, recipient, lines in (
                ("a@client.test", "x@a.test",
                 ["destination via:127.0.0.9:25@main",
                  "sent from   main (127.0.0.20, ::1), as main.sources.test, by default"]),
                ("<>", "x@a.test", ["destination via:127.0.0.9:25@main"]),
                ("a@shop.test", "x@a.test",
                 ["sent from   shop (127.0.0.21), as shop.sources.test, by the sender's domain"]),
                ("a@shop.test", "x@bulk.test",
                 ["sent from   the pool news, by the route",
                  "            news-1 (127.0.0.31), as news1.sources.test, 3 of 4",
                  "            news-2 (127.0.0.32), as news2.sources.test, 1 of 4"]),
                ("a@shop.test", "x@bound.test",
                 ["destination via:127.0.0.9:25@127.0.0.99",
                  "sent from   127.0.0.99, by the route (bind)"]),
                ("a@shop.test", "x@system.test",
                 ["destination via:127.0.0.9:25",
                  "sent from   what the system chooses, by the route"])):
            text = self.where(relay, sender, recipient).splitlines()
            for line in lines:
                self.assertIn(line, text)
        # By a file alone the same.
        text = relay.cli("route", "test", "a@shop.test", "x@a.test", "--config", str(relay.config))
        self.assertIn("by the sender's domain", text.stdout)

    def test_over_ipv6(self):
        postfix = peers.Postfix(self, more=BOTH_FAMILIES)
        relay = self.outbox(SOURCES + table("route", match="*", via=f"[::1]:{postfix.port}"))
        self.send(relay, "a@client.test")
        self.assertEqual(self.origins(postfix, 1)["a@client.test"],
                         {Origin("main.sources.test", "IPv6:::1"): 1})
        # The shop's source is of IPv4 alone, and so its mail waits.
        message = self.send(relay, "a@shop.test")
        why = wait_until(lambda: self.held_up(relay, message, "source"), "the reason")
        self.assertIn('the source "shop" (127.0.0.21)', why["destinations"][0]["trouble"])

    def held_up(self, relay, message, cause):
        why = json.loads(relay.cli("why", message, "--json").stdout)
        return why if why["recipients"][0]["cause"] == cause else None

    def test_an_address_that_is_not_here(self):
        postfix = peers.Postfix(self)
        relay = self.outbox(SOURCES.replace("127.0.0.21", "192.0.2.77") +
                            route(postfix.port, retry="2s"), start=False)
        code, said = self.check(relay.config)
        self.assertEqual(code, 0)
        self.assertIn('warning: the source "shop" sends from 192.0.2.77, and this machine cannot: '
                      'it does not have that address. Its mail waits until it can', said)
        relay.start()
        relay.wait_for_log('"event":"source_missing"')
        messages = [self.send(relay, "a@shop.test") for _ in range(3)]
        self.send(relay, "a@client.test")
        self.assertEqual(set(self.origins(postfix, 1)), {"a@client.test"})
        why = wait_until(lambda: self.held_up(relay, messages[0], "source"), "the reason")
        self.assertIn("is not on this machine", why["destinations"][0]["trouble"])
        self.assertEqual(why["destinations"][0]["source"]["name"], "shop")
        text = relay.cli("why", messages[0]).stdout
        self.assertIn("the address that it is to be sent from is not on this machine", text)
        self.assertIn("shop (192.0.2.77), as shop.sources.test", text)
        relay.wait_for_log('"event":"source_lost"')
        # Nobody has been blamed for it, and nothing was tried.
        queue = [json.loads(line) for line in
                 relay.cli("queue", "--json", "--source", "shop").stdout.splitlines()]
        self.assertEqual(sorted(one["id"] for one in queue), sorted(messages))
        self.assertEqual({one["attempts"] for one in queue}, {0})
        self.assertEqual(relay.cli("queue", "--json", "--source", "main").stdout, "")
        columns = relay.cli("queue", "--columns", "sender,source").stdout
        self.assertRegex(columns, r"a@shop\.test +shop")
        self.assertRegex(relay.cli("queue", "--by", "source").stdout, r"\b3 .* shop\n")
        self.assertIn("@shop", relay.cli("sites").stdout)
        # The source gets another address: what waits goes from there.
        good = relay.config.read_text().replace("192.0.2.77", "127.0.0.22")
        relay.config.write_text(good)
        done = relay.cli("reload")
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.origins(postfix, 4)["a@shop.test"],
                         {Origin("shop.sources.test", "127.0.0.22"): 3})
        relay.wait_for_stats("the empty queue", queued=0, bounced_total=0)
        relay.check_ledger()

    def test_a_source_that_is_taken_away(self):
        postfix = peers.Postfix(self)
        text = SOURCES.replace("127.0.0.21", "192.0.2.77")
        relay = self.outbox(text + route(postfix.port))
        message = self.send(relay, "a@shop.test")
        wait_until(lambda: self.held_up(relay, message, "source"), "the reason")
        whole = relay.config.read_text()
        without = re.sub(r'\n\[\[source\]\]\nname = "shop"\n.*\n.*\n', "\n", whole)
        without = re.sub(r"\n\[\[sender\]\]\n.*\n.*\n", "\n", without)
        self.assertNotIn("shop", without)
        # Named by [[sender]] it must be there.
        relay.config.write_text(re.sub(r'name = "shop"', 'name = "other"', whole))
        done = relay.cli("reload", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('"shop" is neither a source nor a pool', done.stderr)
        # A reload that still sends from nowhere says so.
        relay.config.write_text(whole)
        self.assertIn("192.0.2.77", relay.cli("reload").stderr)
        relay.config.write_text(without)
        relay.cli("reload")
        self.assertEqual(self.origins(postfix, 1)["a@shop.test"],
                         {Origin("main.sources.test", "127.0.0.20"): 1})
        relay.wait_for_stats("the empty queue", queued=0)

    def test_notices_go_by_default(self):
        receiver = self.receiver()
        closed = self.receiver(on_rcpt=lambda recipient: "550 5.1.1 nobody")
        relay = self.outbox(SOURCES + table("route", match="closed.test",
                                            via=f"127.0.0.1:{closed.port}") +
                            route(receiver.port))
        self.send(relay, "a@shop.test", "x@closed.test")
        receiver.wait_for(1)
        self.assertEqual((receiver.messages[0].sender, receiver.messages[0].client),
                         ("", "127.0.0.20"))
        relay.wait_for_stats("the end", queued=0)


if __name__ == "__main__":
    main()
