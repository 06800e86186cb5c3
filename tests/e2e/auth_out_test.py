"""AUTH to mail hosts: a Postfix and an Exim that really check, hosts that are odd, and where the
secret must never be."""

import base64
import json
import os
import pathlib
import re
import unittest.mock

import peers
from certificates import Certificates
from dovecot import Dovecot
from harness import Receiver, Scenario, main, route, wait_until

SECRET = "correct horse battery"
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")


def forms(user, secret=SECRET):
    """What a secret looks like on its way: as it is, alone in base64, and as PLAIN says it."""
    return [secret, base64.b64encode(secret.encode()).decode(),
            base64.b64encode(f"\0{user}\0{secret}".encode()).decode()]


class AuthOut(Scenario):
    def secret(self, text=SECRET, name="secret"):
        path = self.dir / name
        path.write_text(text + "\n")
        path.chmod(0o600)
        return str(path)

    def send(self, relay, *recipients):
        client = relay.client()
        code, text = client.deliver(list(recipients), b"Subject: x\r\n\r\nA line.\r\n")
        self.assertEqual(code, 250, text)
        client.close()

    def why(self, relay, recipient):
        return json.loads(relay.cli("why", recipient, "--json").stdout)

    def deferred(self, relay, recipient, count=1):
        relay.wait_for_stats("the mail to wait", deferred_total=count)
        return relay.cli("why", recipient).stdout

    def assert_hidden(self, relay, user, secret=SECRET):
        """Nowhere that anybody looks."""
        commands = [("talk", "--domain", domain) for domain in
                    ("postfix.test", "exim.test", "one.test")]
        commands += [("why", "known@postfix.test"), ("why", "a@one.test"), ("queue", "--json")]
        texts = [relay.log.read_bytes()]
        texts += [relay.cli(*command, check=False).stdout.encode() for command in commands]
        texts += [path.read_bytes() for path in relay.spool.rglob("*") if path.is_file()]
        for form in forms(user, secret):
            self.assertFalse(any(form.encode() in text for text in texts), form)


