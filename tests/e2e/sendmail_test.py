"""Programs of this machine hand in mail by /usr/sbin/sendmail: to the daemon, or, while that is not
there, into the maildrop, from which it comes out when it is."""

import os
import signal
import socket
import subprocess
import threading

from harness import (BIN, DEFAULT_CONFIG, LISTENER, PATIENCE, Scenario, main, route,
                     wait_until)

SUBMIT = """
[[listener]]
address = "unix:{submit}"
max_size = "1MiB"
"""


class Sendmail(Scenario):
    def relay(self, config, **options):
        self.drop = self.dir / "drop"
        self.drop.mkdir()
        self.submit = self.dir / "submit.sock"
        head = DEFAULT_CONFIG.replace("[storage]", f'maildrop = "{self.drop}"\n[storage]')
        listener = LISTENER + SUBMIT.replace("{submit}", str(self.submit))
        return self.outbox(config, head=head, listener=listener, **options)

    def sendmail(self, *arguments, text=b"Subject: hi\n\ntext\n", name="outbox-sendmail", **env):
        environment = dict(os.environ, OUTBOX_SUBMIT=str(self.submit),
                           OUTBOX_MAILDROP=str(self.drop), OUTBOX_DROP=str(BIN / "outbox-drop"),
                           **env)
        return subprocess.run([name, *arguments], executable=BIN / "outbox-sendmail", input=text,
                              capture_output=True, env=environment, timeout=PATIENCE)

    def files(self):
        return sorted(p for p in self.drop.iterdir() if p.name[0].isdigit())

    def test_a_program_sends_mail(self):
        receiver = self.receiver()
        relay = self.relay(route(receiver.port))
        text = ("To: Bob <bob@b.test>\nBcc: eve@b.test\nSubject: gr\u00fc\u00dfe\n\n"
                ".\n..two\rthree\r\n\u00e9nd").encode()
        done = self.sendmail("-t", "-i", "-f", "app@here.test", "-F", "The App", text=text)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        messages = receiver.wait_for(1)
        taken = [r for m in messages for r in m.recipients]
        if len(taken) < 2:
            taken = [r for m in receiver.wait_for(2) for r in m.recipients]
        self.assertEqual(sorted(taken), ["bob@b.test", "eve@b.test"])
        message = receiver.messages[0]
        self.assertEqual(message.sender, "app@here.test")
        header = message.header_section().decode()
        user = f"(uid:{os.getuid()})"
        self.assertIn(f"Received: from localhost {user}\r\n\tby relay.outbox.test", header)
        self.assertIn("From: The App <app@here.test>\r\n", header)
        self.assertIn("\r\nMessage-ID: <", header)
        self.assertIn("\r\nDate: ", header)
        self.assertNotIn("eve", header)
        body = message.content.split(b"\r\n\r\n", 1)[1]
        self.assertEqual(body, ".\r\n..two\r\nthree\r\n\u00e9nd\r\n".encode())
        wait_until(lambda: f'"client":"uid:{os.getuid()}"' in relay.log_text(), "a line of the log")
        relay.check_ledger()

    def test_a_refusal_is_an_exit_status(self):
        receiver = self.receiver()
        self.relay('\n[[route]]\nmatch = "bad.test"\nvia = "reject not there"\n'
                   + route(receiver.port))
        done = self.sendmail("a@b.test", "c@bad.test")
        self.assertEqual(done.returncode, 69)
        self.assertIn(b"c@bad.test: 550 5.7.1 not there", done.stderr)
        self.assertIn(b"nothing was sent", done.stderr)
        # Refused for good: neither sent to the others nor kept.
        self.assertEqual(self.files(), [])
        self.assertEqual(receiver.messages, [])
        self.assertEqual(self.sendmail("a@b.test", text=b"x" * (2 << 20)).returncode, 65)
        self.assertEqual(self.sendmail("a@b.test", text=b"x" * 200000).returncode, 65)
        self.assertEqual(self.sendmail().returncode, 64)
        self.assertEqual(self.sendmail("-zz").returncode, 64)
        self.assertEqual(self.sendmail("a b").returncode, 64)
        self.assertEqual(self.sendmail(name="newaliases").returncode, 0)
        self.assertEqual(self.sendmail("-q").returncode, 0)

    def test_down_and_up_again(self):
        receiver = self.receiver()
        relay = self.relay(route(receiver.port), start=False)
        for number in range(5):
            done = self.sendmail("-i", "-f", "me@here.test", f"u{number}@b.test",
                                 text=b"Subject: %d\n\n.x\n" % number)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(len(self.files()), 5)
        self.assertEqual(self.files()[0].stat().st_mode & 0o777, 0o640)
        relay.start()
        messages = receiver.wait_for(5)
        wait_until(lambda: not self.files(), "the maildrop to be empty")
        self.assertEqual(sorted(m.recipients[0] for m in messages),
                         [f"u{n}@b.test" for n in range(5)])
        header = messages[0].header_section().decode()
        self.assertIn(f"Received: from maildrop (uid:{os.getuid()})\r\n", header)
        # What comes while the daemon runs and cannot take it is not forgotten either.
        self.assertEqual(relay.stop(), 0)
        self.assertEqual(self.sendmail("later@b.test").returncode, 0)
        relay.start()
        receiver.wait_for(6)
        wait_until(lambda: not self.files(), "the maildrop to be empty")
        self.assertEqual(len(receiver.messages), 6)

    def test_killed_while_it_empties_the_maildrop(self):
        receiver = self.receiver()
        relay = self.relay(route(receiver.port), start=False)
        sent = 0
        interrupted = 0
        for _ in range(4):
            for sent in range(sent + 1, sent + 61):
                self.assertEqual(self.sendmail(f"u{sent}@b.test").returncode, 0)
            before = len(self.files())
            relay.start()
            wait_until(lambda: len(self.files()) < before - 5, "some mail")
            relay.kill()
            interrupted += bool(self.files())
        self.assertGreater(interrupted, 0)
        relay.start()
        wait_until(lambda: not self.files(), "the maildrop to be empty")
        relay.wait_for_stats("all mail to be sent", queued=0)
        recipients = {m.recipients[0] for m in receiver.messages}
        self.assertEqual(recipients, {f"u{n}@b.test" for n in range(1, sent + 1)})
        # Of each death at most one message was taken whose file was still there, and at most what
        # was being sent just then goes out again.
        self.assertEqual(relay.stats()["bounced_total"], 0)

    def test_what_is_wrong_is_put_aside(self):
        receiver = self.receiver()
        relay = self.relay('\n[[route]]\nmatch = "bad.test"\nvia = "reject no such domain"\n'
                           + route(receiver.port), start=False)
        (self.drop / "1-1.0-a").write_bytes(b"outbox-maildrop 1\nrecipient a@b.test\ncontent 99\nx")
        (self.drop / "1-2.0-link").symlink_to("/etc/passwd")
        (self.drop / "1-3.0-dir").mkdir()
        os.mkfifo(self.drop / "1-4.0-fifo")
        self.assertEqual(self.sendmail("-f", "", "x@bad.test").returncode, 0)
        self.assertEqual(self.sendmail("-f", "me@b.test", "x@bad.test", "y@b.test").returncode, 0)
        old = self.drop / ".1-5.0-old"
        old.write_bytes(b"outbox-maildrop 1\n")
        os.utime(old, (1, 1))
        relay.start()
        messages = receiver.wait_for(2)
        wait_until(lambda: not self.files(), "the maildrop to be empty")
        self.assertFalse(old.exists())
        bad = {p.name.split("-", 1)[1][:3]: p for p in (self.drop / "bad").iterdir()
               if p.suffix == ".reason"}
        self.assertEqual(len(bad), 5)
        self.assertIn("expected the number of bytes that follow, 1", bad["1.0"].read_text())
        self.assertIn("cannot be opened", bad["2.0"].read_text())
        self.assertIn("not a file of its own", bad["3.0"].read_text())
        self.assertIn("not a file of its own", bad["4.0"].read_text())
        # One of two recipients was refused: the other has the mail, the sender knows.
        by = {m.recipients[0]: m for m in messages}
        self.assertIn(b"Subject: hi", by["y@b.test"].content)
        self.assertEqual(by["me@b.test"].sender, "")
        self.assertIn(b"x@bad.test\r\n    550 5.7.1 no such domain", by["me@b.test"].content)
        wait_until(lambda: relay.log_text().count("maildrop_bad") == 5, "five lines of the log")
        relay.check_ledger()

    def test_a_session_on_standard_input(self):
        receiver = self.receiver()
        relay = self.relay(route(receiver.port))
        # Lines may end as in a file.
        done = self.sendmail("-bs", text=b"EHLO me\nMAIL FROM:<a@b.test>\nRCPT TO:<c@b.test>\n"
                             b"DATA\nSubject: s\n\nx\n.\nQUIT\n")
        self.assertEqual(done.returncode, 0)
        codes = [line[:3] for line in done.stdout.split(b"\r\n") if line[3:4] == b" "]
        self.assertEqual(codes, [b"220", b"250", b"250", b"250", b"354", b"250", b"221"])
        receiver.wait_for(1)
        relay.stop()
        done = self.sendmail("-bs", text=b"EHLO me\r\n")
        self.assertEqual((done.returncode, done.stdout[:4]), (75, b"421 "))

    def test_mailq(self):
        receiver = self.receiver(on_rcpt=lambda address: "450 4.2.1 mailbox busy")
        relay = self.relay(route(receiver.port))
        control = {"OUTBOX_CONTROL": str(relay.control)}
        done = self.sendmail(name="mailq", **control)
        self.assertEqual((done.returncode, done.stdout), (0, b"Mail queue is empty\n"))
        self.sendmail("-f", "me@here.test", "a@b.test", "c@b.test")
        wait_until(lambda: [r for r in relay.queue() if r["last_reply"]], "a deferral")
        done = self.sendmail("-bp", **control)
        self.assertEqual(done.returncode, 0)
        lines = done.stdout.decode().splitlines()
        self.assertTrue(lines[0].startswith("-Queue ID-"))
        self.assertRegex(lines[1], r"^\w{13}[ *] +\d+ \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d  "
                         r"me@here\.test$")
        self.assertIn("(450 4.2.1 mailbox busy)", done.stdout.decode())
        self.assertIn(" " * 41 + "a@b.test", lines)
        self.assertIn(" " * 41 + "c@b.test", lines)
        self.assertRegex(lines[-1], r"^-- 1 Kbytes in 1 Request\.$")
        relay.stop()
        self.assertEqual(self.sendmail(name="mailq", **control).returncode, 69)

    def test_dsn_options_are_passed_on_where_the_daemon_takes_them(self):
        self.relay(route(1), start=False)
        said = []
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(str(self.submit))
        server.listen(1)

        def serve():
            connection = server.accept()[0]
            self.addCleanup(connection.close)
            stream = connection.makefile("rwb", buffering=0)
            self.addCleanup(stream.close)
            stream.write(b"220 x\r\n")
            while line := stream.readline():
                said.append(line.decode().strip())
                stream.write(b"250-x\r\n250 DSN\r\n" if line.startswith(b"EHLO")
                             else b"354 go\r\n" if line.startswith(b"DATA")
                             else b"" if not line.startswith((b"MAIL", b"RCPT", b".\r"))
                             else b"250 2.0.0 Ok\r\n")
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        done = self.sendmail("-N", "success", "-R", "full", "-V", "id=1", "-f", "a@b.test",
                             "c@b.test")
        self.assertEqual(done.returncode, 0)
        self.assertIn("MAIL FROM:<a@b.test> RET=FULL ENVID=id+3D1", said)
        self.assertIn("RCPT TO:<c@b.test> NOTIFY=SUCCESS", said)

    def test_the_maildrop_has_one_owner_and_bounds(self):
        relay = self.relay(route(1), start=False)
        self.drop.rmdir()
        done = self.sendmail("a@b.test")
        self.assertEqual(done.returncode, 75)
        self.assertIn(b"No such file or directory", done.stderr)
        start = subprocess.run([BIN / "outboxd", "--config", relay.config], capture_output=True,
                               text=True, timeout=PATIENCE)
        self.assertEqual(start.returncode, 1)
        self.assertIn(f"the maildrop {self.drop}: No such file or directory", start.stderr)
        self.drop.mkdir()
        for number in range(10000):
            (self.drop / f".{os.getuid()}-{number}").touch()
        done = self.sendmail("a@b.test")
        self.assertEqual(done.returncode, 75)
        self.assertIn(b"10000 messages of yours wait", done.stderr)
        # The program with the group looks at what it is given.
        env = dict(os.environ, OUTBOX_MAILDROP=str(self.drop))
        drop = subprocess.run([BIN / "outbox-drop"], input=b"x\n", env=env, capture_output=True)
        self.assertEqual(drop.returncode, 65)
        self.assertEqual(drop.stderr, b'outbox-drop: line 1: expected "outbox-maildrop 1"\n')


