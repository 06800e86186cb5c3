"""AUTH on listeners, as swaks, curl, msmtp and Python's smtplib see it."""

import json
import re
import smtplib
import ssl
import subprocess
import time

from certificates import Certificates
from harness import BIN, PATIENCE, Scenario, main, route, wait_until

LISTENER = """
[[listener]]
address = "127.0.0.1:{port}"
"""

PASSWORD = "correct horse: \"battery\" staple"


def mkpasswd(password, method="yescrypt"):
    """As the documentation tells to make one."""
    done = subprocess.run(["mkpasswd", "-s", "-m", method], input=password, capture_output=True,
                          text=True, check=True)
    return done.stdout.strip()


HASHES = {method: mkpasswd(PASSWORD, method)
          for method in ("yescrypt", "sha512crypt", "bcrypt", "sha256crypt")}


class AuthIn(Scenario):
    def setUp(self):
        super().setUp()
        self.certificates = Certificates(self.dir)
        self.certificate, self.key = self.certificates.issue("relay", "relay.outbox.test")
        self.users = self.dir / "users"
        self.write_users(f"ann:{HASHES['yescrypt']}\n")

    def write_users(self, text):
        self.users.write_text(text)
        self.users.chmod(0o640)

    def relay(self, receiver, tls="opportunistic", auth="offered", more="", config="",
              listener=True, **options):
        keys = [f'auth = "{auth}"', f'auth_users = "{self.users}"', more]
        if tls != "none":
            keys += [f'tls = "{tls}"', f'tls_certificate = "{self.certificate}"',
                     f'tls_key = "{self.key}"']
        self.receiver_ = receiver
        return self.outbox(config + route(receiver.port),
                           listener=LISTENER + "\n".join(keys) + "\n", **options)

    def context(self):
        context = ssl.create_default_context(cafile=str(self.certificates.ca))
        context.check_hostname = False
        return context

    def smtp(self, relay, starttls=True):
        client = smtplib.SMTP("127.0.0.1", relay.port, timeout=PATIENCE)
        self.addCleanup(client.close)
        client.ehlo("app.test")
        if starttls:
            client.starttls(context=self.context())
            client.ehlo("app.test")
        return client

    def received(self, count=1):
        head = self.receiver_.wait_for(count)[-1].header_section().decode()
        return " ".join(head.split("Subject:")[0].split())

    def run_program(self, *arguments, **options):
        return subprocess.run([str(a) for a in arguments], capture_output=True, text=True,
                              timeout=PATIENCE, **options)

    def swaks(self, relay, *arguments):
        return self.run_program("swaks", "--server", f"127.0.0.1:{relay.port}", "--from",
                                "ann@app.test", "--to", "b@one.test", *arguments)

    def test_every_hash_with_smtplib(self):
        self.write_users("# users\n" + "".join(
            f"{method}@app.test:{text}\n" for method, text in HASHES.items()))
        relay = self.relay(self.receiver())
        for count, method in enumerate(HASHES, 1):
            client = self.smtp(relay)
            self.assertEqual(client.esmtp_features["auth"].split(), ["PLAIN", "LOGIN"])
            code, text = client.login(f"{method}@app.test", PASSWORD)
            self.assertEqual((code, text), (235, b"2.7.0 Authentication succeeded"))
            client.sendmail("a@app.test", ["b@one.test"], "Subject: x\r\n\r\nhi\r\n")
            self.assertIn("with ESMTPSA id ", self.received(count))
            relay.wait_for_log(f'"user":"{method}@app.test","mechanism":"PLAIN"')
        stats = relay.stats()
        self.assertEqual((stats["auth_in_total"], stats["auth_in_failed_total"]), (4, 0))
        self.assertNotIn("horse", relay.log_text())

    def test_swaks(self):
        relay = self.relay(self.receiver())
        count = 0
        for how in ("PLAIN", "LOGIN"):
            for tls in ("--tls",):
                done = self.swaks(relay, tls, "--auth", how, "--auth-user", "ann",
                                  "--auth-password", PASSWORD)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                count += 1
                self.assertIn("with ESMTPSA id ", self.received(count))
                relay.wait_for_log(f'"user":"ann","mechanism":"{how}"')
        done = self.swaks(relay, "--tls", "--auth", "PLAIN", "--auth-user", "ann",
                          "--auth-password", "wrong")
        self.assertIn("535 5.7.8", done.stdout)
        self.assertEqual(done.returncode, 28, done.stdout)
        done = self.swaks(relay, "--tls")
        self.assertIn("550 5.7.1", done.stdout)

    def test_implicit_tls(self):
        relay = self.relay(self.receiver(), tls="implicit")
        for count, how in enumerate(("PLAIN", "LOGIN"), 1):
            done = self.swaks(relay, "--tls-on-connect", "--auth", how, "--auth-user", "ann",
                              "--auth-password", PASSWORD)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("with ESMTPSA id ", self.received(count))
        with smtplib.SMTP_SSL("127.0.0.1", relay.port, timeout=PATIENCE,
                              context=self.context()) as client:
            client.login("ann", PASSWORD)
            client.sendmail("a@app.test", ["b@one.test"], "Subject: x\r\n\r\nhi\r\n")
        self.receiver_.wait_for(3)

    def test_curl(self):
        relay = self.relay(self.receiver())
        mail = self.dir / "mail"
        mail.write_bytes(b"Subject: x\r\n\r\nhi\r\n")
        for count, how in enumerate(("PLAIN", "LOGIN"), 1):
            done = self.run_program(
                "curl", "-sS", "--ssl-reqd", "--cacert", self.certificates.ca, "--connect-to",
                f"relay.outbox.test:25:127.0.0.1:{relay.port}", "smtp://relay.outbox.test:25",
                "--login-options", f"AUTH={how}", "--user", f"ann:{PASSWORD}", "--mail-from",
                "ann@app.test", "--mail-rcpt", "b@one.test", "-T", mail)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("with ESMTPSA id ", self.received(count))
            relay.wait_for_log(f'"user":"ann","mechanism":"{how}"')

    def test_msmtp(self):
        relay = self.relay(self.receiver())
        secret = self.dir / "secret"
        secret.write_text(PASSWORD)
        for count, how in enumerate(("plain", "login"), 1):
            done = self.run_program(
                "msmtp", "--host=127.0.0.1", f"--port={relay.port}", "--tls=on",
                "--tls-starttls=on", f"--tls-trust-file={self.certificates.ca}",
                "--tls-host-override=relay.outbox.test", f"--auth={how}", "--user=ann",
                f"--passwordeval=cat {secret}", "--from=ann@app.test", "b@one.test",
                input="Subject: x\n\nhi\n")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("with ESMTPSA id ", self.received(count))

    def test_in_plain_text_only_where_that_is_meant(self):
        relay = self.relay(self.receiver())
        client = relay.client()
        self.assertFalse([line for line in client.ehlo() if line.startswith("AUTH")])
        code, text = client.say("AUTH PLAIN AGFubgB4")
        self.assertEqual((code, text[:6]), (538, "5.7.11"))
        relay.end()
        relay = self.relay(self.receiver(), tls="none", more="auth_without_tls = true")
        done = self.swaks(relay, "--auth", "LOGIN", "--auth-user", "ann", "--auth-password",
                          PASSWORD)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("with ESMTPA id ", self.received())

    def test_required(self):
        relay = self.relay(self.receiver(), auth="required", more='relay_from = "127.0.0.1"')
        client = relay.client()
        client.ehlo()
        self.assertRegex(client.say("MAIL FROM:<a@app.test>")[1], "^5.7.0 Authentication required")
        client = self.smtp(relay)
        with self.assertRaises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail("a@app.test", ["b@one.test"], "Subject: x\r\n\r\nhi\r\n")
        self.assertEqual(refused.exception.smtp_code, 530)
        client.login("ann", PASSWORD)
        client.sendmail("a@app.test", ["b@one.test"], "Subject: x\r\n\r\nhi\r\n")
        self.received()

    def test_senders_and_rates(self):
        self.write_users(f"ann:{HASHES['yescrypt']}:senders=*@app.test messages=2/h\n")
        relay = self.relay(self.receiver())
        client = self.smtp(relay)
        client.login("ann", PASSWORD)
        code, text = client.docmd("MAIL FROM:<boss@else.test>")
        self.assertEqual(code, 553)
        self.assertIn(b"5.7.1 User ann may not send as <boss@else.test>", text)
        for _ in range(2):
            client.sendmail("a@app.test", ["b@one.test"], "Subject: x\r\n\r\nhi\r\n")
        code, text = client.docmd("MAIL FROM:<a@app.test>")
        self.assertEqual(code, 450)
        self.assertRegex(text.decode(), r"4\.7\.1 User ann has sent the 2/h messages that are "
                         r"allowed; the next one is taken in 1[78]\d\d s, at 20\d\d-")
        # A reload forgets nothing of it; new rights count from the next connection on.
        self.write_users(f"ann:{HASHES['yescrypt']}:messages=2/h\n")
        relay.cli("reload")
        client = self.smtp(relay)
        client.login("ann", PASSWORD)
        self.assertEqual(client.docmd("MAIL FROM:<boss@else.test>")[0], 450)
        stats = relay.stats()
        self.assertEqual(stats["auth_in_senders_refused_total"], 1)
        self.assertEqual(stats["auth_in_rate_refused_total"], 2)

    def test_guesses(self):
        relay = self.relay(self.receiver(), config='[auth]\nmax_failures = 3\nrefuse_for = "3s"\n')
        client = self.smtp(relay)
        took = []
        for user in ("ann", "nobody", "ann"):
            began = time.monotonic()
            self.assertEqual(client.docmd("AUTH", f"PLAIN {self.plain(user, 'guess')}")[0], 535)
            took.append(time.monotonic() - began)
        self.assertTrue(all(t >= 2 ** i for i, t in enumerate(took)), took)
        code, text = client.docmd("AUTH", f"PLAIN {self.plain('ann', PASSWORD)}")
        # What the third was held back for has been longer than the address is refused.
        self.assertIn(code, (235, 421), text)
        relay.wait_for_log('"event":"auth_address_refused"')
        relay.wait_for_log('"event":"auth_failed","client":"127.0.0.1","user":"nobody"')
        self.assertEqual(relay.stats()["auth_in_failed_total"], 3)

        def welcome():
            client = self.smtp(relay)
            return client.docmd("AUTH", f"PLAIN {self.plain('ann', PASSWORD)}")[0] == 235
        wait_until(welcome, "the address to be taken again")

    @staticmethod
    def plain(user, password):
        import base64
        return base64.b64encode(f"\0{user}\0{password}".encode()).decode()

    def test_guesses_cost_the_mail_nothing(self):
        """While many passwords are compared the relay takes and delivers mail."""
        receiver = self.receiver()
        relay = self.relay(receiver, more='relay_from = "127.0.0.1"',
                           config='[auth]\nmax_failures = 200\n')
        guessing = [self.smtp(relay) for _ in range(30)]
        for client in guessing:
            client.sock.sendall(f"AUTH PLAIN {self.plain('ann', 'guess')}\r\n".encode())
        sender = relay.client()
        for i in range(20):
            reply = sender.deliver(["b@one.test"], b"Subject: x\r\n\r\nhi\r\n", ehlo=i == 0)
            self.assertEqual(reply[0], 250)
        receiver.wait_for(20)

    def test_the_classic_log(self):
        relay = self.relay(self.receiver(), config='[log]\nformat = "classic"\n')
        client = self.smtp(relay)
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            client.docmd("AUTH", f"LOGIN {self.plain('x', 'x')}")
            client.docmd("*")
            client.login("ann", "guess")
        client = self.smtp(relay)
        client.login("ann", PASSWORD)
        client.sendmail("a@app.test", ["b@one.test"], "Subject: x\r\n\r\nhi\r\n")
        relay.wait_for_log(": client=unknown[127.0.0.1], sasl_method=PLAIN, sasl_username=ann\n")
        # What fail2ban's filter for Postfix looks for.
        wait_until(lambda: re.search(
            r"warning: [-._\w]+\[127\.0\.0\.1\]: SASL ((?i:LOGIN|PLAIN|(?:CRAM|DIGEST)-MD5)) "
            r"authentication failed:", relay.log_text()), "the failure")

    def test_a_bad_file_is_refused_and_the_old_one_goes_on(self):
        relay = self.relay(self.receiver())
        self.write_users(f"ann:{HASHES['yescrypt']}\nbob:plain-password\n")
        done = relay.cli("reload", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"{self.users}:2:5: what stands there is no hash that libcrypt knows; "
                      "expected one that \"mkpasswd -m yescrypt\" has made", done.stderr)
        self.assertNotIn("plain-password", done.stderr + relay.log_text())
        self.smtp(relay).login("ann", PASSWORD)
        # Who is not in the new file is nobody any more.
        self.write_users(f"bob:{HASHES['yescrypt']}\n")
        relay.cli("reload")
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            self.smtp(relay).login("ann", PASSWORD)
        self.smtp(relay).login("bob", PASSWORD)
        self.users.unlink()
        done = relay.cli("reload", check=False)
        self.assertRegex(done.stderr, r"outbox\.toml:\d+:\d+: the users' file .* cannot be read: "
                         "No such file or directory")

    def test_doctor(self):
        relay = self.relay(self.receiver(), start=False)

        def look():
            done = self.run_program(BIN / "outbox", "doctor", "--config", relay.config, "--only",
                                    "files", "--json")
            return [json.loads(line) for line in done.stdout.splitlines()], done
        found, done = look()
        self.assertTrue(any(f["level"] == "ok" and "1 users" in f["finding"] for f in found),
                        done.stdout + done.stderr)
        self.write_users(f"ann:{mkpasswd(PASSWORD, 'md5crypt')}\n")
        self.users.chmod(0o644)
        found, done = look()
        words = " ".join(f["finding"] for f in found if f["level"] == "warn")
        self.assertIn("everybody may read the hashes", words, done.stdout)
        self.assertIn("guessed quickly", words)


if __name__ == "__main__":
    main()
