"""The event log as an operator follows it: every step of a message under one id, and what was said
when an attempt failed."""

import json
import subprocess
import threading

from harness import BIN, PATIENCE, Scenario, main, route, wait_until


class Follower:
    """`outbox log --follow`, read line by line."""

    def __init__(self, scenario, relay, *arguments):
        self.process = scenario.spawn(
            [BIN / "outbox", "--control", relay.control, "log", "--follow", *arguments],
            stdout=subprocess.PIPE, text=True)
        self.lines = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def events(self):
        return [json.loads(line) for line in self.lines]

    def wait_for(self, event):
        wait_until(lambda: any(one["event"] == event for one in self.events()), event)


class Log(Scenario):
    def send(self, relay, recipients, sender="alice@client.test"):
        client = relay.client()
        code, text = client.deliver(recipients, b"Subject: x\r\n\r\nhello\r\n", sender)
        client.close()
        self.assertEqual(code, 250, text)
        return text.split()[-1]

    def follow(self, relay, *arguments):
        """A follower, once it is one."""
        follower = Follower(self, relay, *arguments)

        def heard():
            self.send(relay, ["probe@probe.test"], "")
            return follower.lines
        if not arguments or arguments == ("--json",):
            wait_until(heard, "the follower to follow")
        return follower

    def test_every_step_of_a_message(self):
        answers = ["451 4.7.1 greylisted", None]
        receiver = self.receiver(
            on_rcpt=lambda a: "550 5.1.1 nobody" if a.startswith("no")
            else answers.pop(0) if answers and a.startswith("bob") else None)
        relay = self.outbox(route(receiver.port, name="out", retry="1s"))
        follower = self.follow(relay, "--json")
        message = self.send(relay, ["bob@a.test", "nobody@a.test"])
        relay.wait_for_stats("everything to be final", queued=0)
        follower.wait_for("generated")
        wait_until(lambda: len([e for e in follower.events() if e.get("id") == message
                                and e["event"] == "delivered"]) == 1, "the delivery")
        story = [e for e in follower.events() if message in (e.get("id"), e.get("about"))]
        steps = [e["event"] for e in story]
        print("\n".join(json.dumps(e) for e in story))
        for step in ("accepted", "attempt_failed", "deferred", "refused", "bounced", "generated",
                     "delivered"):
            self.assertIn(step, steps)
        self.assertEqual(steps[0], "accepted")
        self.assertEqual((story[0]["route"], story[0]["destination"]),
                         ("out", f"via:127.0.0.1:{receiver.port}"))
        self.assertEqual(steps[-1], "delivered")
        # What was said, without having switched anything on before.
        talk = next(e for e in story if e["event"] == "talk")["talk"]
        self.assertIn("C: MAIL FROM:<alice@client.test> SIZE=", talk)
        self.assertIn("C: RCPT TO:<bob@a.test>\nC: RCPT TO:<nobody@a.test>", talk)
        self.assertIn("S: 451 4.7.1 greylisted", talk)
        self.assertIn("S: 550 5.1.1 nobody", talk)
        self.assertNotIn("hello", talk)

    def test_one_message_or_one_domain(self):
        receiver = self.receiver(on_rcpt=lambda a: "450 4.2.0 later")
        relay = self.outbox(route(receiver.port, retry="1h", notify_after="never"))
        everything = self.follow(relay, "--json")
        message = self.send(relay, ["bob@a.test"])
        everything.wait_for("deferred")
        one = self.follow(relay, "--json", "--id", message)
        domain = self.follow(relay, "--json", "--domain", "b.test")
        # Both follow when they answer to what is about them.
        wait_until(lambda: (relay.cli("retry", "--all", check=False), one.lines)[1], "its message")
        wait_until(lambda: (self.send(relay, ["carol@b.test"]), domain.lines)[1], "its domain")
        self.assertEqual({e["id"] for e in one.events()}, {message})
        # Also what names nobody, and though all mail goes by one route.
        wait_until(lambda: "deferred" in [e["event"] for e in domain.events()], "the deferral")
        of_b = {e["id"] for e in everything.events() if e.get("to") == ["carol@b.test"]}
        self.assertTrue(of_b)
        self.assertLessEqual({e["id"] for e in domain.events()}, of_b)
        steps = {e["event"] for e in domain.events()}
        self.assertLessEqual({"accepted", "attempt_failed", "talk", "deferred"}, steps)
        for event in everything.events():
            if event["event"] in ("accepted", "deferred"):
                self.assertEqual(len(event["to"]), 1, event)

    def test_lines_for_people(self):
        receiver = self.receiver(on_rcpt=lambda a: "450 4.2.0 later")
        relay = self.outbox(route(receiver.port, retry="1h", notify_after="never"))
        follower = self.follow(relay)
        message = self.send(relay, ["bob@a.test"])
        for words in (f"{message} accepted client=127.0.0.1 ", f"{message} deferred ",
                      "    S: 450 4.2.0 later"):
            wait_until(lambda: any(words in line for line in follower.lines), words)
        print("\n".join(follower.lines[-20:]))
        relay.stop()
        self.assertEqual(follower.process.wait(PATIENCE), 0)

    def test_a_follower_that_does_not_read_loses_lines_and_is_told(self):
        sink = self.sink()
        relay = self.outbox(route(sink.port))
        stuck = self.spawn([BIN / "outbox", "--control", relay.control, "log", "--follow",
                            "--json"], stdout=subprocess.PIPE, text=True)
        self.send(relay, ["probe@probe.test"], "")
        wait_until(stuck.stdout.readline, "the first line")
        self.source(relay.port, "--messages", "8000", "--size", "256")
        sink.wait_for(8000)
        relay.wait_for_stats("the empty queue", queued=0)
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(stuck.stdout), daemon=True)
        reader.start()
        # The number stands before the first line that it gets again.
        wait_until(lambda: stuck.poll() is None and relay.stats() and self.send(
            relay, ["probe@probe.test"], "") and len(relay.log_text()) > 0 and reader.is_alive(),
                   "a new line")
        relay.stop()
        reader.join(PATIENCE)
        lost = [json.loads(line)["lost"] for line in lines if "lost" in json.loads(line)]
        self.assertGreater(sum(lost), 0)
        events = relay.log_text().count("\n")
        self.assertLess(len(lines) + sum(lost), events + 10)


if __name__ == "__main__":
    main()