class ServiceManager(Scenario):
    def test_it_is_told_what_the_daemon_does(self):
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.settimeout(PATIENCE)
        path = self.dir / "notify"
        manager.bind(str(path))
        os.environ["NOTIFY_SOCKET"] = str(path)
        os.environ["WATCHDOG_USEC"] = "200000"
        try:
            relay = self.outbox(route(1))
        finally:
            del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]

        def next_but(alive=b"WATCHDOG=1\n"):
            while (said := manager.recv(1000)) == alive:
                pass
            return said
        self.assertEqual(manager.recv(1000), b"READY=1\nSTATUS=takes mail\n")
        self.assertEqual(manager.recv(1000), b"WATCHDOG=1\n")
        self.assertEqual(manager.recv(1000), b"WATCHDOG=1\n")
        relay.process.send_signal(signal.SIGHUP)
        self.assertRegex(next_but(), rb"^RELOADING=1\nMONOTONIC_USEC=\d+\n$")
        self.assertEqual(next_but(), b"READY=1\nSTATUS=takes mail\n")
        good = relay.config.read_text()
        relay.config.write_text(good + "nonsense = 1\n")
        self.assertEqual(relay.cli("reload", check=False).returncode, 1)
        self.assertTrue(next_but().startswith(b"RELOADING=1\n"))
        self.assertEqual(next_but(), b"READY=1\nSTATUS=takes mail; the last reload failed\n")
        relay.process.send_signal(signal.SIGTERM)
        self.assertTrue(next_but().startswith(b"STOPPING=1\n"))


if __name__ == "__main__":
    main()
