"""Few descriptors: all mail arrives, nobody is blamed, and the daemon says what is going on."""

import json
import os
import resource
import socket
import subprocess
import threading

from harness import BIN, SLOWNESS, Scenario, main, route, wait_until

CONTENT = b"Subject: many\r\n\r\nx\r\n"
# What outboxd works with here, and the destinations that want a connection each.
FILES = 240
DESTINATIONS = 120


def descriptors(relay):
    return len(os.listdir(f"/proc/{relay.process.pid}/fd"))


class Descriptors(Scenario):
    def few(self, config):
        """A relay that may open FILES descriptors, and starts with a soft limit of half of that."""
        return self.outbox(config, files=(FILES // 2, FILES))

    def events(self, relay, name):
        lines = []
        for line in relay.log_text().splitlines():
            if f'"{name}"' in line:
                lines.append(json.loads(line))
        return [line for line in lines if line["event"] == name]

    def nobody_is_blamed(self, relay):
        text = relay.log_text()
        self.assertNotIn("host_failed", text)
        self.assertNotIn("attempt_failed", text)
        self.assertEqual(relay.stats()["deferred_total"], 0)

    def test_more_destinations_than_descriptors(self):
        sink = self.sink("--delay-ms", "20", address="0.0.0.0")
        # Every destination is a site of its own, with a connection of its own.
        routes = "".join(f'[[route]]\nmatch = "d{i}.load.test"\n'
                         f'via = ["127.0.1.{i + 1}:{sink.port}"]\n' for i in range(DESTINATIONS))
        relay = self.few(routes)
        # The soft limit was lower.
        self.assertEqual(resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE),
                         (FILES, FILES))
        said = self.events(relay, "open_files")[0]["text"]
        self.assertIn(str(FILES), said)
        result = self.source(relay.port, "--messages", 1200, "--domains", DESTINATIONS,
                             "--connections", 4)
        self.assertEqual(result["accepted"], 1200, result)
        most = 0

        def done():
            nonlocal most
            most = max(most, descriptors(relay))
            return relay.stats()["queued"] == 0
        wait_until(done, "the queue to be empty")
        final = sink.stop()
        self.assertEqual(final["unique_recipients"], 1200)
        self.assertEqual(final["duplicates"], 0)
        self.assertLessEqual(most, FILES)
        self.assertEqual(relay.stats()["shortages_total"], 0)
        self.nobody_is_blamed(relay)
        relay.check_ledger()

    def test_why_says_what_is_waited_for(self):
        greet = threading.Event()
        self.addCleanup(greet.set)
        slow = self.receiver(on_connect=lambda: greet.wait(60) and None)
        other = self.receiver()
        relay = self.outbox(route(slow.port, match="slow.test") +
                            route(other.port, match="other.test") +
                            "[limits]\nconnections_out = 1\n", shards=1)
        client = relay.client()
        self.addCleanup(client.close)
        self.assertEqual(client.deliver(["a@slow.test"], CONTENT)[0], 250)
        wait_until(lambda: relay.stats()["connections_out"] == 1, "the connection")
        self.assertEqual(client.deliver(["b@other.test"], CONTENT, ehlo=False)[0], 250)

        def in_line():
            why = json.loads(relay.cli("why", "other.test", "--json").stdout)
            return why["destinations"][0]["limit"] == "outbound"
        wait_until(in_line, "the destination to stand in line")
        self.assertIn("in line for one", relay.cli("why", "other.test").stdout)
        greet.set()
        other.wait_for(1)
        self.nobody_is_blamed(relay)

    def test_the_machine_runs_out_below_the_bound(self):
        receiver = self.receiver()
        # An accept that is under way keeps the limit that it began with: one at a time here.
        relay = self.few(route(receiver.port) + '[io]\ndisable = ["multishot_accept"]\n'
                         '[delivery]\nidle_timeout = "100ms"\n')
        client = relay.client()
        self.addCleanup(client.close)
        control = socket.socket(socket.AF_UNIX)
        self.addCleanup(control.close)
        control.connect(str(relay.control))
        answers = control.makefile()
        self.addCleanup(answers.close)

        def stats():  # over a connection that is there: a new one would be a descriptor
            control.sendall(b'{"command":"stats"}\n')
            return json.loads(answers.readline())
        # The spool has made its segments, and the first connection has come and gone.
        self.assertEqual(client.deliver(["a@load.test"], CONTENT)[0], 250)
        receiver.wait_for(1)
        seen = []

        def quiet():
            seen.append((stats()["connections_out"], descriptors(relay)))
            return len(seen) > 20 and seen[-1][0] == 0 and len(set(seen[-20:])) == 1
        wait_until(quiet, "the daemon to be quiet")
        # Somebody takes the descriptors away: not one more can be opened.
        taken = {int(fd) for fd in os.listdir(f"/proc/{relay.process.pid}/fd")}
        first_free = min(set(range(FILES)) - taken)
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (first_free, FILES))
        self.assertEqual(client.deliver(["b@load.test"], CONTENT, ehlo=False)[0], 250)
        text = wait_until(lambda: self.events(relay, "shortage"), "the log to say so")[0]["text"]
        self.assertIn("Too many open files", text)
        self.assertIn("not the host, is to blame", text)
        # Nobody comes in, by SMTP or for control. That is no reason to spin: a loop that does makes
        # a hundred thousand turns while the next connection is tried twice.
        waiting = [socket.create_connection(("127.0.0.1", relay.port)) for _ in range(8)]
        for one in waiting:
            self.addCleanup(one.close)
        operator = self.spawn([BIN / "outbox", "--control", relay.control, "stats"],
                              stdout=subprocess.PIPE, text=True)
        wait_until(lambda: self.events(relay, "accept_failed"), "an accept to fail")
        before = stats()
        wait_until(lambda: stats()["shortages_total"] >= before["shortages_total"] + 2, "two more")
        self.assertLess(stats()["turns_total"] - before["turns_total"], 10_000)
        self.assertEqual(stats()["queued"], 1)
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        receiver.wait_for(2)
        relay.wait_for_stats("the mail to be gone", queued=0)
        for one in waiting:
            with one, one.makefile("rb") as lines:
                self.assertTrue(lines.readline().startswith(b"220 "))
        self.assertIn("queued", operator.communicate(timeout=30 * SLOWNESS)[0])
        self.assertLess(len(self.events(relay, "accept_failed")), 5)
        self.nobody_is_blamed(relay)
        relay.check_ledger()

    def test_a_limit_that_is_too_low_is_said_at_the_start(self):
        relay = self.outbox(route(1), start=False)
        done = subprocess.run(["sh", "-c", f"ulimit -n 64; exec {BIN}/outboxd --config "
                               f"{relay.config}"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("open files: the hard limit is 64", done.stderr)
        self.assertIn("LimitNOFILE", done.stderr)


if __name__ == "__main__":
    main()
