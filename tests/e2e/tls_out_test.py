"""TLS to mail hosts: what each way to use it does with good hosts, bad ones and silent ones."""

import collections
import json
import smtplib
import ssl
import subprocess

import peers
from certificates import Certificates
from harness import (BIN, PATIENCE, Receiver, Scenario, free_port, main, route,
                     wait_until)

Session = collections.namedtuple("Session", "version cipher resumed name")
Stream = collections.namedtuple("Stream", "rfile wfile client_address")


class Lines:
    """A stream of lines of which the first was read already."""

    def __init__(self, first, rest):
        self.first, self.rest = first, rest

    def readline(self):
        line, self.first = self.first, None
        return self.rest.readline() if line is None else line


class TlsReceiver(Receiver):
    """A Receiver that speaks TLS (OpenSSL's). `answer`: to STARTTLS; `stall`: and then silence."""

    def __init__(self, certificate=None, implicit=False, answer="220 2.0.0 Go on", stall=False,
                 version=None, **options):
        self.context = None
        self.asked = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
            self.context.sni_callback = self.on_name
            if version:
                self.context.minimum_version = self.context.maximum_version = version
        self.implicit, self.answer, self.stall = implicit, answer, stall
        self.sessions = []
        self.starttls = 0
        super().__init__(**options)

    def on_name(self, _socket, name, _context):
        self.asked = name

    def secure(self, stream):
        self.asked = None
        secured = self.context.wrap_socket(stream.connection, server_side=True)
        self.sessions.append(Session(secured.version(), secured.cipher()[0],
                                     secured.session_reused, self.asked))
        return Stream(secured.makefile("rb"), secured.makefile("wb", 0), stream.client_address)

    def serve(self, stream):
        if not self.implicit:
            return super().serve(stream)
        self.connections += 1
        try:
            return super().serve(self.secure(stream))
        except (OSError, ValueError):
            return None

    def dialogue(self, stream, say):
        if self.implicit:
            return super().dialogue(stream, say)
        while True:
            line = stream.rfile.readline()
            if not line:
                return None
            if line.upper().startswith(b"EHLO"):
                say("250-receiver.test\r\n" + ("250-STARTTLS\r\n" if self.context else "") +
                    "250 PIPELINING")
            elif line.upper() == b"STARTTLS\r\n":
                self.starttls += 1
                say(self.answer)
                if self.stall:
                    return stream.rfile.read()
                if not self.answer.startswith("220"):
                    continue
                try:
                    secured = self.secure(stream)
                except (OSError, ValueError):
                    return None
                return super().dialogue(
                    secured, lambda text: secured.wfile.write(text.encode() + b"\r\n"))
            else:
                return super().dialogue(
                    Stream(Lines(line, stream.rfile), stream.wfile, stream.client_address), say)


