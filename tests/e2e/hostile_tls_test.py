"""Hostile TLS against the real programs: OpenSSL's client and server told to misbehave, and raw
records. The mail that was on its way is delivered once or waits with the reason; what is kept of
such a peer's words is little."""

import contextlib
import pathlib
import re
import socket
import ssl
import subprocess
import time

from certificates import Certificates
from harness import PATIENCE, Scenario, free_port, main, route, wait_until
from tls_out_test import TlsReceiver

LISTENER = """
[[listener]]
address         = "127.0.0.1:{port}"
relay_from      = ["127.0.0.1/32"]
command_timeout = "2s"
tls_certificate = "CERT/own.pem"
tls_key         = "CERT/own.key"
"""

WARNING = b"\x15\x03\x01\x00\x02\x01\x5a"
EMPTY = b"\x16\x03\x01\x00\x00"
MESSAGE = b"Subject: x\r\n\r\nhi\r\n"


def record(text):
    return b"\x16\x03\x01" + len(text).to_bytes(2, "big") + text


class HostileTlsClients(Scenario):
    def setUp(self):
        super().setUp()
        self.certificates = Certificates(self.dir)
        self.certificates.issue("own", "relay.outbox.test")
        self.catcher = self.receiver()
        self.relay = self.outbox(route(self.catcher.port), shards=1,
                                 listener=LISTENER.replace("CERT", str(self.certificates.dir)))

    def tearDown(self):
        """It takes and delivers a decent client's mail, and only that one more."""
        before = len(self.catcher.messages)
        client = self.relay.client()
        self.assertEqual(client.deliver(["fine@dest.test"], MESSAGE)[0], 250)
        client.close()
        self.assertEqual(len(self.catcher.wait_for(before + 1)), before + 1)
        self.relay.check_ledger()
        super().tearDown()

    def memory(self):
        """Bytes that the daemon has in memory."""
        status = pathlib.Path(f"/proc/{self.relay.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def asked(self):
        client = self.relay.client()
        client.ehlo()
        self.assertEqual(client.say("STARTTLS")[0], 220)
        return client

    def secured(self):
        client = self.asked()
        context = ssl.create_default_context(cafile=str(self.certificates.ca))
        client.socket = context.wrap_socket(client.socket, server_hostname="relay.outbox.test",
                                            suppress_ragged_eofs=False)
        client.file = client.socket.makefile("rb")
        return client

    def is_left(self, client):
        with contextlib.suppress(OSError):
            while client.socket.recv(4096):
                pass
        client.close()

    def test_what_is_no_handshake_is_left_and_nothing_of_it_is_kept(self):
        failed = 0
        before = None
        for _ in range(30):
            for said in (WARNING * 1000, EMPTY * 1000,
                         record(b"\x01\xff\xff\xff" + b"x" * 16000) * 100, b"\x7f" * 100_000,
                         b"\x16\x03\x01\xff\xff" + b"x" * 100_000):
                client = self.asked()
                with contextlib.suppress(OSError):
                    client.send(said)
                self.is_left(client)
                failed += 1
            before = before or self.memory()
        self.relay.wait_for_stats("the failures", tls_in_failed_total=failed, connections_in=0)
        self.assertLess(self.memory() - before, 4 << 20)

    def test_a_handshake_of_single_octets_is_left_at_its_timeout(self):
        client = self.asked()
        with contextlib.suppress(OSError):
            for octet in record(b"\x01\x00\x10\x00" + b"\x03" * 4096):
                client.send(bytes([octet]))
                time.sleep(0.02)
        self.is_left(client)
        self.relay.wait_for_stats("the timeout", timeouts_in_total=1, connections_in=0)

    def s_client(self, version, lines, until=None):
        """What OpenSSL's client prints when it is told these lines, of which some are orders, up to
        the line that begins with `until`, or to its end."""
        process = self.spawn(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.relay.port}", "-starttls", "smtp",
             version, "-crlf"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, bufsize=0)
        said = ""

        def read_until(beginning):
            nonlocal said
            while line := process.stdout.readline().decode(errors="replace"):
                said += line
                if beginning and line.startswith(beginning):
                    return
        read_until("250 ENHANCED")  # of STARTTLS
        with contextlib.suppress(OSError):
            for line in lines:
                process.stdin.write(line.encode() + b"\n")
                time.sleep(0.02)  # what comes together is one order to it
        read_until(until)
        return said

    def test_renegotiation_is_refused_and_the_end(self):
        said = self.s_client("-tls1_2", ["EHLO x", "R", "MAIL FROM:<a@b.test>"])
        self.assertIn("RENEGOTIATING", said)
        self.assertNotIn("250 2.1.0", said)
        self.relay.wait_for_stats("its end", connections_in=0)

    def test_key_updates_without_end_are_the_end(self):
        said = self.s_client("-tls1_3", ["EHLO x"] + ["K"] * 50 + ["MAIL FROM:<a@b.test>"])
        self.assertIn("KEYUPDATE", said)
        self.assertNotIn("250 2.1.0", said)
        self.relay.wait_for_stats("its end", connections_in=0)

    def test_some_key_updates_are_followed(self):
        said = self.s_client("-tls1_3", ["EHLO x", "K", "k", "VRFY x", "K", "NOOP"],
                             until="250 2.0.0")
        self.assertEqual(said.count("KEYUPDATE"), 3)
        self.assertIn("252 ", said)

    def test_a_message_that_is_cut_off_is_not_taken_however_it_ends(self):
        for end in ("close_notify", "close", "reset"):
            client = self.secured()
            client.begin(["cut@dest.test"])
            client.send(MESSAGE)
            raw = client.socket
            if end == "close_notify":
                raw.settimeout(PATIENCE)
                with contextlib.suppress(OSError):
                    raw.unwrap()
            elif end == "reset":
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        self.relay.wait_for_stats("all to be gone", connections_in=0, accepted_total=0)

    def test_whoever_says_goodbye_at_once_still_hears_that_its_mail_was_taken(self):
        for _ in range(20):
            client = self.secured()
            client.begin(["b@dest.test"])
            client.send(MESSAGE + b".\r\nQUIT\r\n")
            with contextlib.suppress(OSError):  # it would wait for ours, and finds replies
                client.socket.unwrap()
            client.close()
        self.relay.wait_for_stats("all of them", accepted_total=20, connections_in=0)
        self.catcher.wait_for(20)

    def test_who_errs_too_often_is_told_so_before_the_end(self):
        client = self.secured()
        client.ehlo()
        last = None
        for _ in range(200):
            code, text = client.say("NOSUCH")
            if code == 421:
                last = text
                break
        self.assertIn("Too many errors", last or "")
        self.assertEqual(client.socket.recv(100), b"")  # an end that was said, not a cut
        client.close()


