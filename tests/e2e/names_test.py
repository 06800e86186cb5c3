"""The resolver against nsd and unbound: hundreds of domains, every shape of MX, servers that are
silent or broken, a resolver that dies and returns."""

import json
import subprocess
import unittest

from harness import BIN, SLOWNESS, Scenario, free_port
from names import Names, WrongServer

DOMAINS = 300


class RealNames(Scenario):
    def probe(self, servers, *names, options=()):
        """The plans of these names, by name."""
        command = [BIN / "dns_probe"]
        for server in servers:
            command += ["--server", server]
        done = subprocess.run([str(a) for a in [*command, *options, *names]], capture_output=True,
                              text=True, timeout=120 * SLOWNESS)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        plans = [json.loads(line) for line in done.stdout.splitlines()]
        return {plan["name"]: plan for plan in plans}

    def hosts(self, plan):
        return [(h["preference"], h["name"], h["addresses"]) for h in plan["hosts"]]

    def test_every_shape_of_mx(self):
        names = Names(self)
        names.zone("plain.test", "@ MX 10 mx\nmx A 127.0.0.2\nmx AAAA ::1")
        names.zone("many.test", "@ MX 20 b\n@ MX 10 a\n@ MX 20 c\n"
                   "a A 127.0.0.2\nb A 127.0.0.3\nc A 127.0.0.4")
        names.zone("implicit.test", "@ A 127.0.0.5")
        names.zone("six.test", "@ AAAA ::1")
        names.zone("null.test", "@ MX 0 .\n@ A 127.0.0.5")
        names.zone("nothing.test", '@ TXT "no mail"')
        names.zone("alias.test", "@ MX 10 mail\nmail CNAME mx.plain.test.")
        names.zone("whole-alias.test", "www CNAME many.test.")
        names.zone("dangling.test", "@ MX 10 gone\n@ MX 20 there\nthere A 127.0.0.2")
        names.zone("all-dangling.test", "@ MX 10 gone")
        names.zone("address.test", "@ MX 10 127.0.0.2.")
        names.zone("us.test", "@ MX 10 mx.plain.test.\n@ MX 20 relay.test.\n@ MX 30 mx.many.test.")
        names.zone("us-first.test", "@ MX 10 relay.test.\n@ MX 20 mx.plain.test.")
        names.zone("our-address.test", "@ MX 10 mx\nmx A 127.0.0.99")
        names.zone("zero.test", "@ 0 MX 10 mx\nmx 0 A 127.0.0.2")
        # More than 1232 octets: by TCP.
        long = "a-long-name-of-a-host-so-that-the-answer-becomes-large"
        names.zone("large.test", "\n".join(
            f"@ MX {i} {long}-{i}\n{long}-{i} A 127.0.1.{i}" for i in range(1, 31)))
        names.failing("broken.test")
        names.silent("dead.test")
        names.start()
        plans = self.probe(
            [names.address], "plain.test", "many.test", "implicit.test", "six.test", "null.test",
            "nothing.test", "nowhere.test", "alias.test", "www.whole-alias.test", "dangling.test",
            "all-dangling.test", "address.test", "us.test", "us-first.test", "our-address.test",
            "zero.test", "large.test", "broken.test", "dead.test", "outside.example",
            options=["--own-name", "relay.test", "--own-network", "127.0.0.99"])
        kinds = {name: plan["kind"] for name, plan in plans.items()}
        self.assertEqual(kinds, {
            "plain.test": "hosts", "many.test": "hosts", "implicit.test": "hosts",
            "six.test": "hosts", "null.test": "null mx", "nothing.test": "no address",
            "nowhere.test": "no such domain", "alias.test": "hosts",
            "www.whole-alias.test": "hosts", "dangling.test": "hosts",
            "all-dangling.test": "no address", "address.test": "invalid", "us.test": "hosts",
            "us-first.test": "self", "our-address.test": "self", "zero.test": "hosts",
            "large.test": "hosts", "broken.test": "temporary", "dead.test": "temporary",
            "outside.example": "temporary"}, plans)
        self.assertEqual(self.hosts(plans["plain.test"]),
                         [(10, "mx.plain.test", ["::1", "127.0.0.2"])])
        self.assertEqual(self.hosts(plans["many.test"]),
                         [(10, "a.many.test", ["127.0.0.2"]), (20, "b.many.test", ["127.0.0.3"]),
                          (20, "c.many.test", ["127.0.0.4"])])
        self.assertEqual(self.hosts(plans["implicit.test"]), [(0, "implicit.test", ["127.0.0.5"])])
        self.assertTrue(plans["implicit.test"]["implicit"])
        self.assertEqual(self.hosts(plans["alias.test"]),
                         [(10, "mail.alias.test", ["::1", "127.0.0.2"])])
        self.assertEqual(self.hosts(plans["www.whole-alias.test"]),
                         self.hosts(plans["many.test"]))
        self.assertEqual(self.hosts(plans["dangling.test"]),
                         [(10, "gone.dangling.test", []),
                          (20, "there.dangling.test", ["127.0.0.2"])])
        self.assertEqual([h["name"] for h in plans["us.test"]["hosts"]], ["mx.plain.test"])
        self.assertEqual(len(plans["large.test"]["hosts"]), 30)
        self.assertEqual(plans["large.test"]["hosts"][29]["addresses"], ["127.0.1.30"])
        self.assertIn("answered SERVFAIL", plans["broken.test"]["reason"])
        self.assertLessEqual(plans["plain.test"]["valid_s"], 60)
        self.assertLessEqual(plans["zero.test"]["valid_s"], 5)

    def test_hundreds_of_domains_at_once(self):
        names = Names(self)
        for i in range(DOMAINS):
            names.zone(f"d{i}.test",
                       f"@ MX 10 mx\n@ MX 20 mx.shared.test.\nmx A 127.1.{i // 200}.{i % 200 + 1}")
        names.zone("shared.test", "mx A 127.0.0.9")
        names.start()
        plans = self.probe([names.address], *[f"d{i}.test" for i in range(DOMAINS)])
        for i in range(DOMAINS):
            self.assertEqual(self.hosts(plans[f"d{i}.test"]),
                             [(10, f"mx.d{i}.test", [f"127.1.{i // 200}.{i % 200 + 1}"]),
                              (20, "mx.shared.test", ["127.0.0.9"])])

    def test_answers_change(self):
        names = Names(self)
        names.zone("moving.test", "@ MX 10 mx\nmx A 127.0.0.2")
        names.start()
        plan = self.probe([names.address], "moving.test")["moving.test"]
        self.assertEqual(self.hosts(plan), [(10, "mx.moving.test", ["127.0.0.2"])])
        names.zone("moving.test", "@ MX 5 other\nother A 127.0.0.3")
        names.reload()
        plan = self.probe([names.address], "moving.test")["moving.test"]
        self.assertEqual(self.hosts(plan), [(5, "other.moving.test", ["127.0.0.3"])])

    def test_resolver_dies_and_returns(self):
        names = Names(self)
        names.zone("plain.test", "@ MX 10 mx\nmx A 127.0.0.2")
        names.start()
        names.stop_unbound()
        plan = self.probe([names.address], "plain.test")["plain.test"]
        self.assertEqual(plan["kind"], "temporary")
        self.assertIn("refused the connection", plan["reason"])
        names.start_unbound()
        self.assertEqual(self.probe([names.address], "plain.test")["plain.test"]["kind"], "hosts")

    def test_the_second_server_when_the_first_is_of_no_use(self):
        names = Names(self)
        names.zone("plain.test", "@ MX 10 mx\nmx A 127.0.0.2")
        names.start()
        silent = WrongServer(self, None)
        refusing = WrongServer(self, 5)
        nobody = f"127.0.0.1:{free_port()}"
        for first in (silent.address, refusing.address, nobody):
            plan = self.probe([first, names.address], "plain.test")["plain.test"]
            self.assertEqual(plan["kind"], "hosts", plan)
        self.assertGreater(silent.questions, 0)
        self.assertGreater(refusing.questions, 0)

    def test_hosts_of_a_route(self):
        names = Names(self)
        names.zone("plain.test", "mx A 127.0.0.2")
        names.start()
        plans = self.probe([names.address], "mx.plain.test", "127.0.0.7", "gone.plain.test",
                           options=["--hosts"])
        self.assertEqual(self.hosts(plans["mx.plain.test"]), [(0, "mx.plain.test", ["127.0.0.2"])])
        self.assertEqual(self.hosts(plans["127.0.0.7"]), [(0, "127.0.0.7", ["127.0.0.7"])])
        self.assertEqual(plans["gone.plain.test"]["kind"], "no address")


if __name__ == "__main__":
    unittest.main()
