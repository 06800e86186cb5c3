"""Configuration: strict, one line an error, and never an open relay."""

import subprocess

from harness import BIN, DEFAULT_CONFIG, LISTENER, PATIENCE, Scenario, main, route

OPEN_RELAY = """
[[listener]]
address    = "127.0.0.1:{port}"
relay_from = ["0.0.0.0/0"]
"""


class Configuration(Scenario):
    def check(self, relay):
        return subprocess.run([str(BIN / "outboxd"), "--check", "--config", str(relay.config)],
                              capture_output=True, text=True, timeout=PATIENCE)

    def assert_refused(self, relay, *words):
        """--check exits 2 with one line that has the place and the words; starting does, too."""
        done = self.check(relay)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r"outbox\.toml:\d+:\d+: ")
        for word in words:
            self.assertIn(word, done.stderr)
        started = subprocess.run([str(BIN / "outboxd"), "--config", str(relay.config)],
                                 capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(started.returncode, 2, started.stderr)
        self.assertEqual(started.stdout, "")

    def test_a_good_configuration_passes_the_check_and_touches_nothing(self):
        relay = self.outbox(route(2600), start=False)
        done = self.check(relay)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(relay.spool.exists())
        self.assertFalse(relay.control.exists())

    def test_mistakes(self):
        for text, words in (
                ('[delivery]\nretri = "5m"\n', ["retri"]),
                ('[delivery]\nretry = 5\n', ["retry"]),
                ('[delivery]\nretry = "five minutes"\n', ["retry"]),
                ('[[route]]\nmatch = "*"\nvia = ["127.0.0.1:99999"]\n', ["99999"]),
                ('[[route]]\nmatch = "*"\n', ["via"]),
                ('[[route]]\nmatch = "*"\nvia = ["mx", "127.0.0.1"]\n', ["mx", "alone"]),
                ('[[site]]\nhosts = "*"\nrate = "many"\n', ["rate", "many"]),
                ('[[site]]\nrate = "5/s"\n', ["hosts", "domains"]),
                ('[delivery\n', []),
                ('[storage]\nreserve = "lots"\n', ["reserve"])):
            with self.subTest(text):
                head = DEFAULT_CONFIG
                if "[storage]" in text:
                    head = head[:head.index("[storage]")]
                self.assert_refused(self.outbox(text, head=head, start=False), *words)

    def test_a_route_that_leads_back_to_us_is_named(self):
        relay = self.outbox('[[route]]\nmatch = "*"\nvia = ["127.0.0.1:{port}"]\n', start=False)
        self.assert_refused(relay, f"127.0.0.1:{relay.port}", "our own listener")

    def test_an_open_relay_does_not_start(self):
        self.assert_refused(self.outbox(route(2600), listener=OPEN_RELAY, start=False),
                            "open relay")

    def test_a_missing_file_is_named(self):
        missing = self.dir / "missing.toml"
        done = subprocess.run([str(BIN / "outboxd"), "--check", "--config", str(missing)],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 2)
        self.assertIn("missing.toml", done.stderr)

    def test_a_port_in_use_is_named(self):
        relay = self.outbox(route(2600))
        second = self.outbox(route(2600), start=False)
        second.port = relay.port
        second.configure(1)
        done = subprocess.run([str(BIN / "outboxd"), "--config", str(second.config)],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(relay.port), done.stderr)


if __name__ == "__main__":
    main()