class RealServers(AuthOut):
    """Postfix, which asks Dovecot, and Exim."""

    user = "alice@dovecot.test"

    def setUp(self):
        super().setUp()
        self.certificates = Certificates(self.dir)
        self.certificates.dir.chmod(0o755)
        self.theirs = self.certificates.issue("theirs", "127.0.0.1", "localhost")
        self.theirs[1].chmod(0o644)  # of a test; its user is another one
        self.ca = f'\n[delivery]\ntls_ca = "{self.certificates.ca}"\n'

    def postfix(self):
        """It relays for nobody that Dovecot does not know (the password of its users: secret)."""
        dovecot = Dovecot(self)
        restrictions = "permit_sasl_authenticated, reject"
        return peers.Postfix(self, f"""
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {dovecot.auth}
smtpd_relay_restrictions = {restrictions}
smtpd_recipient_restrictions = {restrictions}
smtpd_tls_security_level = may
smtpd_tls_cert_file = {self.theirs[0]}
smtpd_tls_key_file = {self.theirs[1]}
""")

    def exim(self):
        check = "${if and{{eq{$auth%d}{me}}{eq{$auth%d}{" + SECRET + "}}}}"
        return peers.Exim(self, tls=f"""
tls_advertise_hosts = *
tls_certificate = {self.theirs[0]}
tls_privatekey = {self.theirs[1]}
auth_advertise_hosts = *
acl_smtp_mail = accept authenticated = *
""", more=f"""
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = {check % (2, 3)}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = {check % (1, 2)}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{me}}{{{SECRET}}}fail}}
  server_set_id = $auth1
""")

    def test_each_mechanism_with_tls_and_without(self):
        postfix = self.postfix()
        secret = self.secret("secret")
        for number, (tls, mechanism) in enumerate(
                (tls, mechanism) for tls in ("required", "none") for mechanism in MECHANISMS):
            relay = self.outbox(route(
                postfix.port, tls=tls, retry="1s", auth_user=self.user, auth_secret_file=secret,
                auth_mechanisms=mechanism, auth_plaintext=tls == "none"), shards=1)
            self.send(relay, "known@postfix.test")
            relay.wait_for_stats("the delivery", delivered_total=1, auth_out_total=1,
                                 tls_out_total=int(tls == "required"))
            wait_until(lambda: len(postfix.files()) == number + 1, "the file in the Maildir")
            self.assertRegex(postfix.log_text(),
                             f"sasl_method={mechanism}, sasl_username={self.user}")
            talk = relay.cli("talk", "--domain", "postfix.test").stdout
            self.assertIn(f"C: AUTH {mechanism}\n", talk)
            self.assertIn("S: 235 ", talk)
            for form in forms(self.user, "secret")[1:]:
                self.assertNotIn(form, talk + relay.log_text())
            relay.end()

    def test_exim(self):
        exim = self.exim()
        for number, (tls, mechanism) in enumerate(
                (("required", "PLAIN"), ("required", "LOGIN"), ("none", "CRAM-MD5"))):
            relay = self.outbox(route(exim.port, tls=tls, auth_user="me", retry="1s",
                                      auth_secret_file=self.secret(), auth_mechanisms=mechanism),
                                shards=1)
            self.send(relay, "known@exim.test")
            relay.wait_for_stats("the delivery", delivered_total=1, auth_out_total=1)
            wait_until(lambda: len(exim.files()) == number + 1, "the file in the Maildir")
            self.assertRegex(exim.log_text(), rf"A={mechanism.lower().split('-')[0]}:me")
            self.assert_hidden(relay, "me")
            relay.end()

    def test_a_wrong_secret_waits_and_the_right_one_goes(self):
        postfix = self.postfix()
        for tls, mechanism in (("required", "PLAIN"), ("required", "LOGIN"), ("none", "CRAM-MD5")):
            before = len(postfix.files())
            secret = self.secret(SECRET)
            relay = self.outbox(route(postfix.port, tls=tls, retry="1h", auth_user=self.user,
                                      auth_secret_file=secret, auth_mechanisms=mechanism),
                                shards=1)
            self.send(relay, "known@postfix.test")
            why = self.deferred(relay, "known@postfix.test")
            said = f"127.0.0.1:{postfix.port} refused our user {self.user}: 535 5.7.8"
            self.assertIn(said, why)
            self.assertIn("user", why)
            self.send(relay, "known@postfix.test")  # waits without being tried
            [facts] = self.why(relay, "known@postfix.test")["destinations"]
            self.assertEqual((facts["cause"], facts["user"]), ("user", self.user))
            self.assertIn("does not let us in as the user", facts["cause_text"])
            self.assertIn(said, facts["trouble"])
            self.assertTrue(any(said in str(line) for line in relay.queue()), relay.queue())
            relay.wait_for_log('"event":"auth_failed"')
            self.assertRegex(relay.log_text(), f'"auth_failed".*"user":"{self.user}"')
            self.assert_hidden(relay, self.user)
            stats = relay.wait_for_stats("the refusal", auth_out_failed_total=1)
            self.assertEqual((stats["bounced_total"], stats["connections_out_total"]), (0, 1))
            self.secret("secret")
            relay.cli("reload")
            relay.wait_for_stats("the one that was not tried", delivered_total=1)
            relay.cli("retry", "--domain", "postfix.test")
            relay.wait_for_stats("both", delivered_total=2, queued=0)
            wait_until(lambda: len(postfix.files()) == before + 2, "both in the Maildir")
            relay.end()

    def test_a_smart_host_in_three_lines(self):
        """As docs/auth.md has it; the secret comes from the environment, once."""
        postfix = self.postfix()
        docs = pathlib.Path(__file__).parents[2] / "docs" / "auth.md"
        example = re.search(r"```toml\n(\[\[route\]\]\n.*?)```", docs.read_text(), re.S).group(1)
        text = example.replace("smtp.provider.example:587", f"127.0.0.1:{postfix.port}")
        text = text.replace("relay@example.com", self.user)
        text = text.replace("/etc/outbox/provider.secret", self.secret("secret"))
        self.assertEqual(len([line for line in text.splitlines() if "=" in line]), 4, text)
        relay = self.outbox("\n" + text)
        self.send(relay, "known@postfix.test")
        stats = relay.wait_for_stats("the delivery", delivered_total=1, auth_out_total=1)
        self.assertEqual(stats["tls_out_total"], 1)
        answer = relay.cli("route", "test", "a@b.test", "known@postfix.test").stdout
        self.assertRegex(answer, f"(?m)^as user +{self.user}$")
        relay.end()
        by_variable = re.sub("auth_secret_file.*", 'auth_secret_env = "PROVIDER_SECRET"', text)
        with unittest.mock.patch.dict(os.environ, PROVIDER_SECRET="secret"):
            relay = self.outbox("\n" + by_variable)
        self.send(relay, "known@postfix.test")
        relay.wait_for_stats("the delivery", delivered_total=1, auth_out_total=1)
        environment = pathlib.Path(f"/proc/{relay.process.pid}/environ").read_bytes()
        self.assertNotIn(b"=secret", environment)
        relay.cli("reload")
        self.send(relay, "known@postfix.test")
        relay.wait_for_stats("the next one", delivered_total=2)

    def test_a_certificate_that_is_not_theirs_gets_no_secret(self):
        postfix = self.postfix()
        relay = self.outbox(route(postfix.port, tls="verify", retry="1h", auth_user=self.user,
                                  auth_secret_file=self.secret("secret")))
        self.send(relay, "known@postfix.test")
        self.assertIn("could not be spoken to over TLS", self.deferred(relay, "known@postfix.test"))
        self.assertNotIn("sasl_", postfix.log_text())
        self.assertEqual(relay.stats()["auth_out_total"], 0)


