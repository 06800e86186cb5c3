"""Talk-back after the fact: what was said in an attempt, which nobody had switched on before. What
went well is in memory, what failed on the disk as well."""

import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from harness import BIN, PATIENCE, Outbox, Scenario, free_port, main, route, wait_until


class Talk(Scenario):
    def send(self, relay, recipients, sender="alice@client.test", body=b"hello, secret body\r\n"):
        client = relay.client()
        code, text = client.deliver(recipients, b"Subject: x\r\n\r\n" + body, sender)
        client.close()
        self.assertEqual(code, 250, text)
        return text.split()[-1]

    def talk(self, relay, *arguments):
        done = relay.cli("talk", "--json", *arguments, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_what_was_said_in_an_attempt_that_went_well(self):
        receiver = self.receiver()
        relay = self.outbox(route(receiver.port))
        message = self.send(relay, ["bob@a.test"])
        relay.wait_for_stats("the delivery", queued=0)
        before = time.time()
        talk, = wait_until(lambda: self.talk(relay, message), "the dialogue")
        said = [(line["who"], line["text"]) for line in talk["lines"]]
        self.assertEqual(said[0], ("S", "220 receiver.test ESMTP"))
        self.assertIn(("C", "RCPT TO:<bob@a.test>"), said)
        self.assertEqual(said[-1][0], "S")
        self.assertTrue(said[-1][1].startswith("250"), said)
        self.assertFalse(talk["failed"])
        self.assertEqual(talk["mailhost"], f"127.0.0.1:{receiver.port}")
        times = [line["ms"] for line in talk["lines"]]
        self.assertEqual(times, sorted(times))
        self.assertEqual(times[0], 0)
        self.assertLessEqual(times[-1], talk["took_ms"])
        # No body, here or for people.
        text = relay.cli("talk", message).stdout
        print(text)
        self.assertNotIn("secret body", text + json.dumps(talk))
        self.assertIn("C: (a message of ", text)
        self.assertIn(f"  {message}  127.0.0.1:{receiver.port}  delivered, after ", text)
        # By time, host and domain.
        self.assertEqual(len(self.talk(relay, "--since", "10m", "--domain", "A.test")), 1)
        self.assertEqual(self.talk(relay, "--domain", "b.test"), [])
        self.assertEqual(len(self.talk(relay, "--host", f"1:{receiver.port}")), 1)
        self.assertEqual(self.talk(relay, "--host", "elsewhere"), [])
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(before + 3600))
        self.assertEqual(self.talk(relay, "--since", later), [])
        self.assertEqual(len(self.talk(relay, "--until", later)), 1)
        self.assertEqual(self.talk(relay, "--failed"), [])
        done = relay.cli("talk", "--failed", check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))

    def test_failures_survive_a_restart_and_are_found_by_what_was_said(self):
        receiver = self.receiver(on_rcpt=lambda a: "450 4.2.1 mailbox is Busy"
                                 if a.startswith("busy") else None)
        relay = self.outbox(route(receiver.port, retry="1h", notify_after="never"))
        good = self.send(relay, ["bob@a.test"])
        bad = self.send(relay, ["busy@b.test"])
        relay.wait_for_stats("the deferral", deferred_total=1, queued=1)
        self.assertEqual({t["id"] for t in self.talk(relay)}, {good, bad})
        self.assertEqual(relay.stop(), 0)
        relay.start()
        talk, = self.talk(relay)
        self.assertEqual(talk["id"], bad)
        self.assertTrue(talk["failed"])
        self.assertEqual(talk["outcome"], "450 4.2.1 mailbox is Busy")
        self.assertIn({"who": "S", "text": "450 4.2.1 mailbox is Busy"},
                      [{k: line[k] for k in ("who", "text")} for line in talk["lines"]])
        self.assertEqual(len(self.talk(relay, "--reply", "is busy")), 1)
        self.assertEqual(self.talk(relay, "--reply", "is idle"), [])
        self.assertEqual(len(self.talk(relay, "--failed", "--domain", "b.test")), 1)
        # It is in memory and on the disk, and still one attempt.
        relay.cli("retry", "--all")
        relay.wait_for_stats("the second deferral", deferred_total=1, queued=1)
        self.assertEqual(len(wait_until(
            lambda: [t for t in [self.talk(relay, bad)] if len(t) == 2], "both")[0]), 2)

    def test_a_host_that_is_not_there_said_nothing(self):
        relay = self.outbox(route(free_port(), retry="1h", notify_after="never"))
        message = self.send(relay, ["bob@a.test"])
        talk, = wait_until(lambda: self.talk(relay, message), "the attempt")
        self.assertEqual(talk["lines"], [])
        self.assertIn("refused", talk["outcome"].lower())
        self.assertIn("(nothing was said)", relay.cli("talk", message).stdout)

    def test_memory_and_disk_are_bounded(self):
        receiver = self.receiver(on_rcpt=lambda a: "550 5.1.1 " + "no such user " * 20)
        relay = self.outbox(route(receiver.port) + '[talk]\nmemory = "64KiB"\ndisk = "1MiB"\n')
        self.source(relay.port, "--messages", "1500", "--size", "256")
        relay.wait_for_stats("the empty queue", queued=0, patience=4 * PATIENCE)
        directory = relay.spool / "talk"
        sizes = wait_until(lambda: (lambda s: len(s) == 2 and s)(
            [p.stat().st_size for p in directory.iterdir()]), "two files")
        print(sorted(os.listdir(directory)), sizes)
        self.assertLessEqual(sum(sizes), 1 << 20)
        newest = self.talk(relay, "--limit", "10000")
        self.assertGreater(len(newest), 300)
        self.assertEqual(len(self.talk(relay)), 20)
        for path in directory.iterdir():
            for line in path.read_text().splitlines():
                json.loads(line)
        relay.check_ledger()

    def test_a_full_disk_is_counted_and_stops_nothing(self):
        if os.geteuid() != 0:
            raise unittest.SkipTest("mounting a small file system needs root")
        small = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            raise unittest.SkipTest(f"mount: {mounted.stderr}")
        self.addCleanup(subprocess.run, ["umount", "-l", small], check=False)
        receiver = self.receiver(on_rcpt=lambda a: "550 5.1.1 no such user")
        relay = self.outbox(route(receiver.port) + f'[talk]\ndirectory = "{small}/talk"\n')
        self.source(relay.port, "--messages", "300", "--size", "256")
        relay.wait_for_stats("the empty queue", queued=0, patience=2 * PATIENCE)
        stats = wait_until(lambda: (lambda s: s["talk_lost_total"] > 0 and s)(relay.stats()),
                           "lost dialogues")
        print(stats["talk_lost_total"], "lost")
        self.assertEqual(stats["bounced_total"], 600)  # with the notices, which bounce as well
        for line in (small / "talk" / "failed.jsonl").read_text().splitlines():
            json.loads(line)
        # Memory has what the disk has not.
        self.assertEqual(len(self.talk(relay, "--limit", "1000")), 600)

    def test_a_dialogue_under_load(self):
        sink = self.sink()
        relay = self.outbox(route(sink.port))
        self.source(relay.port, "--messages", "20000", "--size", "1024")
        relay.wait_for_stats("the empty queue", queued=0)
        talks = self.talk(relay, "--limit", "10000")
        print(len(talks), "kept")
        self.assertGreater(len(talks), 1000)
        for talk in talks:
            said = [line["text"] for line in talk["lines"]]
            self.assertEqual(sum(text.startswith("MAIL FROM") for text in said) > 0, True, said)
            self.assertTrue(any(text.startswith("(a message of ") for text in said), said)

    def test_bad_questions(self):
        relay = self.outbox("")
        for arguments in (["--since", "yesterday"], ["--limit", "0"], ["--bogus"]):
            done = subprocess.run([BIN / "outbox", "--control", relay.control, "talk", *arguments],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, done.stderr)


if __name__ == "__main__":
    main()
