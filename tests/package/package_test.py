"""The Debian packages: installed, running as their unit says, upgraded with mail queued, purged."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from harness import BIN, PATIENCE, Receiver, wait_until  # noqa: E402
from sandbox import Service, Unit  # noqa: E402
from system import INSIDE, VAR, System, archive_of, go_inside, run  # noqa: E402

NEXT = "0.1.0+next"  # later than what packaging/debian/changelog has


def packages(version=None):
    output = VAR / (version or "first")
    if not os.environ.get(INSIDE):
        run("rm", "-rf", output)
        run(ROOT / "packaging/build", "--from", BIN, "--output", output,
            *(["--version", version] if version else []))
    return sorted(output.glob("outbox*.deb"))


class Packages(unittest.TestCase):
    def setUp(self):
        self.first, self.next = packages(), packages(NEXT)
        self.system = System(archive_of(self.first))
        self.addCleanup(self.system.close)
        self.answer = None  # of the receiver; None: it takes everything
        self.receiver = Receiver(on_rcpt=lambda address: self.answer)
        self.addCleanup(self.receiver.close)
        self.output = VAR / "outboxd.log"
        self.output.write_bytes(b"")

    def start(self):
        service = Service(self.system, Unit(self.system.path("/lib/systemd/system/outbox.service")),
                          self.output)
        self.addCleanup(service.end)
        return service

    def configure(self):
        """What an administrator does: a smart host."""
        config = self.system.path("/etc/outbox/outbox.toml")
        config.write_text(config.read_text() + f'\n[[route]]\nmatch = "*"\n'
                          f'via = ["127.0.0.1:{self.receiver.port}"]\n')

    def sendmail(self, number, status=0):
        done = self.system.as_nobody(
            "/usr/sbin/sendmail", "-t",
            text=f"To: u{number}@example.net\nSubject: {number}\n\nx\n")
        self.assertEqual((done.returncode, done.stdout), (status, ""))

    def received(self):
        return sorted(m.recipients[0] for m in self.receiver.messages)

    def queued(self):
        return self.system.run("outbox", "queue", "--json").count("\n")

    def test_the_life_of_a_package(self):
        system = self.system
        system.dpkg("-i", *self.first)
        self.look_at_what_is_installed()
        self.configure()

        # It runs as its unit says, port 25 and all; mail goes.
        service = self.start()
        self.look_at_the_process(service.process.pid)
        self.sendmail(1)
        wait_until(lambda: self.received() == ["u1@example.net"], "mail from sendmail")
        header = self.receiver.messages[0].header_section().decode()
        self.assertIn(f"(uid:{system.user('nobody')[0]})", header)
        self.assertEqual(self.receiver.messages[0].sender.split("@")[0], "nobody")
        self.rotate_the_log()
        self.assertIn("outbox 0.1.0", system.run("outbox", "--version"))
        # The queue is for root and for members of the group.
        self.assertIn("Mail queue is empty", system.run("mailq"))
        self.assertEqual(system.as_nobody("/usr/bin/mailq").returncode, 77)

        # Mail waits in the queue, and, while the daemon is down, in the maildrop.
        self.answer = "450 4.2.1 later"
        for number in range(2, 7):
            self.sendmail(number)
        wait_until(lambda: self.queued() == 5, "queued mail")
        service.stop()
        self.sendmail(7)
        self.assertNotEqual(system.as_nobody("ls", "/var/spool/outbox-maildrop").returncode, 0)
        denied = system.as_nobody("touch", "/var/spool/outbox-maildrop/1-1.0-x")
        self.assertNotEqual(denied.returncode, 0)

        # The upgrade leaves the configuration and the mail alone.
        before = system.path("/etc/outbox/outbox.toml").read_bytes()
        system.dpkg("-i", *self.next)
        self.assertEqual(system.path("/etc/outbox/outbox.toml").read_bytes(), before)
        self.assertEqual(system.mode("/usr/lib/outbox/outbox-drop"), "root:outbox-drop 2755")
        self.assertIn(NEXT, system.run("dpkg-query", "-W", "outbox", "outbox-sendmail"))
        self.answer = None
        service = self.start()
        system.run("outbox", "retry", "--all")
        everything = [f"u{number}@example.net" for number in range(1, 8)]
        wait_until(lambda: self.received() == everything, "all mail, once")

        # Who purges it with mail queued keeps the mail.
        self.answer = "450 4.2.1 later"
        self.sendmail(8)
        wait_until(lambda: self.queued() == 1, "queued mail")
        service.stop()
        said = system.dpkg("--purge", "outbox", "outbox-sendmail")
        self.assertIn("/var/spool/outbox has queued mail and stays", said)
        self.check_that_only_these_stay("/var/spool/outbox")
        system.dpkg("-i", *self.next)
        self.configure()
        self.answer = None
        service = self.start()
        system.run("outbox", "retry", "--all")
        wait_until(lambda: "u8@example.net" in self.received(), "the mail that was kept")
        wait_until(lambda: self.queued() == 0, "an empty queue")
        service.stop()
        system.dpkg("--purge", "outbox-sendmail", "outbox")
        self.check_that_only_these_stay()
        self.assertEqual(system.run("dpkg", "--audit"), "")

    def look_at_what_is_installed(self):
        system = self.system
        self.assertEqual(system.run("dpkg", "--audit"), "")
        for place, mode in {
            "/var/spool/outbox": "outbox:outbox 700",
            "/var/spool/outbox-maildrop": "outbox:outbox-drop 1770",
            "/var/log/outbox": "outbox:adm 2750",
            "/etc/outbox/outbox.toml": "root:outbox 640",
            "/usr/sbin/sendmail": "root:root 755",
            "/usr/lib/outbox/outbox-drop": "root:outbox-drop 2755",
        }.items():
            self.assertEqual(system.mode(place), mode, place)
        for link in ["/usr/bin/mailq", "/usr/bin/newaliases", "/usr/lib/sendmail"]:
            self.assertEqual(system.run("readlink", "-f", link).strip(), "/usr/sbin/sendmail")
        config = system.path("/etc/outbox/outbox.toml").read_text()
        self.assertRegex(config, r'(?m)^hostname = "[A-Za-z0-9-]+\.[A-Za-z0-9.-]+"$')
        self.assertNotIn("relay.example.com", config)
        self.assertIn("good", system.run("outboxd", "--check"))
        # Nobody's mail but this machine's.
        self.assertEqual(re.findall(r'(?m)^(?:address|relay_from) *= (.*)$', config),
                         ['"127.0.0.1:25"', '["127.0.0.0/8"]', '"unix:/run/outbox/submit.sock"'])
        completion = system.path("/usr/share/bash-completion/completions/outbox").read_text()
        self.assertIn("complete", completion)
        self.assertEqual(system.run("newaliases"), "")

    def look_at_the_process(self, pid):
        status = dict(line.split(":\t", 1) for line in pathlib.Path(
            f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
        uid, gid = self.system.user("outbox")
        self.assertEqual(status["Uid"].split(), [str(uid)] * 4)
        self.assertEqual(status["Gid"].split(), [str(gid)] * 4)
        for capabilities in ["CapPrm", "CapEff", "CapBnd", "CapAmb"]:
            self.assertEqual(int(status[capabilities], 16), 1 << 10, capabilities)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        root = os.statvfs(f"/proc/{pid}/root/etc")
        self.assertTrue(root.f_flag & os.ST_RDONLY)
        self.assertFalse(os.statvfs(f"/proc/{pid}/root/var/spool/outbox").f_flag & os.ST_RDONLY)

    def rotate_the_log(self):
        log = "/var/log/outbox/outbox.log"
        self.assertEqual(self.system.mode(log), "outbox:adm 640")
        old = self.system.path(log).read_text()
        self.system.run("logrotate", "--force", "/etc/logrotate.d/outbox")
        wait_until(lambda: "reloaded" in self.system.path(log).read_text(), "a new log")
        self.assertEqual(self.system.mode(log), "outbox:adm 640")
        self.assertTrue(self.system.path(log + ".1").read_text().startswith(old))

    def check_that_only_these_stay(self, *places):
        for place in ["/etc/outbox", "/var/log/outbox", "/var/spool/outbox",
                      "/var/spool/outbox-maildrop", "/usr/sbin/outboxd", "/usr/sbin/sendmail",
                      "/usr/lib/outbox", "/etc/logrotate.d/outbox", "/usr/share/outbox"]:
            self.assertEqual(self.system.path(place).exists(), place in places, place)
        self.assertNotIn("outbox-drop", self.system.run("dpkg-statoverride", "--list", "*")
                         if self.system.path("/var/lib/dpkg/statoverride").stat().st_size else "")


class TheUnit(unittest.TestCase):
    def test_how_exposed_it_is(self):
        unit = ROOT / "packaging/debian/outbox.service"
        said = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
        exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said).group(1))
        print(f"systemd-analyze security: {exposure}", flush=True)
        self.assertLess(exposure, 2.0)

    def test_a_stop_is_not_cut_short(self):
        # outboxd takes stop_timeout, 10 s by itself, and 20 s more at the very worst.
        self.assertGreater(int(Unit(ROOT / "packaging/debian/outbox.service").one(
            "TimeoutStopSec")), 30)


class Lintian(unittest.TestCase):
    def test_debians_judge_has_nothing_to_say(self):
        done = subprocess.run(["lintian", "--allow-root", *map(str, packages())],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=PATIENCE * 10)
        self.assertEqual((done.returncode, done.stdout), (0, ""))


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("NOT TRIED: packages are installed by root")
        sys.exit(77)
    if not os.environ.get(INSIDE):
        archive_of([*packages(), *packages(NEXT)])
    go_inside()
    unittest.main(verbosity=2)