class HostileTlsHosts(Scenario):
    def setUp(self):
        super().setUp()
        self.certificates = Certificates(self.dir)
        self.good = self.certificates.issue("good", "127.0.0.1")

    def peer(self, *arguments, **options):
        receiver = TlsReceiver(*arguments, **options)
        self.addCleanup(receiver.close)
        return receiver

    def relay(self, port, tls, retry="1h", timeout="1s"):
        head = f'\n[delivery]\ntls_ca = "{self.certificates.ca}"\ntls_timeout = "{timeout}"\n'
        relay = self.outbox(head + route(port, tls=tls, retry=retry), shards=1)
        client = relay.client()
        self.assertEqual(client.deliver(["a@one.test"], MESSAGE)[0], 250)
        client.close()
        return relay

    def is_put_off(self, relay, words):
        wait_until(lambda: relay.stats()["deferred_total"] > 0, "the mail to be put off")
        self.assertIn(words, relay.cli("why", "a@one.test").stdout)
        relay.check_ledger()

    def chain(self, count):
        """(certificates, key): so many, each vouched for by the next."""
        chain, by = b"", "ca.pem"
        self.certificates.openssl("req", "-new", "-key", "ca.key", "-subj", "/CN=x", "-out",
                                  "link.csr")
        names = self.certificates.dir / "own.ext"
        names.write_text("subjectAltName = IP:127.0.0.1\n")
        authority = self.certificates.dir / "ca.ext"
        authority.write_text("basicConstraints = critical, CA:TRUE\n")
        for number in range(count):
            last = number == count - 1
            self.certificates.openssl(
                "x509", "-req", "-in", "link.csr", "-subj", f"/CN=link{number}", "-CA", by,
                "-CAkey", "ca.key", "-days", "2", "-out", f"link{number}.pem", "-extfile",
                str(names if last else authority))
            by = f"link{number}.pem"
            chain = (self.certificates.dir / by).read_bytes() + chain
        whole = self.certificates.dir / "chain.pem"
        whole.write_bytes(chain)
        return whole, self.certificates.dir / "ca.key"

    def test_bad_certificates_are_taken_unless_they_are_looked_at_and_why_says_so(self):
        issue = self.certificates.issue
        for certificate, words in (
                (issue("expired", "127.0.0.1", days=-1), "the certificate has expired"),
                (issue("other", "other.test"), "the certificate is not for 127.0.0.1"),
                (self.chain(100), "the certificate is one of 100, and nobody that we trust "
                                  "vouches for the first 11")):
            receiver = self.peer(certificate)
            for tls in ("opportunistic", "required"):
                self.relay(receiver.port, tls).wait_for_stats(
                    "the delivery", delivered_total=1, tls_out_total=1, tls_out_failed_total=0)
            self.is_put_off(self.relay(receiver.port, "verify"), words)
            self.assertEqual(len(receiver.messages), 2)

    def instead(self, said, pause=0.0):
        """A peer that answers STARTTLS and then says this."""
        receiver = self.peer(self.good)

        def misbehave(stream):
            stream.connection.recv(1, socket.MSG_PEEK)  # the handshake has begun
            pieces = [said] if not pause else [said[i:i + 1] for i in range(len(said))]
            for piece in pieces:
                stream.connection.sendall(piece)
                time.sleep(pause)
            stream.rfile.read()
            raise OSError
        receiver.secure = misbehave
        return receiver

    def test_what_is_no_handshake_sends_mail_in_the_clear_only_where_it_may(self):
        for said, words in ((WARNING * 1000, "too many warning alerts"),
                            (record(b"\x02\xff\xff\xff" + b"x" * 16000) * 100,
                             "excessive message size")):
            receiver = self.instead(said)
            self.relay(receiver.port, "opportunistic").wait_for_stats(
                "the delivery", delivered_total=1, tls_out_failed_total=1)
            self.is_put_off(self.relay(receiver.port, "required"), words)
            self.assertEqual(len(receiver.messages), 1)

    def test_a_handshake_of_single_octets_is_left_at_its_timeout(self):
        receiver = self.instead(record(b"\x02\x00\x10\x00" + b"\x03" * 4096), pause=0.02)
        self.relay(receiver.port, "opportunistic").wait_for_stats("the delivery", delivered_total=1)
        self.is_put_off(self.relay(receiver.port, "required"), "did not come to an end in time")

    def test_a_reply_that_does_not_come_is_none_and_the_mail_is_sent_again(self):
        """The stream ends behind the final dot, and nobody has said that it does."""
        left = [1]

        def cut(_message):
            if left:
                left.pop()
                raise ConnectionError
        receiver = self.peer(self.good, implicit=True, on_message=cut)
        relay = self.relay(receiver.port, "implicit", retry="1s")
        stats = relay.wait_for_stats("the delivery", delivered_total=1)
        self.assertEqual(stats["deferred_total"], 1)
        self.assertEqual(len(receiver.messages), 1)

    def test_renegotiation_by_openssl_puts_the_mail_off(self):
        port = free_port()
        server = self.spawn(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert",
                             self.good[0], "-key", self.good[1], "-tls1_2", "-crlf"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, bufsize=1)
        while "ACCEPT" not in server.stdout.readline():
            pass
        relay = self.relay(port, "implicit", timeout="20s")

        def say(line):
            server.stdin.write(line + "\n")
            server.stdin.flush()
        say("220 s_server.test ESMTP")
        while not server.stdout.readline().startswith("EHLO"):
            pass
        say("250 s_server.test")
        while not server.stdout.readline().startswith("MAIL"):
            pass
        say("r")
        self.is_put_off(relay, "TLS: no renegotiation")


if __name__ == "__main__":
    main()