class TlsOut(Scenario):
    def setUp(self):
        super().setUp()
        self.certificates = Certificates(self.dir)
        self.good = self.certificates.issue("good", "localhost", "127.0.0.1")

    def peer(self, *arguments, **options):
        receiver = TlsReceiver(*arguments, **options)
        self.addCleanup(receiver.close)
        return receiver

    def relay(self, *routes, delivery="", **options):
        head = f'\n[delivery]\ntls_ca = "{self.certificates.ca}"\ntls_timeout = "500ms"\n{delivery}'
        return self.outbox(head + "".join(routes), **options)

    def send(self, relay, *recipients):
        client = relay.client()
        code, text = client.deliver(list(recipients), b"Subject: x\r\n\r\n" + b"A line.\r\n" * 5000)
        self.assertEqual(code, 250, text)
        client.close()

    def why_deferred(self, relay, recipient):
        def deferred():
            if relay.stats()["deferred_total"] == 0:
                return None
            return relay.cli("why", recipient).stdout
        return wait_until(deferred, f"the mail for {recipient} to be deferred")

    def test_opportunistic_is_the_default(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            receiver = self.peer(self.good, version=version)
            relay = self.relay(route(receiver.port))
            self.send(relay, "a@one.test")
            receiver.wait_for(1)
            self.assertEqual(receiver.sessions[0].version, version.name.replace("_", "."))
            relay.wait_for_stats("the delivery", delivered_total=1, tls_out_total=1)
            relay.wait_for_log('"tls":"TLSv1.')
            talk = relay.cli("talk", "--domain", "one.test").stdout
            self.assertIn("STARTTLS", talk)
            self.assertRegex(talk, r"\(TLSv1\.[23], TLS_")

    def test_none_is_none(self):
        receiver = self.peer(self.good)
        relay = self.relay(route(receiver.port, tls="none"))
        self.send(relay, "a@one.test")
        receiver.wait_for(1)
        self.assertEqual((receiver.starttls, receiver.sessions), (0, []))

    def test_sessions_are_resumed(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            receiver = self.peer(self.good, version=version)
            relay = self.relay(route(receiver.port), delivery="messages_per_connection = 1\n",
                               shards=1)
            for number in range(3):
                self.send(relay, "a@one.test")
                receiver.wait_for(number + 1)
            self.assertEqual([s.resumed for s in receiver.sessions], [False, True, True])
            relay.wait_for_stats("the sessions to be counted", tls_out_resumed_total=2)

    def test_a_refused_starttls_goes_on_in_the_clear_and_once_only(self):
        receiver = self.peer(self.good, answer="454 4.7.0 TLS not available")
        relay = self.relay(route(receiver.port))
        self.send(relay, "a@one.test")
        receiver.wait_for(1)
        self.assertEqual(receiver.connections, 1)

    def test_a_silent_handshake_falls_back_and_is_remembered(self):
        receiver = self.peer(self.good, stall=True)
        relay = self.relay(route(receiver.port), delivery='idle_timeout = "100ms"\n', shards=1)
        self.send(relay, "a@one.test")
        receiver.wait_for(1)
        self.assertEqual((receiver.connections, receiver.starttls), (2, 1))
        wait_until(lambda: relay.stats()["connections_out"] == 0, "the connection's end")
        self.send(relay, "a@one.test")
        receiver.wait_for(2)
        self.assertEqual((receiver.connections, receiver.starttls), (3, 1))  # it costs once
        stats = relay.wait_for_stats("both", delivered_total=2, tls_out_failed_total=1)
        self.assertEqual(stats["deferred_total"], 0)
        relay.wait_for_log('"event":"tls_failed"')

    def test_a_failed_handshake_falls_back(self):
        # What it says behind 220 is no handshake.
        receiver = self.peer(self.good)

        def refuse(stream):
            stream.wfile.write(b"not at all\r\n" * 10)
            raise OSError
        receiver.secure = refuse
        relay = self.relay(route(receiver.port))
        self.send(relay, "a@one.test")
        relay.wait_for_stats("the delivery", delivered_total=1)
        self.assertEqual(receiver.connections, 2)

    def test_required_never_goes_in_the_clear(self):
        for options, words in ((dict(certificate=None), "STARTTLS is not offered"),
                               (dict(answer="454 4.7.0 TLS not available"),
                                "454 4.7.0 TLS not available"),
                               (dict(stall=True), "did not come to an end in time")):
            receiver = self.peer(**{"certificate": self.good, **options})
            relay = self.relay(route(receiver.port, tls="required", retry="1h"))
            self.send(relay, "a@one.test")
            why = self.why_deferred(relay, "a@one.test")
            self.assertIn(words, why)
            self.assertRegex(why, r"4\.7\.[45]")
            self.assertEqual(receiver.messages, [])

    def test_required_takes_any_certificate(self):
        receiver = self.peer(self.certificates.issue("own", "other.test", days=-1, ca=False))
        relay = self.relay(route(receiver.port, tls="required"))
        self.send(relay, "a@one.test")
        receiver.wait_for(1)

    def test_verify_looks_at_the_certificate(self):
        issue = self.certificates.issue
        receiver = self.peer(self.good)
        relay = self.relay(route(receiver.port, tls="verify"))
        self.send(relay, "a@one.test")
        receiver.wait_for(1)
        for certificate, words in (
                (issue("expired", "127.0.0.1", days=-1), "the certificate has expired"),
                (issue("other", "other.test"), "the certificate is not for 127.0.0.1"),
                (issue("lonely", "127.0.0.1", ca=False), "vouched for by nobody but itself")):
            receiver = self.peer(certificate)
            relay = self.relay(route(receiver.port, tls="verify", retry="1h"))
            self.send(relay, "a@one.test")
            why = self.why_deferred(relay, "a@one.test")
            self.assertIn(words, why)
            self.assertEqual(receiver.messages, [])
            self.assertEqual(relay.stats()["bounced_total"], 0)

    def test_from_the_first_byte(self):
        receiver = self.peer(self.good, implicit=True)
        relay = self.relay(route(receiver.port, tls="implicit"))
        self.send(relay, "a@one.test")
        receiver.wait_for(1)
        self.assertEqual(receiver.starttls, 0)

    def test_openssl_s_server(self):
        port = free_port()
        server = self.spawn(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-quiet",
                             "-cert", self.good[0], "-key", self.good[1], "-naccept", "1"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        relay = self.relay(route(port, tls="implicit", retry="1s"), shards=1)
        receiver = self.receiver()  # only its dialogue
        self.send(relay, "a@one.test")

        def say(line):
            server.stdin.write(line.encode() + b"\r\n")
        say("220 s_server.test ESMTP")
        receiver.dialogue(Stream(server.stdout, server.stdin, ("127.0.0.1", port)), say)
        self.assertEqual(len(receiver.messages), 1)
        relay.wait_for_stats("the delivery", delivered_total=1, tls_out_total=1)

    def test_one_route_does_not_stop_the_other(self):
        """N domains, one host: what one of them asks of it is nothing to the others."""
        receiver = self.peer(certificate=None)
        relay = self.relay(route(receiver.port, match="strict.test", tls="required", retry="1h"),
                           route(receiver.port, match="*", retry="1h"), shards=1)
        for number in range(5):
            self.send(relay, "a@strict.test")
        self.why_deferred(relay, "a@strict.test")
        for number in range(5):
            self.send(relay, "a@easy.test")
        receiver.wait_for(5)
        stats = relay.wait_for_stats("the easy ones", delivered_total=5, queued=5)
        # And one try was enough to know for all five.
        self.assertEqual(stats["tls_out_total"], 0)
        self.assertLessEqual(receiver.connections, 7)

    def test_a_reload_lets_the_mail_go(self):
        receiver = self.peer(certificate=None)
        relay = self.relay(route(receiver.port, tls="required", retry="1h"))
        self.send(relay, "a@one.test")
        self.why_deferred(relay, "a@one.test")
        relay.text = relay.text.replace('tls = "required"', 'tls = "opportunistic"')
        relay.configure(2)
        relay.cli("reload")
        relay.cli("retry", "--domain", "one.test")
        receiver.wait_for(1)

    def check(self, text):
        config = self.dir / "check.toml"
        config.write_text('hostname = "relay.outbox.test"\n[[listener]]\n'
                          f'address = "127.0.0.1:{free_port()}"\nrelay_from = ["127.0.0.1/32"]\n'
                          + text)
        done = subprocess.run([BIN / "outboxd", "--check", "--config", config],
                              capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stderr

    def test_check_knows_who_may_vouch(self):
        ca, missing = json.dumps(str(self.certificates.ca)), json.dumps(str(self.dir / "none"))
        verify = route(25, tls="verify").replace("127.0.0.1", "127.0.0.9")
        self.assertEqual(self.check(f"[delivery]\ntls_ca = {ca}\n{verify}"), (0, ""))
        self.assertEqual(self.check(f"[delivery]\ntls_ca = {missing}\n"), (0, ""))  # not needed
        code, errors = self.check(f"[delivery]\ntls_ca = {missing}\n{verify}")
        self.assertEqual(code, 2)
        self.assertIn("check.toml:6:10: ", errors)
        self.assertIn("No such file", errors)
        code, errors = self.check('[delivery]\ntls = "implicit"\n')
        self.assertIn("are not spoken to by implicit TLS", errors)
        code, errors = self.check('[[route]]\nmatch = "*"\nvia = "lmtp:127.0.0.9:24"\n'
                                  'tls = "required"\n')
        self.assertIn("LMTP is not encrypted here", errors)


class RealServers(Scenario):
    """Postfix (OpenSSL) and Exim (GnuTLS), behind us and before us."""

    def setUp(self):
        super().setUp()
        self.certificates = Certificates(self.dir)
        self.certificates.dir.chmod(0o755)
        self.theirs = self.certificates.issue("theirs", "127.0.0.1", "localhost")
        self.theirs[1].chmod(0o644)  # of a test; its user is another one
        self.ours = self.certificates.issue("ours", "127.0.0.1", "localhost", "relay.outbox.test")

    def behind(self, peer, domain, log_words):
        ca = f'\n[delivery]\ntls_ca = "{self.certificates.ca}"\n'
        relay = self.outbox(ca + route(peer.port, match=domain, tls="verify", retry="2s"))
        client = relay.client()
        code, text = client.deliver([f"known@{domain}"], b"Subject: x\r\n\r\nhi\r\n")
        self.assertEqual(code, 250, text)
        client.close()
        relay.wait_for_stats("the delivery", delivered_total=1, queued=0, tls_out_total=1)
        wait_until(peer.files, "the file in the Maildir")
        self.assertRegex(" ".join(peer.files()[0].read_text().split()), log_words)

    def before(self, make_peer):
        receiver = self.receiver()
        listener = """
[[listener]]
address    = "127.0.0.1:{port}"
relay_from = ["127.0.0.1/32"]
tls = "required"
""" + f'tls_certificate = "{self.ours[0]}"\ntls_key = "{self.ours[1]}"\n'
        relay = self.outbox(route(receiver.port), listener=listener)
        peer = make_peer(relay.port)
        with smtplib.SMTP("127.0.0.1", peer.port, timeout=PATIENCE) as client:
            client.sendmail("a@app.test", ["b@one.test"], "Subject: x\r\n\r\nhi\r\n")
        try:
            (message,) = receiver.wait_for(1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{peer.log_text()}\n{relay.log_text()}") from None
        self.assertIn("by relay.outbox.test (Outbox) with ESMTPS id",
                      " ".join(message.header_section().decode().split()))

    def test_postfix_behind(self):
        peer = peers.Postfix(self, f"smtpd_tls_security_level = encrypt\n"
                             f"smtpd_tls_cert_file = {self.theirs[0]}\n"
                             f"smtpd_tls_key_file = {self.theirs[1]}\n"
                             "smtpd_tls_received_header = yes\n")
        self.behind(peer, "postfix.test", r"\(using TLSv1\.3 with cipher .* with ESMTPS")

    def test_postfix_before(self):
        self.before(lambda port: peers.Postfix(
            self, f"relayhost = [127.0.0.1]:{port}\nsmtp_tls_security_level = encrypt\n"
            f"smtp_tls_CAfile = {self.certificates.ca}\n"))

    def test_exim_behind(self):
        peer = peers.Exim(self, f"tls_advertise_hosts = *\ntls_certificate = {self.theirs[0]}\n"
                          f"tls_privatekey = {self.theirs[1]}\n")
        self.behind(peer, "exim.test", r"with esmtps \(TLS1\.3\)")

    def test_exim_before(self):
        self.before(lambda port: peers.Exim(self, relay_to=port, relay_tls=True))


if __name__ == "__main__":
    main()
