"""`outbox clear` and `outbox reroute`: what they say, and a mass re-route in which the relay is
killed: every recipient is then old or new, and all of it arrives at a real Postfix, once."""

import json
import pathlib
import subprocess
import time

import peers
from harness import BIN, Scenario, free_port, main, route, wait_until

HELLO = b"Subject: x\r\n\r\nhi\r\n"
PERIODS = {"retry": "1h", "notify_after": "never", "retry_until": "2d"}
MESSAGES = 400


class Reroute(Scenario):
    def send(self, relay, recipients, sender="alice@client.test", content=HELLO):
        client = relay.client()
        code, text = client.deliver(recipients, content, sender)
        client.close()
        self.assertEqual(code, 250, text)
        return text.split()[-1]

    def refused(self, relay, code, words, *arguments):
        done = relay.cli(*arguments, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(words, done.stderr)

    def test_mistakes_are_told(self):
        relay = self.outbox('[[route]]\nname = "never"\nmatch = ["no.test"]\nvia = "discard"\n' +
                            route(free_port(), **PERIODS))
        self.send(relay, ["bob@dead.test"])
        self.refused(relay, 2, "an ID, a filter such as --domain, or --all", "clear")
        self.refused(relay, 2, "an ID, a filter such as --domain, or --all", "reroute", "--to",
                     "a@b.test")
        self.refused(relay, 2, "excludes", "reroute", "--all", "--via", "a.test", "--via-route",
                     "x")
        self.refused(relay, 1, '"nobody" is no address: column', "reroute", "--all", "--to",
                     "nobody")
        self.refused(relay, 1, 'the null return path is "<>"', "reroute", "--all", "--from", "x@")
        self.refused(relay, 1, 'is no host: expected for example', "reroute", "--all", "--via",
                     "a b")
        self.refused(relay, 1, "is this relay: the mail would come back", "reroute", "--all",
                     "--via", f"127.0.0.1:{relay.port}")
        self.refused(relay, 1, 'there is no route "nowhere"; there are mx', "reroute", "--all",
                     "--via-route", "nowhere")
        self.refused(relay, 1, "sends no mail", "reroute", "--all", "--via-route", "never")
        done = relay.cli("reroute", "--domain", "other.test", "--to", "a@b.test", check=False)
        self.assertEqual((done.returncode, done.stdout), (1, "nothing in the queue matches\n"))
        done = relay.cli("reroute", "--all", "--to", "a@b.test", "--dry-run")
        self.assertEqual(done.stdout, "1 recipient matches; nothing done\n")
        self.assertEqual(relay.cli("clear", "--all", "--dry-run").stdout,
                         "1 recipient matches; nothing done\n")
        self.assertEqual([one["recipient"] for one in relay.queue()], ["bob@dead.test"])

    def test_a_message_and_its_story(self):
        sink = self.receiver()
        relay = self.outbox(route(sink.port, match="here.test", name="here", **PERIODS) +
                            route(free_port(), name="dead", **PERIODS))
        first = self.send(relay, ["bob@dead.test", "carol@dead.test"])
        wait_until(lambda: sum(one["attempts"] for one in relay.queue()) == 2, "an attempt")
        done = relay.cli("reroute", first, "--to", "dave@dead.test", "--from", "ops@client.test")
        self.assertEqual(done.stdout, "2 recipients re-routed; in their place 1 recipient\n")
        [line] = relay.queue()
        self.assertEqual((line["sender"], line["recipient"]), ("ops@client.test", "dave@dead.test"))
        second = line["id"]
        self.assertIn(f"re-routed from  {first}, alice@client.test -> "
                      "bob@dead.test carol@dead.test", relay.cli("why", second).stdout)
        why = json.loads(relay.cli("why", second, "--json").stdout)
        self.assertEqual(why["recipients"][0]["original"],
                         {"id": first, "sender": "alice@client.test", "count": 2,
                          "recipients": ["bob@dead.test", "carol@dead.test"]})
        # The spool has it, too.
        relay.stop()
        shown = subprocess.run([str(BIN / "spoolcat"), "list", str(relay.spool)],
                               capture_output=True, text=True, timeout=60).stdout
        self.assertIn(f"re-routed from {first} <alice@client.test> -> <bob@dead.test> "
                      "<carol@dead.test>", shown)
        relay.start()
        done = relay.cli("reroute", second)
        self.assertEqual(done.stdout, "1 recipient re-routed; in their place 2 recipients\n")
        self.assertEqual(sorted(one["recipient"] for one in relay.queue()),
                         ["bob@dead.test", "carol@dead.test"])
        # Through another route: the message stays what it is, and goes.
        third = relay.queue()[0]["id"]
        done = relay.cli("reroute", third, "--recipient", "bob@*", "--via-route", "here")
        self.assertEqual(done.stdout, "1 recipient re-routed\n")
        sink.wait_for(1)
        wait_until(lambda: len(relay.queue()) == 1, "the other one alone")
        self.assertEqual(relay.cli("clear", third).stdout,
                         "1 recipient routed by the routes of today, and going now\n")
        relay.cli("reroute", "--all", "--via", f"127.0.0.1:{sink.port}")
        sink.wait_for(2)
        stats = relay.wait_for_stats("an empty queue", queued=0)
        # One recipient was there when it started; two went back into the place of that one.
        self.assertEqual([stats[name + "_total"] for name in ("recovered", "generated", "removed",
                                                             "delivered")], [1, 2, 1, 2])
        report = subprocess.run(
            [str(BIN / "outbox"), "report", first, "--log", str(relay.log)],
            capture_output=True, text=True, timeout=60).stdout
        self.assertIn(f"went on as {second}", report)
        self.assertRegex(report, rf"rerouted as {second} .*bob@dead\.test")
        self.assertRegex(report, rf"resubmitted {second} in place of {first}")

    def test_killed_in_the_middle(self):
        postfix = peers.Postfix(self)
        relay = self.outbox(route(postfix.port, match="postfix.test", **PERIODS) +
                            route(free_port(), **PERIODS))
        client = relay.client()
        client.ehlo()
        for number in range(MESSAGES):
            code, text = client.deliver([f"r{number}@old.test"],
                                        b"Subject: number %d\r\n\r\nhello\r\n" % number,
                                        f"s{number}@client.test", ehlo=False)
            self.assertEqual(code, 250, text)
        client.close()
        for there in (True, False, True, False):
            what = (["--domain", "old.test", "--to", "other@new.test"] if there
                    else ["--domain", "new.test"])
            command = self.spawn([BIN / "outbox", "--control", relay.control, "reroute", *what],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.03)
            relay.kill()
            command.wait(60)
            relay.start()
            wait_until(relay.recovered, "the whole queue")
            lines = relay.queue()
            self.assertEqual(sorted(one["sender"] for one in lines),
                             sorted(f"s{number}@client.test" for number in range(MESSAGES)))
            for one in lines:
                number = one["sender"][1:].split("@")[0]
                self.assertIn(one["recipient"], (f"r{number}@old.test", "other@new.test"))
            fresh = sum(one["recipient"] == "other@new.test" for one in lines)
            print(f"{fresh} of {MESSAGES} new when it was killed", flush=True)
            relay.cli("reroute", *what, check=False)
        relay.cli("reroute", "--all", "--to", "known@postfix.test")
        relay.wait_for_stats("everything at Postfix", queued=0, delivered_total=MESSAGES)
        wait_until(lambda: len(postfix.files()) == MESSAGES, "a file for each message")
        texts = [pathlib.Path(one).read_bytes() for one in postfix.files()]
        numbers = sorted(int(text.split(b"Subject: number ")[1].split()[0]) for text in texts)
        self.assertEqual(numbers, list(range(MESSAGES)))
        self.assertEqual(relay.queue(), [])


if __name__ == "__main__":
    main()
