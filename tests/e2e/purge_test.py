"""The outbox is full of what nobody wants: looked at, purged, taken back, purged for good; by the
daemon, and by spoolcat while it is down. Whoever kills anything in between changes nothing."""

import json
import os
import pwd
import pty
import random
import signal
import subprocess
import time

from harness import BIN, PATIENCE, Scenario, free_port, main, route, wait_until

PERIODS = {"retry": "1s", "notify_after": "never", "retry_until": "2d"}
VIRUS = "virus@bad.test"


class Purge(Scenario):
    def flood(self, relay, count, good=2):
        """Unwanted mail with some of the other kind in it; all recipients are told apart."""
        client = relay.client()
        client.ehlo()
        for i in range(count):
            code, text = client.deliver([f"v{i}@full.test"], b"Subject: x\r\n\r\nboo\r\n", VIRUS,
                                        ehlo=False)
            self.assertEqual(code, 250, text)
        for i in range(good):
            code, text = client.deliver([f"good{i}@full.test"], b"Subject: y\r\n\r\nhello\r\n",
                                        ehlo=False)
            self.assertEqual(code, 250, text)
        client.close()

    def recipients(self, relay, *arguments):
        done = relay.cli("queue", "--json", *arguments)
        return sorted(json.loads(line)["recipient"] for line in done.stdout.splitlines())

    def restart(self, relay):
        relay.kill()
        relay.start()
        wait_until(relay.recovered, "the spool to be read")

    def spoolcat(self, *arguments):
        return subprocess.run([str(BIN / "spoolcat"), *map(str, arguments)], capture_output=True,
                              text=True, timeout=PATIENCE)

    def test_purged_killed_taken_back_killed_delivered(self):
        port = free_port()
        relay = self.outbox(route(port, **PERIODS))
        self.flood(relay, 50)
        dry = relay.cli("purge", "--sender", "virus@*", "--dry-run")
        self.assertRegex(dry.stdout, r"^50 recipients of 50 messages, [\d.]+ .*; the oldest is "
                                     r"\d+s old\n")
        self.assertRegex(dry.stdout, r" 50 +[\d.]+ KiB +virus@bad\.test\n")
        self.assertRegex(dry.stdout, r" 50 +[\d.]+ KiB +full\.test\n")
        # Nobody can be asked here.
        refused = relay.cli("purge", "--sender", "virus@*", check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("--yes", refused.stderr)
        self.assertEqual(relay.stats()["purged"], 0)

        done = relay.cli("purge", "--sender", "virus@*", "--yes", "--reason", "Monday's virus")
        self.assertEqual(done.stdout, "50 recipients purged; outbox undo takes that back for "
                                      "1h00m\n")
        self.restart(relay)
        stats = relay.stats()
        self.assertEqual((stats["purged"], stats["queued"]), (50, 52))
        shown = relay.cli("queue", "--json")
        self.assertEqual(len(shown.stdout.splitlines()), 2)
        self.assertRegex(shown.stderr, r"50 recipients are purged, and not among them .* outbox "
                                       r"undo takes them back, for (1h00m|59m)")
        self.assertEqual(len(self.recipients(relay, "--state", "purged")), 50)
        why = relay.cli("why", "v7@full.test").stdout
        self.assertRegex(why, r"state +purged, for ")
        self.assertRegex(why, r"held up by +an operator has purged it.*\n +lifted by +`outbox undo`"
                              r".*\n +at .*in (1h00m|59m)")
        self.assertEqual(relay.cli("retry", "--sender", VIRUS, check=False).stdout,
                         "nothing in the queue matches\n")

        receiver = self.receiver(port=port)
        receiver.wait_for(2)
        self.assertEqual(relay.cli("undo", "--recipient", "v1*").stdout,
                         "11 recipients are back, and go on as before\n")
        self.restart(relay)
        self.assertEqual(relay.stats()["purged"], 39)
        self.assertEqual(relay.cli("undo").stdout, "39 recipients are back, and go on as before\n")
        self.restart(relay)
        wait_until(lambda: relay.stats()["queued"] == 0, "everything to be delivered")
        self.assertEqual({r for m in receiver.messages for r in m.recipients},
                         {f"v{i}@full.test" for i in range(50)} | {"good0@full.test",
                                                                    "good1@full.test"})
        log = relay.log_text()
        self.assertEqual(log.count('"event":"purged"'), 50)
        self.assertEqual(log.count('"event":"undone"'), 50)
        name = pwd.getpwuid(os.getuid()).pw_name
        self.assertIn(f'"by":"{name}","reason":"Monday\'s virus","to":["v7@full.test"]', log)

    def test_final_when_the_time_is_over(self):
        relay = self.outbox('[queue]\nundo_period = "2s"\n' + route(free_port(), **PERIODS))
        self.flood(relay, 20, good=1)
        self.assertIn("back for 2s", relay.cli("purge", "--sender", VIRUS, "--yes").stdout)
        relay.wait_for_stats("the end of the time", removed_total=20, purged=0, queued=1)
        relay.check_ledger()
        gone = relay.cli("undo", check=False)
        self.assertEqual((gone.returncode, gone.stdout), (1, "nothing that is purged matches\n"))
        # At once, and what was purged before as well.
        self.flood(relay, 5, good=0)
        relay.cli("purge", "--recipient", "v3@*", "--yes")
        self.assertEqual(relay.cli("purge", "--sender", VIRUS, "--now", "--yes").stdout,
                         "5 recipients removed\n")
        relay.wait_for_stats("all of it to be gone", removed_total=25, purged=0, queued=1)
        relay.check_ledger()

    def test_at_a_terminal_it_asks(self):
        relay = self.outbox(route(free_port(), **PERIODS))
        self.flood(relay, 3, good=0)
        for answer, purged in (("n", 0), ("", 0), ("y", 3)):
            leader, follower = pty.openpty()
            process = self.spawn([BIN / "outbox", "--control", relay.control, "purge", "--all"],
                                 stdin=follower, stdout=follower, stderr=follower)
            os.close(follower)
            text = b""
            while b"[y/N]" not in text:
                text += os.read(leader, 4096)
            self.assertIn(b"3 recipients of 3 messages", text)
            self.assertIn(b"takes it back for 1h00m", text)
            os.write(leader, answer.encode() + b"\n")
            self.assertEqual(process.wait(PATIENCE), 0 if purged else 1)
            os.close(leader)
            self.assertEqual(relay.stats()["purged"], purged)

    def test_returned_with_a_reason(self):
        sender = self.receiver()
        relay = self.outbox(route(sender.port, match="client.test", **PERIODS) +
                            route(free_port(), **PERIODS))
        self.flood(relay, 2, good=3)
        done = relay.cli("bounce", "--domain", "full.test", "--sender", "*@client.test", "--reason",
                         "This domain has closed.")
        self.assertEqual(done.stdout, "3 recipients returned to the sender\n")
        notices = sender.wait_for(3)
        for notice in notices:
            self.assertEqual(notice.sender, "")
            self.assertIn(b"Status: 5.0.0", notice.content)
            self.assertIn(b"This domain has closed.", notice.content)
        relay.wait_for_stats("the notices to be gone", queued=2, bounced_total=3, generated_total=3)
        relay.check_ledger()
        relay.wait_for_log('"event":"bounced"')
        missing = relay.cli("bounce", "--all", check=False)
        self.assertEqual(missing.returncode, 2)
        self.assertIn("--reason", missing.stderr)

    def test_by_spoolcat_while_the_daemon_is_down(self):
        port = free_port()
        relay = self.outbox(route(port, **PERIODS))
        self.flood(relay, 60)
        locked = self.spoolcat("purge", relay.spool, "--sender", VIRUS)
        self.assertEqual(locked.returncode, 2)
        self.assertIn("in use by another program: nothing was changed; while outboxd runs, use "
                      "outbox purge", locked.stderr)
        relay.cli("purge", "--recipient", "v5*", "--yes")  # purged twice is gone once
        relay.kill()
        dry = self.spoolcat("purge", relay.spool, "--sender", "virus@*", "--dry-run")
        self.assertIn("60 recipients of 60 messages would be purged", dry.stdout)
        done = self.spoolcat("purge", relay.spool, "--sender", "virus@*")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("60 recipients of 60 messages purged; 60 messages", done.stdout)
        again = self.spoolcat("purge", relay.spool, "--sender", "virus@*")
        self.assertIn("0 recipients of 0 messages purged", again.stdout)
        self.assertEqual(self.spoolcat("check", relay.spool).returncode, 0)
        receiver = self.receiver(port=port)
        relay.start()
        relay.wait_for_stats("the others to be delivered", queued=0, delivered_total=2, purged=0)
        self.assertEqual(relay.stats()["spool_damages_total"], 0)
        self.assertEqual(len(receiver.messages), 2)

    def test_spoolcat_killed_in_the_middle(self):
        relay = self.outbox(route(free_port(), **PERIODS))
        sent = self.source(relay.port, "--messages", 4000, "--connections", 20, "--size", 500,
                           "--sender", VIRUS)
        self.assertEqual(sent["exit"], 0, sent)
        self.flood(relay, 0, good=3)
        relay.kill()
        seed = int(os.environ.get("OUTBOX_SEED", random.randrange(1 << 30)))
        print(f"OUTBOX_SEED={seed}", flush=True)
        chance = random.Random(seed)
        for _ in range(12):
            process = self.spawn([BIN / "spoolcat", "purge", relay.spool, "--sender", VIRUS],
                                 stdout=subprocess.DEVNULL)
            time.sleep(chance.random() * 0.12)  # somewhere in it; anywhere is right
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE)
            checked = self.spoolcat("check", relay.spool)
            self.assertEqual(checked.returncode, 0, checked.stdout)
        self.assertEqual(self.spoolcat("purge", relay.spool, "--sender", VIRUS).returncode, 0)
        relay.start()
        wait_until(relay.recovered, "the spool to be read")
        self.assertEqual(self.recipients(relay), [f"good{i}@full.test" for i in range(3)])
        self.assertEqual(relay.stats()["spool_damages_total"], 0)


if __name__ == "__main__":
    main()
