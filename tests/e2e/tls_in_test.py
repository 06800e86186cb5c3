"""TLS on listeners: STARTTLS and from the first byte, as OpenSSL's programs and swaks see it."""

import json
import smtplib
import ssl
import subprocess

from certificates import Certificates
from harness import BIN, PATIENCE, Scenario, free_port, main, route, wait_until

LISTENER = """
[[listener]]
address    = "127.0.0.1:{port}"
relay_from = ["127.0.0.1/32"]
"""


class TlsIn(Scenario):
    def setUp(self):
        super().setUp()
        self.certificates = Certificates(self.dir)
        self.first = self.certificates.issue("first", "relay.outbox.test")
        self.second = self.certificates.issue("second", "mail.outbox.test", "*.wild.test", rsa=True)

    def relay(self, receiver, tls="opportunistic", files=None, more="", **options):
        certificates, keys = zip(*(files or [self.first]))
        listener = LISTENER + "\n".join([
            f'tls = "{tls}"',
            f"tls_certificate = {json.dumps([str(c) for c in certificates])}",
            f"tls_key = {json.dumps([str(k) for k in keys])}", more]) + "\n"
        return self.outbox(route(receiver.port), listener=listener, **options)

    def context(self, version=None):
        context = ssl.create_default_context(cafile=str(self.certificates.ca))
        if version:
            context.minimum_version = context.maximum_version = version
        return context

    def s_client(self, port, *arguments, commands="QUIT\r\n", starttls=True):
        """What openssl's client prints; `commands` are said when the session is up."""
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile",
                   self.certificates.ca, "-crlf", "-ign_eof", *arguments]
        if starttls:
            command += ["-starttls", "smtp"]
        done = subprocess.run([str(c) for c in command], input=commands.replace("\r\n", "\n"),
                              capture_output=True, text=True, timeout=PATIENCE)
        return done.stdout + done.stderr

    def received(self, receiver):
        head = receiver.wait_for(1)[-1].header_section().decode()
        return " ".join(head.split("Subject:")[0].split())

    def test_mail_over_starttls_says_so(self):
        for version, name, cipher in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2", "tls TLS_ECDHE_ECDSA"),
                                      (ssl.TLSVersion.TLSv1_3, "TLSv1.3", "tls TLS_AES")):
            receiver = self.receiver()
            relay = self.relay(receiver)
            with smtplib.SMTP("127.0.0.1", relay.port, timeout=PATIENCE) as client:
                client._host = "relay.outbox.test"
                client.ehlo("app.test")
                self.assertTrue(client.has_extn("STARTTLS"))
                client.starttls(context=self.context(version))
                self.assertEqual(client.sock.version(), name)
                client.ehlo("app.test")
                self.assertFalse(client.has_extn("STARTTLS"))
                body = "Subject: x\r\n\r\n" + "A line of a message that is large.\r\n" * 20000
                client.sendmail("a@app.test", ["b@one.test"], body)
            received = self.received(receiver)
            self.assertIn("with ESMTPS id ", received)
            self.assertIn(cipher, received)
            self.assertEqual(receiver.messages[0].without_added(b"Subject: x"), body.encode())
            stats = relay.stats()
            self.assertEqual((stats["tls_in_total"], stats["tls_in_failed_total"]), (1, 0))

    def test_from_the_first_byte(self):
        receiver = self.receiver()
        relay = self.relay(receiver, tls="implicit")
        with smtplib.SMTP_SSL("127.0.0.1", relay.port, timeout=PATIENCE,
                              context=self.loose()) as client:
            client.ehlo("app.test")
            self.assertFalse(client.has_extn("STARTTLS"))
            client.sendmail("a@app.test", ["b@one.test"], "Subject: x\r\n\r\nhi\r\n")
        self.assertIn("with ESMTPS id ", self.received(receiver))
        for version in ("-tls1_2", "-tls1_3"):
            said = self.s_client(relay.port, version, starttls=False)
            self.assertIn("Verify return code: 0 (ok)", said)
            self.assertIn("221 2.0.0 Bye", said)

    def loose(self):
        context = self.context()
        context.check_hostname = False
        return context

    def test_openssl_s_client_and_the_end(self):
        relay = self.relay(self.receiver())
        for version in ("-tls1_2", "-tls1_3"):
            said = self.s_client(relay.port, version)
            self.assertIn("Verify return code: 0 (ok)", said)
            self.assertIn("221 2.0.0 Bye", said)
            self.assertNotIn("unexpected eof", said)  # the end is said, not cut
        said = self.s_client(relay.port, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        self.assertNotIn("221 2.0.0", said)
        wait_until(lambda: relay.stats()["tls_in_failed_total"] == 1, "the old version's failure")
        relay.wait_for_log('"event":"tls_failed"')

    def test_the_name_picks_the_certificate(self):
        relay = self.relay(self.receiver(), files=[self.first, self.second])
        for name, subject in (("relay.outbox.test", "first"), ("mail.outbox.test", "second"),
                              ("any.wild.test", "second"), ("else.test", "first")):
            for version in ("-tls1_2", "-tls1_3"):
                said = self.s_client(relay.port, version, "-servername", name)
                self.assertIn(f"subject=CN = {subject}", said)

    def test_a_session_is_resumed_on_whichever_shard(self):
        relay = self.relay(self.receiver())
        session = self.dir / "session"
        for version in ("-tls1_2", "-tls1_3"):
            self.s_client(relay.port, version, "-sess_out", session)
            for _ in range(8):
                said = self.s_client(relay.port, version, "-sess_in", session)
                self.assertIn("Reused, TLSv1", said)
        self.assertEqual(relay.stats()["tls_in_resumed_total"], 16)

    def test_swaks(self):
        receiver = self.receiver()
        relay = self.relay(receiver, tls="required")
        for arguments, code in ((["--tls"], 0), ([], 23)):
            done = subprocess.run(
                ["swaks", "--server", f"127.0.0.1:{relay.port}", "--from", "a@app.test", "--to",
                 "b@one.test", *arguments], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertIn("530 5.7.0", done.stdout)
        self.assertIn("with ESMTPS id ", self.received(receiver))

    def test_commands_slipped_in_before_the_handshake(self):
        receiver = self.receiver()
        relay = self.relay(receiver)
        client = relay.client()
        client.ehlo()
        client.send("STARTTLS\r\nMAIL FROM:<evil@one.test>\r\n")
        self.assertEqual(client.reply()[0], 554)
        self.assertEqual(client.reply(), (None, ""))
        # Those that come behind the answer meet the handshake, which they are none of.
        client = relay.client()
        client.ehlo()
        self.assertEqual(client.say("STARTTLS")[0], 220)
        client.send("MAIL FROM:<evil@one.test>\r\nRCPT TO:<b@one.test>\r\nDATA\r\n")
        self.assertNotIn(b"250", client.file.read())
        wait_until(lambda: relay.stats()["tls_in_failed_total"] == 1, "the handshake's failure")
        self.assertEqual(receiver.messages, [])

    def test_what_was_said_before_is_forgotten(self):
        relay = self.relay(self.receiver())
        client = relay.client()
        client.ehlo()
        self.assertEqual(client.say("STARTTLS please")[0], 501)
        self.assertEqual(client.say("MAIL FROM:<a@app.test>")[0], 250)
        self.assertEqual(client.say("STARTTLS")[0], 503)
        self.assertEqual(client.say("RSET")[0], 250)
        self.assertEqual(client.say("STARTTLS")[0], 220)
        secured = self.context().wrap_socket(client.socket, server_hostname="relay.outbox.test")
        with secured, secured.makefile("rb") as file:
            secured.sendall(b"MAIL FROM:<a@app.test>\r\n")
            self.assertTrue(file.readline().startswith(b"503"))
            secured.sendall(b"EHLO app.test\r\nSTARTTLS\r\n")
            answers = []
            while not answers or not answers[-1].startswith(b"250 "):
                answers.append(file.readline())
            self.assertFalse(any(b"STARTTLS" in line for line in answers), answers)
            self.assertTrue(file.readline().startswith(b"503"))

    def test_without_a_certificate_nothing_is_offered(self):
        relay = self.outbox(route(self.receiver().port))
        client = relay.client()
        self.assertNotIn("STARTTLS", client.ehlo())
        self.assertEqual(client.say("STARTTLS")[0], 502)

    def test_new_certificates_are_taken_and_nobody_is_disturbed(self):
        receiver = self.receiver()
        relay = self.relay(receiver)
        before = self.certificates.serial(self.first[0])
        with smtplib.SMTP("127.0.0.1", relay.port, timeout=PATIENCE) as client:
            client._host = "relay.outbox.test"
            client.starttls(context=self.context())
            client.ehlo("app.test")
            self.certificates.issue("first", "relay.outbox.test")
            after = self.certificates.serial(self.first[0])
            self.assertNotEqual(before, after)
            relay.wait_for_log('"event":"tls_files_loaded"')
            seen = self.s_client(relay.port, "-showcerts")
            (self.dir / "seen.pem").write_text(
                seen[seen.index("-----BEGIN"):seen.index("-----END CERTIFICATE-----") + 26])
            self.assertEqual(self.certificates.serial(self.dir / "seen.pem"), after)
            client.sendmail("a@app.test", ["b@one.test"], "Subject: x\r\n\r\nhi\r\n")
            # One that is of no use is told of, and the old one goes on.
            self.second[1].rename(self.first[1])
            relay.wait_for_log('"event":"tls_files_refused"')
            relay.wait_for_log("does not belong to the certificate")
            self.assertIn("Verify return code: 0 (ok)", self.s_client(relay.port))
            client.sendmail("a@app.test", ["b@one.test"], "Subject: y\r\n\r\nhi\r\n")
        receiver.wait_for(2)

    def test_a_silent_client_goes(self):
        relay = self.relay(self.receiver(), more='command_timeout = "1s"')
        client = relay.client()
        client.ehlo()
        self.assertEqual(client.say("STARTTLS")[0], 220)
        try:
            self.assertEqual(client.file.read(), b"")
        except ConnectionResetError:
            pass
        wait_until(lambda: relay.stats()["timeouts_in_total"] == 1, "the timeout to be counted")

    def check(self, **values):
        listener = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
        config = self.dir / "check.toml"
        config.write_text('hostname = "relay.outbox.test"\n[[listener]]\n'
                          f'address = "127.0.0.1:{free_port()}"\n'
                          f'relay_from = ["127.0.0.1/32"]\n{listener}\n')
        done = subprocess.run([BIN / "outboxd", "--check", "--config", config],
                              capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stderr

    def test_check_tries_the_files(self):
        chain, key = (str(path) for path in self.first)
        self.assertEqual(self.check(tls_certificate=chain, tls_key=key), (0, ""))
        self.assertEqual(self.check(tls="none"), (0, ""))
        both = self.dir / "both.pem"
        both.write_text(self.first[0].read_text() + self.first[1].read_text())
        both.chmod(0o600)
        self.assertEqual(self.check(tls_certificate=str(both)), (0, ""))
        both.chmod(0o644)
        for values, words in (
                (dict(tls="required"), "no certificate to use TLS with"),
                (dict(tls="verify", tls_certificate=chain, tls_key=key), "is for routes"),
                (dict(tls_key=key), "there is a key, but no certificate"),
                (dict(tls_certificate=[chain, chain], tls_key=key), "a key for each certificate"),
                (dict(tls_certificate=chain, tls_key=str(self.second[1])),
                 "the key does not belong to the certificate"),
                (dict(tls_certificate=str(self.dir / "none.pem"), tls_key=key),
                 "cannot be read: No such file or directory"),
                (dict(tls_certificate=key, tls_key=key), "there is no certificate in it"),
                (dict(tls_certificate=str(both)), "open to everybody")):
            code, errors = self.check(**values)
            self.assertEqual(code, 2, errors)
            self.assertIn(words, errors)
            self.assertRegex(errors, r"check\.toml:\d+:\d+: ")


if __name__ == "__main__":
    main()
