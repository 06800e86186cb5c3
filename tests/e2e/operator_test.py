"""The operator's commands: what they show, and what they do to mail that waits and mail that is
being sent."""

import json
import socket
import threading
import time

from harness import Receiver, Scenario, free_port, main, route, wait_until

PERIODS = {"retry": "1h", "notify_after": "never", "retry_until": "2d"}


def lines(done):
    return done.stdout.splitlines()


class Operator(Scenario):
    def relay_with_dead_host(self):
        """Mail for *.test goes to a host that is not there."""
        return self.outbox(route(free_port(), **PERIODS))

    def send(self, relay, recipients, sender="alice@client.test"):
        client = relay.client()
        code, text = client.deliver(recipients, b"Subject: x\r\n\r\nhello\r\n", sender)
        client.close()
        self.assertEqual(code, 250, text)
        return text.split()[-1]

    def wait_deferred(self, relay, count):
        wait_until(lambda: len([one for one in relay.queue() if one["attempts"] > 0]) == count,
                   f"{count} deferred recipients")

    def filtered(self, relay, *arguments):
        done = relay.cli("queue", "--json", *arguments)
        return sorted(json.loads(line)["recipient"] for line in done.stdout.splitlines())

    def test_one_message_for_a_thousand_destinations(self):
        # No name server answers: every domain is a destination that waits.
        relay = self.outbox(f'[resolver]\nservers = ["127.0.0.1:{free_port()}"]\n')
        everybody = sorted(f"a@d{i}.test" for i in range(1000))
        message = self.send(relay, everybody)
        self.assertEqual(self.filtered(relay), everybody)
        why = json.loads(relay.cli("why", message, "--json").stdout)
        self.assertEqual(sorted(one["recipient"] for one in why["recipients"]), everybody)
        self.assertEqual({one["route"] for one in why["recipients"]}, {"mx"})
        self.assertEqual(sorted(one["destination"] for one in why["destinations"]),
                         sorted("mx:" + one[2:] for one in everybody))
        self.assertEqual(relay.cli("why", message).stdout.count("\ndestination mx:d"), 1000)
        # A reader that takes its time gets all of it, too.
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(relay.control))
            client.sendall(b'{"command":"why","id":"%s"}\n' % message.encode() * 3)
            wait_until(lambda: relay.stats()["queued"] == 1000, "another answer")
            with client.makefile() as answers:
                for _ in range(3):
                    self.assertEqual(len(json.loads(answers.readline())["recipients"]), 1000)
        relay.cli("remove", message)
        self.assertEqual(relay.queue(), [])
        relay.check_ledger()

    def test_the_queue_by_filters(self):
        busy = self.receiver(on_rcpt=lambda address: "450 4.2.1 mailbox busy")
        relay = self.outbox(route(busy.port, match="busy.test", **PERIODS) +
                            route(free_port(), **PERIODS))
        first = self.send(relay, ["bob@busy.test", "carol@dead.test"])
        self.wait_deferred(relay, 2)
        self.send(relay, ["dave@dead.test"], sender="news@lists.test")
        self.send(relay, ["erin@busy.test"], sender="")
        self.wait_deferred(relay, 3)  # dave waits for the end of the backoff of his host
        everybody = ["bob@busy.test", "carol@dead.test", "dave@dead.test", "erin@busy.test"]
        self.assertEqual(self.filtered(relay), everybody)
        self.assertEqual(self.filtered(relay, first), everybody[:2])
        self.assertEqual(self.filtered(relay, first.lower()), everybody[:2])
        self.assertEqual(self.filtered(relay, "--domain", "BUSY.test"), everybody[::3])
        self.assertEqual(self.filtered(relay, "--domain", "*.test"), everybody)
        self.assertEqual(self.filtered(relay, "--recipient", "d*@dead.test"), ["dave@dead.test"])
        self.assertEqual(self.filtered(relay, "--sender", "*@lists.test"), ["dave@dead.test"])
        self.assertEqual(self.filtered(relay, "--sender", "<>"), ["erin@busy.test"])
        self.assertEqual(self.filtered(relay, "--mailhost", f"127.0.0.1:{busy.port}"),
                         everybody[::3])
        self.assertEqual(self.filtered(relay, "--state", "ready"), ["dave@dead.test"])
        self.assertEqual(self.filtered(relay, "--state", "ready,deferred"), everybody)
        self.assertEqual(self.filtered(relay, "--state", "sending,held"), [])
        self.assertEqual(self.filtered(relay, "--older-than", "1h"), [])
        self.assertEqual(self.filtered(relay, "--younger-than", "1h"), everybody)
        table = lines(relay.cli("queue", "--domain", "busy.test"))
        self.assertRegex(table[0], r"^ID +STATE +AGE +TRIES +NEXT TRY +SENDER +RECIPIENT +MAILHOST"
                                   r" +LAST REPLY")
        self.assertEqual(len(table), 3)
        self.assertRegex(table[1], r"deferred .* 1 +in (59m|1h0).*450 4\.2\.1 mailbox busy")

    def test_the_queue_in_order_and_in_numbers(self):
        busy = self.receiver(on_rcpt=lambda address: "450 4.2.2 mailbox full"
                             if address.startswith("f") else "451 4.7.1 greylisted")
        relay = self.outbox(route(busy.port, match="busy.test", name="to-busy", **PERIODS) +
                            route(free_port(), **PERIODS))
        self.send(relay, ["frank@busy.test", "erin@busy.test"])
        self.send(relay, ["dave@dead.test"], sender="news@lists.test")
        self.wait_deferred(relay, 3)
        first = self.send(relay, ["full@busy.test"], sender="")
        self.wait_deferred(relay, 4)
        self.assertEqual(self.filtered(relay, "--reply", "MAILBOX full"),
                         ["frank@busy.test", "full@busy.test"])
        self.assertEqual(self.filtered(relay, "--route", "to-*", "--sender", "*@*"),
                         ["erin@busy.test", "frank@busy.test"])
        self.assertEqual(self.filtered(relay, "--size-over", "1MiB"), [])
        self.assertEqual(len(self.filtered(relay, "--size-under", "1MiB")), 4)
        done = relay.cli("queue", "--sort", "recipient:desc", "--limit", "2", "--columns",
                         "recipient,route")
        self.assertEqual([one.split() for one in lines(done)],
                         [["RECIPIENT", "ROUTE"], ["full@busy.test", "to-busy"],
                          ["frank@busy.test", "to-busy"]])
        self.assertIn("2 of 4 shown", done.stderr)
        youngest = relay.cli("queue", "--sort", "age", "--limit", "1", "--json")
        self.assertEqual(json.loads(youngest.stdout)["id"], first)
        self.assertEqual(len(lines(relay.cli("queue", "--limit", "3", "--json"))), 3)
        self.assertEqual(relay.cli("queue", "--count", "--domain", "busy.test").stdout, "3\n")
        table = lines(relay.cli("queue", "--by", "domain"))
        print(*table, sep="\n")
        self.assertEqual([one.split()[0] + " " + one.split()[-1] for one in table],
                         ["RECIPIENTS DOMAIN", "3 busy.test", "1 dead.test", "4 (all)"])
        groups = [json.loads(one) for one in lines(relay.cli("queue", "--by", "reply", "--json"))]
        self.assertEqual([(one["recipients"], one["group"][:20]) for one in groups[:-1]],
                         [(2, "450 4.2.2 mailbox fu"), (1, "4.4.1 connect to 127"),
                          (1, "451 4.7.1 greylisted")])
        self.assertEqual((groups[-1]["recipients"], groups[-1]["groups"]), (4, 3))
        shape = [one.split() for one in lines(relay.cli("queue", "--shape"))]
        self.assertEqual([row[:3] for row in shape],
                         [["T", "5", "10"], ["TOTAL", "4", "4"], ["busy.test", "3", "3"],
                          ["dead.test", "1", "1"]])
        self.assertEqual(relay.cli("queue", "--columns", "id", "--json", first).stdout,
                         '{"id":"%s"}\n' % first)

    def test_why_a_recipient_waits(self):
        busy = self.receiver(on_rcpt=lambda address: "451 4.7.1 greylisted")
        relay = self.outbox(route(busy.port, match="busy.test", name="to-busy", **PERIODS) +
                            route(free_port(), match="other.test", **PERIODS) +
                            route(free_port(), **PERIODS))
        ids = [self.send(relay, ["bob@busy.test", "carol@busy.test"]) for _ in range(2)]
        self.send(relay, ["dave@dead.test"])
        self.wait_deferred(relay, 5)
        text = relay.cli("why", "Bob@busy.test").stdout
        print(text)
        for message in ids:
            self.assertIn(f"message {message} from alice@client.test", text)
        self.assertNotIn("carol", text)
        facts = json.loads(relay.cli("why", "bob@busy.test", "--json").stdout)
        self.assertEqual([one["cause"] for one in facts["recipients"]], ["retry", "retry"])
        self.assertGreater(facts["recipients"][0]["lifted_at"], time.time() + 1800)
        # His own time is later than that of his host, which is left alone for minutes.
        dead = json.loads(relay.cli("why", "dave@dead.test", "--json").stdout)
        self.assertEqual(dead["recipients"][0]["cause"], "retry")
        self.assertEqual(dead["destinations"][0]["cause"], "backoff")
        nobody = relay.cli("why", "nobody@dead.test", check=False)
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("nothing is queued for nobody@dead.test", nobody.stdout)
        self.assertIn("held up by      the host was not well", nobody.stdout)
        # Nothing ever went there: no site, and so no "0 of at most 0".
        self.assertIn("connections     none yet", relay.cli("why", "other.test").stdout)
        for part, words in ((ids[0][:8], "a message id has 13 characters, and this has 8"),
                            (ids[0] + "0", "has 14")):
            done = relay.cli("why", part, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(words, done.stderr + done.stdout)

    def test_what_cannot_be_asked(self):
        relay = self.relay_with_dead_host()
        for arguments, words in (
                (["queue", "--state", "lost"], "expected one of unrouted resolving ready sending"),
                (["queue", "NOTANID"], "expected a message id"),
                (["why", "not a domain"], "expected a domain")):
            done = relay.cli(*arguments, check=False)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertIn(words, done.stderr)
        for arguments in (["retry"], ["remove"], ["why"], ["queue", "--older-than", "soon"]):
            self.assertEqual(relay.cli(*arguments, check=False).returncode, 2, arguments)

    def test_why_a_message_waits(self):
        busy = self.receiver(on_rcpt=lambda address: "451 4.7.1 greylisted")
        relay = self.outbox(route(busy.port, match="busy.test", name="to-busy", **PERIODS) +
                            route(free_port(), **PERIODS))
        message = self.send(relay, ["bob@busy.test", "carol@dead.test"])
        self.wait_deferred(relay, 2)
        text = relay.cli("why", message).stdout
        print(text)
        self.assertIn(f"message {message} from alice@client.test", text)
        self.assertRegex(text, r"bob@busy\.test\n +state +deferred, for ")
        self.assertRegex(text, r"held up by +the last attempt failed.*\n +lifted by .*retry.*\n"
                               r" +at +.*in (59m|1h0)")
        self.assertIn(f"127.0.0.1:{busy.port} said: 451 4.7.1 greylisted", text)
        self.assertRegex(text, r"route +to-busy \(via:127\.0\.0\.1:")
        self.assertRegex(text, r"sender is told +never")
        self.assertRegex(text, r"given up +.*in (1d23h|2d00h)")
        self.assertRegex(text, r"failed attempts.*\n +TIME +ID")
        facts = json.loads(relay.cli("why", "--json", message).stdout)
        self.assertEqual([one["waits_for"] for one in facts["recipients"]], ["retry", "retry"])
        self.assertEqual({one["recipient"] for one in facts["trail"]}, {"bob@busy.test", None})
        self.assertFalse(facts["trail_forgotten"])
        text = relay.cli("why", "dead.test").stdout
        print(text)
        self.assertRegex(text, r"held up by +the host was not well.* after 1 failure in a row")
        gone = relay.cli("why", "0000000000001", check=False)
        self.assertEqual(gone.returncode, 1)
        self.assertIn("is not queued", gone.stdout)

    def test_retry_hurries_mail_and_its_destination(self):
        port = free_port()
        relay = self.outbox(route(port, **PERIODS))
        for i in range(3):
            self.send(relay, [f"u{i}@dead.test"])
        # The first one has failed; the others wait behind it for the end of the backoff.
        wait_until(lambda: any(one["attempts"] for one in relay.queue()), "a failed attempt")
        self.assertEqual(lines(relay.cli("retry", "--domain", "other.test", check=False)),
                         ["nothing in the queue matches"])
        receiver = Receiver(port=port)
        self.addCleanup(receiver.close)
        time.sleep(0.2)
        self.assertEqual(receiver.connections, 0)
        print(relay.cli("retry", "--domain", "dead.test").stdout)
        receiver.wait_for(3)
        relay.wait_for_stats("the empty queue", queued=0, delivered_total=3)
        relay.check_ledger()

    def test_retry_all_and_by_id(self):
        answer = ["450 4.2.0 not now"]
        receiver = self.receiver(on_rcpt=lambda address: answer[0])
        relay = self.outbox(route(receiver.port, **PERIODS))
        ids = [self.send(relay, [f"u{i}@later.test"]) for i in range(3)]
        self.wait_deferred(relay, 3)
        answer[0] = None
        self.assertEqual(lines(relay.cli("retry", ids[0])),
                         ["1 recipient waits no longer; where the host had failed, one message "
                          "goes first"])
        receiver.wait_for(1)
        relay.wait_for_stats("one delivered", queued=2)
        self.assertEqual(lines(relay.cli("retry", "--all")),
                         ["2 recipients wait no longer; where the host had failed, one message "
                          "goes first"])
        relay.wait_for_stats("the empty queue", queued=0, delivered_total=3)

    def test_remove_what_waits(self):
        relay = self.relay_with_dead_host()
        message = self.send(relay, ["bob@dead.test", "carol@dead.test"])
        other = self.send(relay, ["dave@dead.test"])
        wait_until(lambda: len(relay.queue()) == 3, "three recipients in the queue")
        self.assertEqual(lines(relay.cli("remove", message, "--recipient", "bob@*")),
                         ["1 recipient removed"])
        self.assertEqual(self.filtered(relay), ["carol@dead.test", "dave@dead.test"])
        self.assertEqual(lines(relay.cli("remove", message)), ["1 recipient removed"])
        again = relay.cli("remove", message, check=False)
        self.assertEqual((again.returncode, lines(again)), (1, ["nothing in the queue matches"]))
        stats = relay.stats()
        self.assertEqual((stats["removed_total"], stats["queued"], stats["generated_total"]),
                         (2, 1, 0))
        relay.check_ledger()
        # It stays removed.
        relay.stop()
        relay.start()
        wait_until(lambda: self.filtered(relay) == ["dave@dead.test"], "the rest of the queue")
        self.assertEqual(self.filtered(relay, other), ["dave@dead.test"])

    def test_remove_while_it_is_being_sent(self):
        """The attempt in flight has the last word about whom it delivers."""
        at_rcpt, go_on = threading.Event(), threading.Event()

        def on_rcpt(address):
            at_rcpt.set()
            go_on.wait(20)
            return "450 4.2.0 later" if address.startswith("bob") else None
        receiver = self.receiver(on_rcpt=on_rcpt)
        relay = self.outbox(route(receiver.port, **PERIODS))
        message = self.send(relay, ["bob@slow.test", "carol@slow.test"])
        self.assertTrue(at_rcpt.wait(20))
        outcome = []
        waiting = threading.Thread(
            target=lambda: outcome.append(relay.cli("remove", message)))
        waiting.start()
        wait_until(lambda: "sending" in relay.cli("queue").stdout, "the attempt to be shown")
        time.sleep(0.3)
        self.assertEqual(relay.stats()["removed_total"], 0)
        go_on.set()
        waiting.join()
        self.assertEqual(lines(outcome[0]), ["1 recipient removed; 1 had been delivered or "
                                             "returned before"])
        self.assertIn("2 recipients being sent at this moment", outcome[0].stderr)
        stats = relay.wait_for_stats("both final", queued=0)
        self.assertEqual((stats["delivered_total"], stats["removed_total"]), (1, 1))
        self.assertEqual([m.recipients for m in receiver.messages], [["carol@slow.test"]])
        relay.check_ledger()


if __name__ == "__main__":
    main()
