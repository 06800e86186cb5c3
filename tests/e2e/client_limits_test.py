"""How many clients may be connected: in all, and from one address."""

from harness import Client, Scenario, free_port, main, route


class ClientLimits(Scenario):
    def limited(self, limits, shards):
        relay = self.outbox(route(free_port()), shards=shards, start=False)
        text = relay.config.read_text()
        relay.config.write_text(text.replace("relay_from", limits + "\nrelay_from", 1))
        relay.start()
        return relay

    def connect(self, relay, source):
        client = Client(relay.port, source)
        self.addCleanup(client.close)
        return client

    def refused(self, relay, source):
        """The fourth one reads why, and that it may come back."""
        client = self.connect(relay, source)
        code, text = client.greeting
        self.assertEqual(code, 421, text)
        self.assertTrue(text.startswith("4.7.0 "), text)
        self.assertEqual(client.reply()[0], None)

    def test_from_one_address(self):
        for shards in (1, 2):
            relay = self.limited("max_connections_per_client = 3", shards)
            clients = [self.connect(relay, "127.0.0.1") for _ in range(3)]
            self.assertEqual([client.greeting[0] for client in clients], [220] * 3)
            self.refused(relay, "127.0.0.1")
            self.assertEqual(self.connect(relay, "127.0.0.2").greeting[0], 220)
            # One goes, the next one comes.
            self.assertEqual(clients[0].say("QUIT")[0], 221)
            relay.wait_for_stats("the client to be gone", connections_in=3)
            self.assertEqual(self.connect(relay, "127.0.0.1").greeting[0], 220)
            self.assertEqual(relay.stats()["connections_refused_total"], 1)

    def test_in_all(self):
        for shards in (1, 2):
            relay = self.limited("max_connections = 3", shards)
            for last in (1, 2, 3):
                self.assertEqual(self.connect(relay, f"127.0.0.{last}").greeting[0], 220)
            self.refused(relay, "127.0.0.4")
            self.assertEqual(relay.stats()["connections_refused_total"], 1)


if __name__ == "__main__":
    main()