class AuthReceiver(Receiver):
    """Offers `offer` behind EHLO; answers AUTH and what follows with `answers`, in turn. Keeps all
    lines."""

    def __init__(self, offer, *answers, **options):
        self.offer, self.answers, self.lines = offer, list(answers), []
        super().__init__(**options)

    def dialogue(self, stream, say):
        left = list(self.answers)
        receiver = self

        class Lines:
            def readline(self):
                while True:
                    line = stream.rfile.readline()
                    receiver.lines.append(line)
                    if line[:4].upper() == b"EHLO":
                        say("250-receiver.test\r\n" + "".join(f"250-{one}\r\n" for one in
                                                             receiver.offer) + "250 PIPELINING")
                    elif line[:8].upper() == b"STARTTLS":
                        say("220 2.0.0 Go on")
                        stream.connection.close()  # no handshake follows
                        raise ConnectionError
                    elif left and line[:4].upper() not in (b"MAIL", b"QUIT", b""):
                        say(left.pop(0).replace("LINE", line.decode().strip()))
                    else:
                        return line

        class Stream:
            rfile, wfile = Lines(), stream.wfile
            client_address = stream.client_address
        Stream.rfile.read = stream.rfile.read
        super().dialogue(Stream, say)


class OddHosts(AuthOut):
    def peer(self, offer, *answers, **options):
        receiver = AuthReceiver(offer, *answers, **options)
        self.addCleanup(receiver.close)
        return receiver

    def relay(self, receiver, **keys):
        return self.outbox(route(receiver.port, retry="1h", auth_user="me",
                                 auth_secret_file=self.secret(), **keys), shards=1)

    def test_no_secret_in_the_clear(self):
        for offer, words in (
                (["AUTH PLAIN LOGIN"],
                 "the session is not encrypted, and all that is offered would show the secret"),
                # The handshake fails, and what follows it is in the clear.
                (["STARTTLS", "AUTH PLAIN LOGIN"], "the session is not encrypted, and all"),
                (["SIZE"], "AUTH is not offered without TLS"),
                (["AUTH GSSAPI"], "no mechanism that may be used")):
            receiver = self.peer(offer, "235 ok")
            relay = self.relay(receiver, tls="opportunistic")
            self.send(relay, "a@one.test")
            self.assertIn("cannot be told that we are the user me", why :=
                          self.deferred(relay, "a@one.test"))
            self.assertIn(words, why)
            self.assertFalse([line for line in receiver.lines if b"AUTH" in line.upper()])
            self.assertEqual(receiver.connections, 1 + ("STARTTLS" in offer))
            self.assertEqual((receiver.messages, relay.stats()["bounced_total"]), ([], 0))
            self.assert_hidden(relay, "me")
            relay.end()

    def test_in_the_clear_where_the_route_says_so(self):
        receiver = self.peer(["AUTH PLAIN LOGIN"], "235 2.7.0 come in")
        relay = self.relay(receiver, auth_plaintext=True)
        self.send(relay, "a@one.test")
        receiver.wait_for(1)
        self.assertIn(f"AUTH PLAIN {forms('me')[2]}\r\n".encode(), receiver.lines)
        self.assert_hidden(relay, "me")

    def test_a_host_that_says_it_all_back(self):
        for answer in ("500 5.5.1 Command unrecognized: \"LINE\"", f"535 5.7.8 not {SECRET}",
                       "535-5.7.8 no:\r\n535 5.7.8 LINE"):
            receiver = self.peer(["AUTH PLAIN"], answer)
            relay = self.relay(receiver, auth_plaintext=True)
            self.send(relay, "a@one.test")
            self.assertIn("refused our user me: 5", self.deferred(relay, "a@one.test"))
            self.assert_hidden(relay, "me")
            relay.end()

    def test_what_hosts_say_bounces_nothing(self):
        for answers in (["535 5.7.8 no"], ["454 4.7.0 later"], ["550 5.7.1 never"],
                        ["421 4.7.0 too many"], ["334 ", "501 5.7.0 cancelled"], ["354 go on"],
                        ["what?"]):
            receiver = self.peer(["AUTH PLAIN LOGIN CRAM-MD5"], *answers)
            relay = self.relay(receiver, auth_plaintext=True)
            for number in range(5):
                self.send(relay, "a@one.test")
            relay.wait_for_stats("the first one to wait", deferred_total=1, queued=5)
            self.assertEqual(relay.stats()["bounced_total"], 0)
            self.assertEqual(receiver.messages, [])
            self.assertLessEqual(receiver.connections, 2)
            relay.end()

    def test_the_next_mechanism(self):
        receiver = self.peer(["AUTH CRAM-MD5 PLAIN"], "504 5.5.4 not that one", "235 2.7.0 ok")
        relay = self.relay(receiver, auth_plaintext=True)
        self.send(relay, "a@one.test")
        receiver.wait_for(1)
        self.assertIn(b"AUTH CRAM-MD5\r\n", receiver.lines)

    def test_two_users_of_a_host_share_nothing(self):
        receiver = self.peer(["AUTH PLAIN"], "235 2.7.0 ok")
        other = self.secret("another secret", "other")
        relay = self.outbox(
            route(receiver.port, match="one.test", auth_user="me", auth_plaintext=True,
                  auth_secret_file=self.secret()) +
            route(receiver.port, match="two.test", auth_user="you", auth_plaintext=True,
                  auth_secret_file=other), shards=1)
        for _ in range(3):
            self.send(relay, "a@one.test")
            self.send(relay, "a@two.test")
        receiver.wait_for(6)
        said = {line for line in receiver.lines if line.startswith(b"AUTH")}
        self.assertEqual(said, {f"AUTH PLAIN {forms('me')[2]}\r\n".encode(),
                                f"AUTH PLAIN {forms('you', 'another secret')[2]}\r\n".encode()})

    def test_the_secret_lies_in_one_place(self):
        """Of the memory of outboxd, after sessions with each mechanism: in the page that core files
        leave out."""
        for offer, answers in (("PLAIN", ["235 ok"]), ("LOGIN", ["334 a", "334 b", "235 ok"]),
                               ("CRAM-MD5", ["334 PDEyMzQ1QGhvc3Q+", "235 ok"])):
            receiver = self.peer([f"AUTH {offer}"], *answers)
            relay = self.relay(receiver, auth_plaintext=True)
            for _ in range(3):
                self.send(relay, "a@one.test")
            receiver.wait_for(3)
            relay.wait_for_stats("all", delivered_total=3)
            plain, *encoded = (form.encode() for form in forms("me"))
            found = memory_of(relay.process.pid, [plain, *encoded])
            self.assertEqual([len(found[one]) for one in (plain, *encoded)], [1, 0, 0], offer)
            [flags] = found[plain]
            self.assertIn("dd", flags)  # MADV_DONTDUMP
            relay.end()

    def test_the_doctor_looks_at_secrets(self):
        secret = self.secret()
        relay = self.outbox(
            route(25, match="one.test", auth_user="me", auth_secret_file=secret) +
            route(26, match="two.test", auth_user="me", auth_secret_env="NOT_OURS"), start=False)

        def findings():
            done = relay.cli("doctor", "--config", str(relay.config), "--only", "config,files",
                             "--json", check=False)
            self.assertNotIn(SECRET, done.stdout)
            return [json.loads(line) for line in done.stdout.splitlines()]

        def level(what):
            return [one["level"] for one in findings() if one.get("what") == what]
        self.assertEqual(level(secret), ["ok"])
        self.assertEqual(level("NOT_OURS"), ["note"])
        os.chmod(secret, 0o644)
        self.assertEqual(level(secret), ["fail"])
        os.unlink(secret)
        self.assertEqual(level(secret), ["fail"])
        self.assertEqual(level(str(relay.config)), ["ok"])


def memory_of(pid, texts):
    """Where a process has these texts: of each place the flags of its mapping."""
    found = {text: [] for text in texts}
    areas = []
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line):
            areas.append([int(match[1], 16), int(match[2], 16), match[3], ""])
        elif line.startswith("VmFlags:"):
            areas[-1][3] = line
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for begin, end, rights, flags in areas:
            if "w" not in rights:
                continue
            try:
                memory.seek(begin)
                bytes_there = memory.read(end - begin)
            except (OSError, OverflowError):
                continue
            for text in texts:
                found[text] += [flags] * bytes_there.count(text)
    return found


if __name__ == "__main__":
    main()
