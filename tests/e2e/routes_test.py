"""Routes: what a message is routed by, mail that is held, refused or thrown away by a route, where
`outbox route test` says it would go, and everything to a smart host (Postfix) with a backup."""

import json
import os
import subprocess

import peers
from harness import BIN, LISTENER, PATIENCE, Scenario, free_port, main, route, wait_until
from names import Names

MESSAGE = b"Subject: x\r\n\r\nhello\r\n"
SENDER = "alice@client.test"


def table(**keys):
    """A [[route]] with these keys."""
    return "\n[[route]]\n" + "".join(f"{key} = {json.dumps(value)}\n"
                                     for key, value in keys.items())


class Routes(Scenario):
    def send(self, relay, recipients, content=MESSAGE, sender=SENDER, source="127.0.0.1"):
        client = relay.client(source)
        code, text = client.deliver(recipients, content, sender)
        client.close()
        self.assertEqual(code, 250, text)
        return text.split()[-1]

    def held(self, relay):
        done = relay.cli("queue", "--json", "--state", "held")
        return sorted(json.loads(line)["recipient"] for line in done.stdout.splitlines())

    def where(self, relay, *arguments):
        return json.loads(relay.cli("route", "test", *arguments, "--json").stdout)

    def test_by_every_condition(self):
        wanted = {"vip": dict(recipient="vip@*.test"),
                  "news": dict(sender=["*@news.test", "<>"]),
                  "lab": dict(source="127.0.0.2/32", match="*.test"),
                  "bulk": dict(header=["X-Class: bulk*", "List-Id"]),
                  "large": dict(size="> 100KiB")}
        receivers = {name: self.receiver() for name in [*wanted, "rest"]}
        config = "".join(table(name=name, via=f"127.0.0.1:{receivers[name].port}", **keys)
                         for name, keys in wanted.items())
        relay = self.outbox(config + route(receivers["rest"].port),
                            listener=LISTENER.replace("127.0.0.1/32", "127.0.0.0/8"))
        large = MESSAGE + b"x" * 70 + b"\r\n"
        while len(large) < 300_000:
            large += b"x" * 70 + b"\r\n"
        self.send(relay, ["vip@a.test", "bob@a.test"])
        self.send(relay, ["bob@a.test"], sender="x@news.test")
        self.send(relay, ["bob@a.test"], sender="")
        self.send(relay, ["bob@a.test"], source="127.0.0.2")
        self.send(relay, ["bob@a.test"], b"x-class:\r\n Bulk mail\r\n" + MESSAGE)
        self.send(relay, ["bob@a.test"], large)
        self.send(relay, ["bob@a.test"], b"List-Id: x\r\n" + large)
        relay.wait_for_stats("all of it", queued=0, delivered_total=8)
        self.assertEqual({name: len(one.messages) for name, one in receivers.items()},
                         {"vip": 1, "news": 2, "lab": 1, "bulk": 2, "large": 1, "rest": 1})
        self.assertEqual(receivers["vip"].messages[0].recipients, ["vip@a.test"])
        relay.check_ledger()

    def test_refused_and_discarded(self):
        receiver = self.receiver()
        relay = self.outbox(table(match="closed.test", via='reject "Moved to open.test"') +
                            table(match="b.test", header="X-Class: bulk", via="reject No bulk") +
                            table(match="sink.test", via="discard") + route(receiver.port))
        client = relay.client()
        client.ehlo()
        client.say(f"MAIL FROM:<{SENDER}>")
        self.assertEqual(client.say("RCPT TO:<bob@closed.test>"),
                         (550, "5.7.1 Moved to open.test"))
        self.assertEqual(client.say("RCPT TO:<bob@b.test>")[0], 250)
        self.assertEqual(client.say("DATA")[0], 354)
        client.send(b"X-Class: bulk\r\n" + MESSAGE + b".\r\n")
        self.assertEqual(client.reply(), (550, "5.7.1 No bulk"))
        client.close()
        self.send(relay, ["a@sink.test", "b@sink.test", "bob@b.test"])
        relay.wait_for_stats("the rest", queued=0, accepted_total=3, discarded_total=2,
                             delivered_total=1, rejected_total=1, messages_refused_total=1)
        relay.check_ledger()
        relay.wait_for_log('"event":"discarded"')

    def test_held_by_a_route_over_a_restart_and_released(self):
        receiver = self.receiver()
        relay = self.outbox(table(name="quarantine", sender="*@bad.test", via="hold") +
                            route(receiver.port))
        message = self.send(relay, ["one@b.test", "two@b.test"], sender="x@bad.test")
        self.send(relay, ["good@b.test"])
        relay.wait_for_stats("the good one", delivered_total=1, queued=2)
        self.assertEqual(self.held(relay), ["one@b.test", "two@b.test"])
        why = relay.cli("why", message).stdout
        self.assertIn("held, for", why)
        self.assertIn("held up by      it is held by its route: quarantine\n"
                      "  lifted by       `outbox release`\n", why)
        self.assertEqual(json.loads(relay.cli("why", message, "--json").stdout)["recipients"][0]
                         ["held_by"], "route")
        self.assertIn("2 recipients are held", relay.cli("retry", "--all").stdout)
        self.assertEqual(relay.stop(), 0)
        relay.start()
        wait_until(lambda: len(self.held(relay)) == 2, "what was held")
        self.assertEqual(relay.cli("release", message, "--recipient", "two@*").stdout,
                         "1 recipient released\n")
        relay.wait_for_stats("one of them", delivered_total=1, queued=1)
        relay.kill()
        relay.start()
        wait_until(lambda: self.held(relay) == ["one@b.test"], "the other one")
        self.assertEqual(relay.cli("release", "--all").stdout, "1 recipient released\n")
        relay.wait_for_stats("the other one", queued=0)
        # What was delivered just before the kill may have come twice.
        self.assertEqual({one.recipients[0] for one in receiver.messages},
                         {"good@b.test", "one@b.test", "two@b.test"})

    def test_held_by_an_operator(self):
        port = free_port()
        relay = self.outbox(route(port, retry="1s", retry_until="2d"))
        self.send(relay, ["one@b.test", "two@b.test"])
        wait_until(lambda: all(one["attempts"] for one in relay.queue()), "an attempt")
        wait_until(lambda: "1 recipient held\n" == relay.cli(
            "hold", "--recipient", "one@*").stdout, "a hold between two attempts")
        wait_until(lambda: self.held(relay) == ["one@b.test"], "it to be held")
        message = relay.queue()[0]["id"]
        self.assertIn("held up by      it is held by an operator\n"
                      "  lifted by       `outbox release`\n", relay.cli("why", message).stdout)
        receiver = self.receiver(port=port)
        relay.wait_for_stats("the one that is not held", delivered_total=1, queued=1)
        self.assertEqual(self.held(relay), ["one@b.test"])
        done = relay.cli("release", "--sender", "nobody@*", check=False)
        self.assertEqual((done.returncode, done.stdout), (1, "nothing that is held matches\n"))
        relay.cli("release", message)
        relay.wait_for_stats("it", delivered_total=2, queued=0)
        self.assertEqual(len(receiver.messages), 2)
        for command in ("hold", "release"):
            self.assertEqual(relay.cli(command, check=False).returncode, 2)
        relay.check_ledger()

    def test_where_a_message_would_go(self):
        names = Names(self)
        names.zone("mx.test", "@ MX 20 b\n@ MX 10 a\na A 127.0.0.2\nb A 127.0.0.3\nb A 127.0.0.4")
        config = (f'\n[resolver]\nservers = ["{names.address}"]\n'
                  '\n[[site]]\nname = "small"\nhosts = "*.mx.test"\nmax_connections = 2\n'
                  'max_rate = "5/s"\n' +
                  table(name="quarantine", sender="*@bad.test", via="hold") +
                  table(name="bulk", header="X-Class: bulk", via="127.0.0.9:2525") +
                  table(name="large", match="mx.test", size="> 10MiB", via="reject Too large") +
                  "".join(table(match=f"d{i}.test", via="mx") for i in range(50)) +
                  table(match="mx.test", via="mx", port=2525, retry=["1m", "1h"],
                        retry_until="2d"))
        relay = self.outbox(config, start=False)
        names.start()
        relay.start()
        answer = self.where(relay, SENDER, "bob@mx.test")
        self.assertEqual((answer["route"], answer["number"], answer["action"]),
                         ("mx.test", 54, "send"))
        self.assertEqual(answer["destination"], "mx:mx.test:2525")
        self.assertFalse(answer["decided"])
        self.assertEqual([(one["host"], one["preference"], sorted(one["addresses"]))
                          for one in answer["hosts"]],
                         [("a.mx.test", 10, ["127.0.0.2"]),
                          ("b.mx.test", 20, ["127.0.0.3", "127.0.0.4"])])
        self.assertEqual(answer["site"]["name"], "small")
        self.assertEqual(answer["retry"], [60, 3600])
        self.assertEqual([one["route"] for one in answer["passed"][:3]],
                         ["quarantine", "bulk", "large"])
        self.assertEqual((len(answer["passed"]), answer["passed_left_out"]), (20, 33))
        text = relay.cli("route", "test", SENDER, "bob@mx.test", "--size", "1KiB",
                         "--header", "X-Class: none", "--header", "Subject: x").stdout
        print(text)
        for words in ("route       mx.test, number 54 of 54", "hosts       MX 10 a.mx.test:2525",
                      "limits      2 connections, 5/s, of the site small",
                      "retry       after 1m00s, then every 1h00m", "give up     after 2d00h",
                      "1 quarantine: the sender is not *@bad.test",
                      "2 bulk: there is no header field X-Class: bulk",
                      "3 large: the size 1KiB is not > 10MiB",
                      "4 d0.test: the recipient's domain is not d0.test",
                      "and 33 more that do not match"):
            self.assertIn(words, text)
        self.assertIn("held until it is released",
                      relay.cli("route", "test", "x@bad.test", "bob@mx.test").stdout)
        self.assertIn("refused: 550 5.7.1 Too large",
                      relay.cli("route", "test", "<>", "bob@mx.test", "--size", "11MiB",
                                "--header", "Subject: x").stdout)
        bulk = self.where(relay, SENDER, "bob@d1.test", "--header", "X-Class: Bulk")
        self.assertEqual((bulk["route"], bulk["hosts"][0]["addresses"]), ("bulk", ["127.0.0.9"]))
        gone = self.where(relay, SENDER, "bob@no-such.test")
        self.assertEqual((gone["route"], gone["hosts"]), ("mx", []))
        self.assertIn("does not exist", gone["trouble"])
        self.assertEqual(relay.queue(), [])
        self.by_a_file(relay, config)

    def by_a_file(self, relay, config):
        other = self.dir / "other.toml"
        other.write_text(relay.config.read_text().replace('"2d"', '"3d"'))
        answer = self.where(relay, SENDER, "bob@mx.test", "--config", str(other))
        self.assertEqual((answer["retry_until"], len(answer["hosts"])), (259200, 2))
        self.assertEqual(self.where(relay, SENDER, "bob@mx.test")["retry_until"], 172800)
        relay.stop()
        answer = self.where(relay, SENDER, "bob@mx.test", "--config", str(other))
        self.assertEqual(answer["route"], "mx.test")
        self.assertIn("no outboxd could be asked", answer["trouble"])
        done = relay.cli("route", "test", SENDER, "bob@mx.test", check=False)
        self.assertEqual(done.returncode, 3)
        other.write_text("hostname = 5\n")
        done = relay.cli("route", "test", SENDER, "b@mx.test", "--config", str(other), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("other.toml:1:12: ", done.stderr)

    def test_from_an_address_of_its_own(self):
        receiver = self.receiver()
        relay = self.outbox(table(sender="*@news.test", via=f"127.0.0.1:{receiver.port}",
                                  bind="127.0.0.7") +
                            table(match="*", via=f"127.0.0.1:{receiver.port}"))
        self.send(relay, ["bob@a.test"], sender="x@news.test")
        self.send(relay, ["bob@a.test"])
        relay.wait_for_stats("both", delivered_total=2, queued=0)
        self.assertEqual({one.sender: one.client for one in receiver.messages},
                         {"x@news.test": "127.0.0.7", SENDER: "127.0.0.1"})

    def test_what_would_go_unprotected_is_refused(self):
        secret = self.dir / "secret"
        secret.write_text("hunter2\n")
        secret.chmod(0o600)
        open_secret = self.dir / "open"
        open_secret.write_text("hunter2\n")
        open_secret.chmod(0o644)
        environment = {**os.environ, "RELAY_SECRET": "hunter2"}

        def check(**keys):
            relay = self.outbox(table(match="*", via="127.0.0.9", **keys), start=False)
            command = [str(BIN / "outboxd"), "--check", "--config", str(relay.config)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE,
                                  env=environment)
            self.assertNotIn("hunter2", done.stdout + done.stderr)
            return done.returncode, done.stderr
        for mode in ("none", "opportunistic", "required", "implicit"):
            self.assertEqual(check(tls=mode), (0, ""))
        for keys in (dict(auth_secret_file=str(secret)), dict(auth_secret_env="RELAY_SECRET")):
            self.assertEqual(check(auth_user="me", **keys), (0, ""))
        for keys, words in (
                (dict(auth_secret_file=str(open_secret)), "open to everybody on this machine"),
                (dict(auth_secret_file=str(self.dir / "missing")), "No such file"),
                (dict(auth_secret_file=str(self.dir)), "is no file"),
                (dict(auth_secret_file="/dev/null"), "is no file"),
                (dict(auth_secret_env="NOT_THERE"), "is not in the environment")):
            code, errors = check(auth_user="me", **keys)
            self.assertEqual(code, 2)
            self.assertIn(words, errors)

    def test_a_smart_host_and_its_backup(self):
        backup = self.receiver()
        postfix = peers.Postfix(self)
        relay = self.outbox("[[route]]\n"
                            'match = "*"\n'
                            f'via   = ["127.0.0.1:{postfix.port}", "127.0.0.1:{backup.port}"]\n')
        for number in range(5):
            self.send(relay, ["known@postfix.test"])
        relay.wait_for_stats("the smart host to take it", delivered_total=5, queued=0)
        wait_until(lambda: len(postfix.files()) == 5, "five files in the Maildir")
        self.assertEqual(backup.messages, [])
        peers.terminate(postfix.process)
        for number in range(5):
            self.send(relay, ["known@postfix.test"])
        relay.wait_for_stats("its backup to take the rest", delivered_total=10, queued=0)
        self.assertEqual(len(backup.messages), 5)
        relay.check_ledger()


if __name__ == "__main__":
    main()
