"""Reload: all of the new file or none, while mail flows; queued mail keeps its periods and loses a
route that is gone."""

import json
import os
import signal
import socket
import stat
import subprocess

from harness import BIN, LISTENER, Scenario, free_port, main, route, wait_until

PERIODS = {"retry": "1h", "notify_after": "never", "retry_until": "2d"}


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False


class Reload(Scenario):
    def send(self, relay, recipients, expected=250):
        client = relay.client()
        code, text = client.deliver(recipients, b"Subject: x\r\n\r\nhello\r\n")
        client.close()
        self.assertEqual(code, expected, text)
        return text.split()[-1]

    def recipients(self, relay, message):
        facts = json.loads(relay.cli("why", "--json", message).stdout)
        return sorted(facts["recipients"], key=lambda one: one["recipient"])

    def rewrite(self, relay, old, new):
        text = relay.config.read_text()
        self.assertIn(old, text)
        relay.config.write_text(text.replace(old, new))

    def events(self, relay, name):
        found = []
        for line in relay.log_text().splitlines():
            if f'"event":"{name}"' in line:
                found.append(json.loads(line))
        return found

    def test_a_vanished_route_is_routed_again(self):
        """Mail waits for a host that is gone; the new file has another route for it."""
        relay = self.outbox(route(free_port(), name="old", **PERIODS))
        message = self.send(relay, ["bob@moved.test", "carol@other.test"])
        wait_until(lambda: all(one["attempts"] for one in relay.queue()), "a failed attempt")
        waiting = self.send(relay, ["dave@moved.test"])  # behind the backoff of the old host
        before = self.recipients(relay, message)
        new, other = self.receiver(), self.receiver()
        text = relay.config.read_text()
        relay.config.write_text(text[:text.index("[[route]]")] +
                                route(new.port, match="moved.test", name="new", retry="5s") +
                                route(other.port, name="rest", retry="5s"))
        self.assertIn("reloaded", relay.cli("reload").stdout)
        # What was waiting for the old host's backoff goes at once, what has failed in its time.
        new.wait_for(1)
        self.assertEqual(new.messages[0].recipients, ["dave@moved.test"])
        wait_until(lambda: len(self.events(relay, "rerouted")) >= 3, "the routes in the log")
        after = self.recipients(relay, message)
        self.assertEqual([one["destination"] for one in after],
                         [f"via:127.0.0.1:{new.port}", f"via:127.0.0.1:{other.port}"])
        for one, was in zip(after, before):  # periods of the old route
            self.assertEqual(one["recipient"], was["recipient"])
            self.assertAlmostEqual(one["expire"], was["expire"], delta=1)
            self.assertAlmostEqual(one["next_attempt"], was["next_attempt"], delta=1)
        relay.cli("retry", message)
        new.wait_for(2)
        other.wait_for(1)
        relay.wait_for_stats("the empty queue", queued=0)
        self.assertNotEqual(waiting, message)
        relay.check_ledger()

    def test_a_route_that_stays_keeps_its_mail(self):
        relay = self.outbox(route(free_port(), name="stays", **PERIODS))
        message = self.send(relay, ["bob@a.test"])
        wait_until(lambda: all(one["attempts"] for one in relay.queue()), "a failed attempt")
        before = relay.queue()[0]
        self.rewrite(relay, 'retry = "1h"', 'retry = "1s"')
        relay.cli("reload")
        after = relay.queue()[0]
        self.assertEqual((after["id"], after["next_attempt"]), (message, before["next_attempt"]))
        self.assertEqual(self.events(relay, "rerouted"), [])

    def test_rerouted_mail_stays_so_after_a_restart(self):
        relay = self.outbox(route(free_port(), name="old", **PERIODS))
        self.send(relay, ["bob@moved.test"])
        wait_until(lambda: all(one["attempts"] for one in relay.queue()), "a failed attempt")
        receiver = self.receiver()
        relay.stop()
        text = relay.config.read_text()
        relay.config.write_text(text[:text.index("[[route]]")] + route(receiver.port, name="new"))
        relay.start()
        wait_until(lambda: len(relay.queue()) == 1, "the queue to be read")
        relay.cli("retry", "--all")
        receiver.wait_for(1)
        relay.wait_for_stats("the empty queue", queued=0)

    def test_a_bad_file_changes_nothing(self):
        receiver = self.receiver()
        relay = self.outbox(route(receiver.port))
        good = relay.config.read_text()
        for bad, words in (('retri = "5m"\n', "unknown key"),
                           ("retry = 5\n", "expected"),
                           ('retry = "soon"\n', "expected"),
                           ("retry = [\n", "expected")):
            with self.subTest(bad):
                relay.config.write_text(good + bad)
                done = relay.cli("reload", check=False)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, r"outbox\.toml:\d+:\d+: ")
                self.assertIn(words, done.stderr)
                self.assertIn("the old configuration goes on", done.stderr)
                event = self.events(relay, "reload_failed")[-1]
                self.assertRegex(event["text"], r"outbox\.toml:\d+:\d+: .*" + words)
        relay.config.unlink()
        done = relay.cli("reload", check=False)
        self.assertIn("cannot be read", done.stderr)
        self.send(relay, ["bob@a.test"])
        receiver.wait_for(1)
        self.assertEqual(self.events(relay, "reloaded"), [])

    def test_what_cannot_change_is_named(self):
        relay = self.outbox(route(2600), shards=2)
        self.rewrite(relay, "shards   = 2", "shards   = 3")
        self.rewrite(relay, 'segment_size = "4MiB"', 'segment_size = "8MiB"')
        done = relay.cli("reload", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr,
                         r'outbox\.toml:5:\d+: "shards" cannot change while outboxd runs')
        self.assertRegex(done.stderr, r'outbox\.toml:9:\d+: "segment_size" cannot change')

    def test_listeners_come_go_and_change(self):
        receiver = self.receiver()
        relay = self.outbox(route(receiver.port))
        first, second = relay.port, free_port()
        added = LISTENER.replace("{port}", str(second))
        relay.config.write_text(relay.config.read_text() + added)
        relay.cli("reload")
        self.assertTrue(accepts(second))
        # The rules of a listener that stays are new for who connects from now on.
        old = relay.client()
        old.ehlo()
        self.rewrite(relay, '["127.0.0.1/32"]', '["192.0.2.0/24"]')
        relay.cli("reload")
        new = relay.client()
        new.ehlo()
        for client, code in ((old, 250), (new, 550)):
            self.assertEqual(client.say("MAIL FROM:<a@b.test>")[0], 250)
            self.assertEqual(client.say("RCPT TO:<c@d.test>")[0], code)
            client.close()
        # One goes: its clients are told so.
        staying = relay.client()
        text = relay.config.read_text()
        relay.config.write_text(text.replace(f"127.0.0.1:{first}", f"127.0.0.1:{free_port()}"))
        relay.cli("reload")
        wait_until(lambda: not accepts(first), "the old listener to be closed")
        self.assertEqual(staying.reply()[0], 421)
        staying.close()
        self.assertTrue(accepts(second))

    def test_a_port_in_use_changes_nothing(self):
        receiver = self.receiver()
        relay = self.outbox(route(receiver.port))
        text = relay.config.read_text()
        relay.config.write_text(text.replace(f":{relay.port}", f":{receiver.port}") +
                                LISTENER.replace("{port}", str(free_port())))
        self.rewrite(relay, f'via = ["127.0.0.1:{receiver.port}"]', 'via = ["127.0.0.9:2600"]')
        done = relay.cli("reload", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(receiver.port), done.stderr)
        self.send(relay, ["bob@a.test"])
        receiver.wait_for(1)

    def test_sighup_reloads_and_mail_flows_meanwhile(self):
        first, second = self.receiver(), self.receiver()
        relay = self.outbox(route(first.port, name="one"))
        half_sent = relay.client()
        half_sent.begin(["bob@a.test"])
        self.rewrite(relay, f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}")
        relay.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.events(relay, "reloaded"), "the reload in the log")
        self.send(relay, ["carol@a.test"])
        half_sent.send(b"Subject: x\r\n\r\nhello\r\n.\r\n")
        self.assertEqual(half_sent.reply()[0], 250)
        half_sent.close()
        second.wait_for(2)
        self.assertEqual(first.messages, [])
        relay.check_ledger()

    def test_sighup_during_the_start_is_not_forgotten(self):
        """The file is changed behind the daemon's reading of it, and before it is ready."""
        later = free_port()
        relay = self.outbox(route(2600), start=False)
        with open(relay.log, "ab") as log:
            relay.process = self.spawn([BIN / "outboxd", "--config", relay.config],
                                       stdout=subprocess.PIPE, stderr=log, text=True)
        wait_until(lambda: "open_files" in relay.log_text(), "the first line of the log")
        with open(relay.config, "a") as file:
            file.write(LISTENER.replace("{port}", str(later)))
        relay.process.send_signal(signal.SIGHUP)
        self.assertEqual(relay.process.stdout.readline(), "outboxd ready\n")
        wait_until(lambda: self.events(relay, "reloaded"), "the reload in the log")
        self.assertTrue(accepts(later))

    def test_the_stats_socket_tells_and_does_nothing(self):
        relay = self.outbox(route(2600))
        stats = relay.dir / "stats.sock"
        self.assertEqual(stat.S_IMODE(os.stat(stats).st_mode), 0o666)
        self.assertEqual(stat.S_IMODE(os.stat(relay.control).st_mode), 0o660)
        control, relay.control = relay.control, stats
        self.assertEqual(relay.stats()["queued"], 0)
        for command in (["queue"], ["why", "a.test"], ["retry", "--all"], ["reload"],
                        ["remove", "1K0WCJNDQSZ00"], ["stop"]):
            done = relay.cli(*command, check=False)
            self.assertEqual(done.returncode, 1, command)
            self.assertIn("read-only socket", done.stderr)
        relay.control = control


if __name__ == "__main__":
    main()
