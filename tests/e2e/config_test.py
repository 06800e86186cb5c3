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
                ('[[site]]\nhosts = "*"\nmax_rate = "many"\n', ["rate", "many"]),
                ('[[site]]\nmax_rate = "5/s"\n', ["hosts", "domains"]),
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

    def test_each_kind_of_mistake_has_its_place_and_what_was_expected(self):
        """One each: what an operator gets wrong, and the line that says so."""
        for name, text, (line, column), what, expected in (
                ("unknown key", '[delivery]\nretri = "5m"\n', (2, 1), 'unknown key "retri"',
                 'did you mean "retry"?'),
                ("wrong type", "[delivery]\nretry = 5\n", (2, 9), "an integer", "expected"),
                ("bad address", '[[route]]\nmatch = "*"\nvia = ["300.0.0.1:25:1"]\n', (3, 8),
                 "300.0.0.1:25:1", 'expected "mx", '),
                ("bad duration", '[delivery]\nretry_until = "soon"\n', (2, 15), "soon",
                 "expected"),
                ("duplicate listener", LISTENER, (2, 14), "is the address of the listener in line",
                 "expected a different address for each"),
                ("route loop", '[[route]]\nmatch = "*"\nvia = ["127.0.0.1:{port}"]\n', (3, 8),
                 "is our own listener, and mail would go round in a circle",
                 "expected another host")):
            with self.subTest(name):
                relay = self.outbox("#MISTAKE\n" + text.lstrip("\n"), start=False)
                first = relay.config.read_text().split("#MISTAKE")[0].count("\n") + 1
                done = self.check(relay)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                lines = done.stderr.splitlines()
                self.assertEqual(len(lines), 1, done.stderr)
                place = f"{relay.config}:{first + line}:{column}: "
                self.assertTrue(lines[0].startswith(place),
                                lines[0])
                self.assertIn(what, lines[0])
                self.assertIn(expected, lines[0])

    def test_an_unreadable_file_is_named(self):
        relay = self.outbox(route(2600), start=False)
        relay.config.unlink()
        relay.config.mkdir()
        done = self.check(relay)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"outbox\.toml:1:1: the file cannot be read: Is a directory; "
                                      r"expected a readable configuration")

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
        # Several shards share a port among themselves, and must not share it with strangers.
        for shards in (1, 2):
            relay = self.outbox(route(2600), shards=shards)
            second = self.outbox(route(2600), start=False)
            own_port, second.port = second.port, relay.port
            second.configure(shards)
            done = subprocess.run([str(BIN / "outboxd"), "--config", str(second.config)],
                                  capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"127.0.0.1:{relay.port}: Address already in use", done.stderr)
            # Nor does a reload take it.
            second.port = own_port
            second.configure(shards)
            second.start()
            text = second.config.read_text()
            second.config.write_text(text.replace(f":{own_port}", f":{relay.port}"))
            refused = second.cli("reload", check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("Address already in use", refused.stderr)
            self.assertEqual(second.client().greeting[0], 220)


if __name__ == "__main__":
    main()
