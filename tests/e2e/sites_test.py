"""Large mail hosts: a real Postfix that gets too much says so, and the relay goes slower until all
mail has arrived; an operator suspends a site, over a kill -9 as well; the file of large hosts."""

import json
import shutil
import subprocess

import peers
from harness import BIN, DEFAULT_CONFIG, ROOT, Scenario, main, route, wait_until

CONTENT = b"Subject: number %d\r\n\r\nhello\r\n"
LARGE_HOSTS = ROOT / "data" / "large-hosts.toml"


def site(**keys):
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()
                    if key != "on_reply")
    rules = ", ".join("{ " + ", ".join(f"{k} = {json.dumps(v)}" for k, v in rule.items()) + " }"
                      for rule in keys.get("on_reply", []))
    return "\n[[site]]\n" + lines + (f"on_reply = [{rules}]\n" if rules else "")


class Sites(Scenario):
    def send(self, relay, count, domain):
        client = relay.client()
        client.ehlo()
        for number in range(count):
            code, text = client.deliver([f"known@{domain}"], CONTENT % number, ehlo=False)
            self.assertEqual(code, 250, text)
        client.close()

    def sites(self, relay):
        lines = relay.cli("sites", "--json").stdout.splitlines()
        return {line["site"]: line for line in map(json.loads, lines)}

    def test_postfix_gets_too_much_mail(self):
        """Its anvil counts the messages of five seconds: 450 above twenty."""
        postfix = peers.Postfix(self, more="""
smtpd_client_message_rate_limit = 20
smtpd_client_event_limit_exceptions =
anvil_rate_time_unit = 5s
""")
        relay = self.outbox(
            site(name="slow", hosts="127.0.0.1", max_rate="200/s", max_connections=2,
                 on_reply=[{"pattern": "450 4.7.1 Error: too much mail", "phase": "mail",
                            "rate": "2/s", "for": "30s",
                            "example": "450 4.7.1 Error: too much mail from 127.0.0.1"}]) +
            route(postfix.port, match="postfix.test", retry="1s"))
        self.send(relay, 60, "postfix.test")
        slowed = wait_until(
            lambda: (lambda one: one if one and "rate_now" in one else None)(
                self.sites(relay).get("slow")), "the site to be slowed down")
        self.assertEqual((slowed["state"], slowed["rate_now"], slowed["max_rate"]),
                         ("slowed", "2/s", "200/s"))
        self.assertIn("450 4.7.1 Error: too much mail from 127.0.0.1", slowed["reply"])
        why = relay.cli("why", "postfix.test").stdout
        self.assertIn("said: 450 4.7.1 Error: too much mail", why)
        relay.wait_for_stats("all to be delivered", delivered_total=60, queued=0)
        wait_until(lambda: len(postfix.files()) == 60, "60 files in the Maildir")
        stats = relay.stats()
        self.assertGreaterEqual(stats["site_slowdowns_total"], 1)
        # It was not asked again and again: who was refused, and what was in hand then.
        self.assertLess(stats["deferred_total"], 40)
        events = [json.loads(line) for line in relay.log_text().splitlines() if "site_slow" in line]
        self.assertEqual(len(events), stats["site_slowdowns_total"])
        self.assertEqual((events[0]["site"], events[0]["rate"], events[0]["code"]),
                         ("slow", "2/s", 450))
        relay.check_ledger()

    def test_suspended_over_a_crash_and_resumed(self):
        receiver = self.receiver()
        other = self.receiver()
        place = f"127.0.0.1:{receiver.port}"
        relay = self.outbox(site(name="named", hosts="127.0.0.9", max_connections=3) +
                            route(receiver.port, match="slow.test", retry="1s") +
                            route(other.port, match="other.test", retry="1s"))
        said = relay.cli("suspend", "--site", place, "--reason", "their maintenance").stdout
        self.assertIn("is suspended until it is resumed", said)
        self.send(relay, 10, "slow.test")
        self.send(relay, 10, "other.test")
        other.wait_for(10)
        relay.kill()
        relay.start()
        wait_until(relay.recovered, "the queue to be known")
        self.send(relay, 5, "other.test")
        other.wait_for(15)
        self.assertEqual(receiver.connections, 0)
        wait_until(lambda: [line["state"] for line in relay.queue()] == ["ready"] * 10,
                   "ten that are ready")
        why = relay.cli("why", "slow.test").stdout
        self.assertIn("held up by      an operator has suspended it", why)
        self.assertIn("their maintenance", why)
        self.assertIn("their maintenance", relay.cli("suspended").stdout)
        for command in (["queue"], ["retry", "--all"]):
            self.assertEqual(relay.cli(*command).stderr,
                             "outbox: 1 suspension is in force: mail for what is suspended waits "
                             "(outbox suspended)\n")
            self.assertEqual(relay.cli(*command, "--json").stderr, "")
        row = self.sites(relay)[place]
        # Of the ten, the homes have let one or two out to wait there.
        self.assertEqual((row["state"], row["connections"]), ("suspended", 0))
        self.assertGreaterEqual(row["ready"], 1)
        self.assertEqual(relay.stats()["suspensions"], 1)
        # The domain's mail is part of what goes by its route.
        refused = relay.cli("suspend", "slow.test", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(f"outbox suspend --site '{place}'", refused.stderr)
        self.assertIn("expected one of named",
                      relay.cli("suspend", "--site", "nmaed", check=False).stderr)
        self.assertIn("resumed", relay.cli("resume", "--site", place).stdout)
        receiver.wait_for(10)
        self.assertEqual(relay.cli("resume", "--site", place, check=False).returncode, 1)
        self.assertEqual(relay.cli("suspended").stdout, "nothing is suspended\n")
        relay.wait_for_stats("nothing to be left", queued=0)

    def test_it_ends_by_itself(self):
        receiver = self.receiver()
        relay = self.outbox(route(receiver.port, match="slow.test", retry="1s"))
        relay.cli("suspend", "*", "--for", "1s")
        self.send(relay, 3, "slow.test")
        receiver.wait_for(3)
        relay.wait_for_log("its time is over")
        relay.check_ledger()

    def test_a_book_that_is_damaged_stops_the_start(self):
        relay = self.outbox(route(1, match="slow.test"))
        relay.cli("suspend", "example.net")
        relay.stop()
        book = relay.spool / "suspended.json"
        book.write_text(book.read_text().replace("example.net", "example.org"))
        with self.assertRaises(AssertionError):
            relay.start()
        relay.wait_for_log("suspended.json: is damaged")
        book.unlink()
        relay.start()
        self.assertEqual(relay.cli("suspended").stdout, "nothing is suspended\n")

    def test_the_file_of_large_hosts(self):
        """It is read, and its example replies are what its patterns are for."""
        receiver = self.receiver()
        shutil.copy(LARGE_HOSTS, self.dir / "hosts.toml")
        head = 'sites = "../hosts.toml"\n' + DEFAULT_CONFIG
        relay = self.outbox(site(name="google", hosts="*.google.com", max_connections=1) +
                            route(receiver.port, match="x.test"), head=head)
        names = relay.cli("suspend", "--site", "nothing", check=False).stderr
        for name in ("google", "outlook", "microsoft365", "yahoo", "apple", "gmx", "orange",
                     "comcast", "qq", "netease"):
            self.assertEqual(names.count(name), 1, names)
        # What is wrong with the file is said with its place, and nothing changes.
        broken = LARGE_HOSTS.read_text().replace("Too many sessions opened", "250 Fine")
        (self.dir / "hosts.toml").write_text(broken)
        line = broken[:broken.index('"421 250 Fine')].count("\n") + 1
        refused = relay.cli("reload", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(f'hosts.toml:{line}:5: "421 250 Fine" has none of the patterns',
                      refused.stderr)
        (self.dir / "hosts.toml").unlink()
        done = subprocess.run([BIN / "outboxd", "--check", "--config", relay.config],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 2)
        self.assertIn('outbox.toml:1:9: "../hosts.toml" cannot be read: No such file or directory',
                      done.stderr)


if __name__ == "__main__":
    main()
