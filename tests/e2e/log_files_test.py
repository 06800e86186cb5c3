"""The event log as a file: in the form that Postfix's tools read, counted by one of them; rotated
under load without a line lost or torn; and read back by `outbox report`."""

import collections
import fcntl
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import unittest

from harness import BIN, PATIENCE, Scenario, free_port, main, route, wait_until

CLASSIC = '[log]\nfile = "{spool}.log"\nformat = "classic"\n'
JSON = '[log]\nfile = "{spool}.log"\n'
LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 relay\.outbox\.test "
                  r"outbox/(smtpd|qmgr|smtp|bounce|outboxd)\[\d+\]: .+$")


class LogFiles(Scenario):
    def send(self, relay, recipients, sender="alice@client.test"):
        client = relay.client()
        code, text = client.deliver(recipients, b"Subject: x\r\n\r\nhello\r\n", sender)
        client.close()
        self.assertEqual(code, 250, text)
        return text.split()[-1]

    def log_of(self, relay):
        return relay.spool.parent / "spool.log"

    def all_kinds(self, form):
        """A relay that has had mail of every kind, with all of it final or put off."""
        def on_rcpt(address):
            if address.startswith("no"):
                return "550 5.1.1 No such user, to=<x@y>, relay=z, delay=1, status=sent (ok)"
            return "450 4.2.1 mailbox busy" if address.startswith("busy") else None
        receiver = self.receiver(on_rcpt=on_rcpt)
        dead = free_port()
        relay = self.outbox(
            route(receiver.port, "good.test", name="good", retry="1h")
            + route(dead, "dead.test", name="dead", retry="1s", retry_until="2s",
                    notify_after="never")
            + route(receiver.port, "*", name="rest", retry="1h", notify_after="never")
            + form, listener="""
[[listener]]
address    = "127.0.0.1:{port}"
relay_from = ["127.0.0.1/32"]
""")
        for _ in range(5):
            self.send(relay, ["bob@good.test", "carol@good.test"])
        self.send(relay, ["bob@good.test", "busy@rest.test", "nobody@rest.test"])
        self.send(relay, ["nobody@good.test"], "")       # a bounce that has nobody to go to
        self.send(relay, ["late@dead.test"])
        self.send(relay, ["busy@gone.test"])
        client = relay.client(source="127.0.0.2")
        client.ehlo()
        client.say("MAIL FROM:<eve@evil.test>")
        for i in range(3):
            self.assertEqual(client.say(f"RCPT TO:<victim{i}@a.test>")[0], 550)
        client.close()
        # The notices about the unknown recipient and the late one go to client.test.
        wait_until(lambda: (lambda s: s["expired_total"] == 1 and s["bounced_total"] == 2
                            and s["queued"] == 2)(relay.stats()), "the outcomes")
        relay.cli("retry", "--domain", "rest.test")
        gone = [line["id"] for line in relay.queue() if line["domain"] == "gone.test"]
        relay.cli("remove", gone[0])
        relay.wait_for_stats("the removal", removed_total=1, queued=1)
        wait_until(lambda: relay.queue()[0]["attempts"] == 2, "the second attempt")
        stats = wait_until(lambda: (lambda s: s["deferred_total"] >= 3 and s["sending"] == 0 and s)(
            relay.stats()), "the end")
        relay.check_ledger()
        self.assertEqual(relay.stop(), 0)
        return relay, stats

    def test_pflogsumm_counts_as_we_do(self):
        if not shutil.which("pflogsumm"):
            raise unittest.SkipTest("pflogsumm is not installed: tools/setup --tests")
        relay, stats = self.all_kinds(CLASSIC)
        log = self.log_of(relay)
        text = log.read_text()
        print(text)
        for line in text.splitlines():
            self.assertRegex(line, LINE)
        done = subprocess.run(["pflogsumm", "--syslog-name=outbox", log], capture_output=True,
                              text=True, timeout=PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        print(done.stdout)
        totals = {name: int(number) for number, name in
                  re.findall(r"^ +(\d+) +(received|delivered|deferred|bounced|rejected)",
                             done.stdout, re.M)}
        deferrals = int(re.search(r"\((\d+) +deferrals\)", done.stdout)[1])
        self.assertEqual(totals["received"], stats["messages_accepted_total"])
        self.assertEqual(totals["delivered"], stats["delivered_total"])
        self.assertEqual(deferrals, stats["deferred_total"])
        self.assertEqual(totals["deferred"], 3)  # messages
        self.assertEqual(totals["bounced"], stats["bounced_total"])
        self.assertEqual(totals["rejected"], stats["rejected_total"])
        self.assertEqual(stats["rejected_total"], 3)
        # Every recipient has his name, also who was expired without a host to name him.
        self.assertNotIn("to=<unknown>", text)
        self.assertEqual(text.count("status=expired (returned to sender; "), 1)
        self.assertEqual(text.count(": removed\n"), stats["messages_accepted_total"]
                         + stats["generated_total"] - 1)

    def test_the_report_says_the_same_of_both_forms(self):
        for form in (JSON, CLASSIC):
            relay, stats = self.all_kinds(form)
            log = self.log_of(relay)

            def report(*arguments):
                done = subprocess.run(
                    [BIN / "outbox", "report", "--log", log, *arguments], capture_output=True,
                    text=True, timeout=PATIENCE)
                self.assertEqual(done.returncode, 0, done.stderr)
                return done.stdout

            rows = [json.loads(line) for line in report("--json").splitlines()]
            states = collections.Counter(row["state"] for row in rows)
            self.assertEqual(states["delivered"], stats["delivered_total"])
            self.assertEqual(states["bounced"], stats["bounced_total"])
            self.assertEqual(states["expired"], stats["expired_total"])
            self.assertEqual(states["removed"], stats["removed_total"])
            self.assertEqual(states["deferred"], stats["queued"])
            self.assertEqual(len(rows), stats["accepted_total"] + stats["generated_total"])
            by_recipient = {row["recipient"]: row for row in rows}
            self.assertEqual(by_recipient["bob@good.test"]["route"], "good")
            self.assertEqual(by_recipient["late@dead.test"]["route"], "dead")
            self.assertEqual(by_recipient["busy@rest.test"]["route"], "rest")
            self.assertEqual(by_recipient["busy@rest.test"]["reply"], "450 4.2.1 mailbox busy")
            self.assertGreaterEqual(by_recipient["busy@rest.test"]["failures"], 2)
            domains = {d["domain"]: d for d in map(json.loads,
                                                   report("--domains", "--json").splitlines())}
            self.assertEqual(domains["good.test"]["delivered"], 11)
            self.assertEqual(domains["dead.test"]["expired"], 1)
            self.assertEqual(sum(d["failures"] for d in domains.values()),
                             stats["deferred_total"] + stats["bounced_total"])
            failed = [json.loads(line) for line in report("--failed", "--json").splitlines()]
            self.assertEqual({row["state"] for row in failed}, {"deferred", "bounced", "expired"})
            print(report("--domains"))
            print(report("--failed"))
            late = by_recipient["late@dead.test"]["id"]
            story = report(late)
            print(story)
            self.assertIn("expired late@dead.test", story)
            self.assertIn("which tells the sender", story)
            self.assertEqual(json.loads(report("--domain", "dead.test", "--json"))["state"],
                             "expired")

    def test_the_report_finds_the_log_of_the_daemon_with_its_rotations(self):
        receiver = self.receiver()
        relay = self.outbox(route(receiver.port) + JSON)
        log = self.log_of(relay)
        ids = []
        for suffix in (".2.gz", ".1", None):
            ids.append(self.send(relay, ["bob@a.test"]))
            relay.wait_for_stats("the delivery", queued=0)
            # Lines wait a moment for others, each shard's by itself: without that, some would be
            # in the next file.
            wait_until(lambda: {"accepted", "delivered"} <=
                       {json.loads(line)["event"] for line in log.read_text().splitlines()},
                       "its lines in the log")
            if suffix is None:
                break
            old = log.with_name(log.name + suffix.removesuffix(".gz"))
            log.rename(old)
            relay.process.send_signal(signal.SIGHUP)
            wait_until(log.exists, "the new file")
            if suffix.endswith(".gz"):
                old.with_name(old.name + ".gz").write_bytes(gzip.compress(old.read_bytes()))
                old.unlink()
        rows = [json.loads(line) for line in relay.cli("report", "--json").stdout.splitlines()]
        self.assertEqual([row["id"] for row in rows], ids)
        self.assertEqual(relay.cli("report", "--since", "2100-01-01", check=False).returncode, 1)
        text = relay.cli("report").stdout
        print(text)
        self.assertIn("bob@a.test", text)
        done = subprocess.run([BIN / "outbox", "report", "--log", "-"], input=log.read_text(),
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((done.returncode, done.stdout.count("bob@a.test")), (0, 1), done.stderr)
        done = subprocess.run([BIN / "outbox", "report", "--log", self.dir / "none"],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot open", done.stderr)

    def rotate_under_load(self, form):
        messages = 20000
        sink = self.sink()
        relay = self.outbox(route(sink.port) + form)
        log = self.log_of(relay)
        done = threading.Event()
        rotated = []

        def rotate():
            while not done.is_set():
                old = log.with_name(f"rotated-{len(rotated):04}")
                log.rename(old)
                rotated.append(old)
                relay.process.send_signal(signal.SIGHUP)
                wait_until(log.exists, "the new file")
                done.wait(0.02)

        thread = threading.Thread(target=rotate)
        thread.start()
        try:
            self.source(relay.port, "--messages", str(messages), "--size", "512")
            relay.wait_for_stats("the empty queue", queued=0)
        finally:
            done.set()
            thread.join()
        self.assertEqual(relay.stats()["log_dropped_total"], 0)
        self.assertEqual(relay.stop(), 0)
        self.assertGreater(len(rotated), 10)
        texts = [path.read_text() for path in [*rotated, log]]
        print(f"{len(rotated)} rotations, {sum(map(len, texts))} bytes")
        for text in texts:
            self.assertTrue(not text or text.endswith("\n"))
        return messages, [line for text in texts for line in text.splitlines()]

    def test_no_line_is_lost_or_torn_in_a_rotation(self):
        messages, lines = self.rotate_under_load(JSON)
        events = collections.defaultdict(list)
        for line in lines:
            event = json.loads(line)
            events[event["event"]].append(event.get("id"))
        for name in ("accepted", "delivered"):
            self.assertEqual(len(events[name]), messages)
            self.assertEqual(len(set(events[name])), messages)

    def test_nor_of_the_classic_form(self):
        messages, lines = self.rotate_under_load(CLASSIC)
        for line in lines:
            self.assertRegex(line, LINE)
        for what in (" client=unknown[127.0.0.1]", " (queue active)", " status=sent (",
                     ": removed"):
            self.assertEqual(sum(what in line for line in lines), messages, what)

    def test_a_reload_changes_the_form_and_followers_do_not_notice(self):
        receiver = self.receiver()
        relay = self.outbox(route(receiver.port) + JSON)
        follower = self.spawn([BIN / "outbox", "--control", relay.control, "log", "--follow",
                               "--json"], stdout=subprocess.PIPE, text=True)
        lines = []
        threading.Thread(target=lambda: lines.extend(follower.stdout), daemon=True).start()
        first = self.send(relay, ["bob@a.test"])
        relay.wait_for_stats("the delivery", queued=0)
        relay.config.write_text(relay.config.read_text() + 'format = "classic"\nname = "postfix"\n')
        relay.cli("reload")
        second = self.send(relay, ["bob@a.test"])
        wait_until(lambda: f"postfix/qmgr[{relay.process.pid}]: {second}: removed\n"
                   in self.log_of(relay).read_text(), "the classic line")
        text = self.log_of(relay).read_text()
        self.assertIn(f'"event":"delivered","id":"{first}"', text)
        self.assertNotIn(f'"id":"{second}"', text)
        relay.stop()
        self.assertEqual(follower.wait(PATIENCE), 0)
        wait_until(lambda: any(second in line for line in lines), "the follower")
        self.assertIn("delivered", [json.loads(line).get("event") for line in lines
                                    if second in line])
        states = subprocess.run([BIN / "outbox", "report", "--json", "--log", self.log_of(relay)],
                                capture_output=True, text=True).stdout
        self.assertEqual([json.loads(line)["state"] for line in states.splitlines()],
                         ["delivered"] * 2)

    def test_a_full_disk_loses_whole_lines_and_counts_them(self):
        if os.geteuid() != 0:
            raise unittest.SkipTest("mounting a small file system needs root")
        small = self.dir / "small"
        small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            raise unittest.SkipTest(f"mount: {mounted.stderr}")
        self.addCleanup(subprocess.run, ["umount", "-l", small], check=False)
        sink = self.sink()
        relay = self.outbox(route(sink.port) + f'[log]\nfile = "{small}/log"\n')
        self.source(relay.port, "--messages", "3000", "--size", "256")
        relay.wait_for_stats("the empty queue", queued=0)
        self.assertEqual(relay.stats()["delivered_total"], 3000)
        wait_until(lambda: relay.stats()["log_dropped_total"] > 0, "lost lines")
        lines = (small / "log").read_text().splitlines()
        for line in lines:
            json.loads(line)
        # Every line is in the file or counted (a few of the daemon's own are not mail's).
        known = wait_until(lambda: (lambda n: n >= 6000 and n)(
            len(lines) + relay.stats()["log_dropped_total"]), "6000 lines")
        self.assertLess(known, 6100)
        (small / "log").rename(small / "old")
        (small / "old").unlink()
        relay.process.send_signal(signal.SIGHUP)
        wait_until(lambda: (small / "log").exists(), "the new file")
        message = self.send(relay, ["bob@a.test"])
        wait_until(lambda: message in (small / "log").read_text(), "the log that goes on")

    def test_who_reads_standard_error_may_go(self):
        """`outboxd 2>&1 | a program that ends`: mail flows, lines are lost and counted."""
        receiver = self.receiver()
        relay = self.outbox(route(receiver.port), start=False)
        relay.log.touch()
        reader, writer = os.pipe()
        relay.process = self.spawn([BIN / "outboxd", "--config", relay.config],
                                   stdout=subprocess.PIPE, stderr=writer, text=True)
        os.close(writer)
        self.assertEqual(relay.process.stdout.readline(), "outboxd ready\n")
        os.close(reader)
        for i in range(2):
            self.send(relay, ["bob@a.test"])
            receiver.wait_for(i + 1)
            lost = wait_until(lambda: relay.stats()["log_dropped_total"], "lost lines")
        self.assertGreater(lost, 0)
        relay.process.send_signal(signal.SIGHUP)
        relay.wait_for_stats("the empty queue", queued=0, delivered_total=2)
        relay.check_ledger()
        self.assertEqual(relay.stop(), 0)

    def test_who_reads_standard_error_may_hang(self):
        """Neither mail into Maildirs, nor the operator, nor the stop waits for him."""
        mail = self.dir / "mail"
        mail.mkdir()
        relay = self.outbox(f'''
[local]
domains   = ["here.test"]
maildir   = "{mail}/{{user}}"
mailboxes = ["alice"]
''', start=False)
        relay.log.touch()
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        relay.process = self.spawn([BIN / "outboxd", "--config", relay.config],
                                   stdout=subprocess.PIPE, stderr=writer, text=True)
        os.close(writer)
        self.assertEqual(relay.process.stdout.readline(), "outboxd ready\n")
        for _ in range(40):
            self.send(relay, ["alice@here.test"])
        relay.wait_for_stats("the empty queue", queued=0, delivered_total=40)
        wait_until(lambda: relay.stats()["log_dropped_total"], "lost lines")
        self.assertEqual(len(list((mail / "alice" / "new").iterdir())), 40)
        self.assertEqual(relay.stop(), 0)


if __name__ == "__main__":
    main()
