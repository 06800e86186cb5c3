"""Four shards, hundreds of domains, several hosts: everything arrives once and intact, and a site's
connection limit holds across the shards. Also run under ThreadSanitizer."""

from harness import PATIENCE, SLOWNESS, Scenario, main, route

MESSAGES = int(6000 / SLOWNESS)


class MultiShard(Scenario):
    def check_all_arrived(self, relay, sinks, recipients):
        relay.wait_for_stats("all to be delivered", 4 * PATIENCE, accepted_total=recipients,
                             delivered_total=recipients, queued=0)
        relay.check_ledger()
        totals = {}
        for sink in sinks:
            for name, value in sink.stop().items():
                if isinstance(value, int):
                    totals[name] = totals.get(name, 0) + value
        self.assertEqual(totals["unique_recipients"], recipients)
        for name in ("duplicates", "corrupted", "misdirected", "unidentified", "protocol_errors"):
            self.assertEqual(totals[name], 0, name)

    def test_many_domains_one_host(self):
        sink = self.sink()
        relay = self.outbox(route(sink.port, max_connections=7), shards=4)
        result = self.source(relay.port, "--messages", MESSAGES, "--domains", 300,
                             "--connections", 40, "--size", "mixed", "--pipelining")
        self.assertEqual(result["accepted"], MESSAGES)
        self.check_all_arrived(relay, [sink], MESSAGES)
        self.assertLessEqual(sink.stats()["connections_max"], 7)

    def test_several_routes_and_recipients(self):
        sinks = [self.sink(), self.sink(), self.sink()]
        routes = "".join(route(sink.port, match=f"d{i}.load.test", max_connections=5)
                         for i, sink in enumerate(sinks[:2])) + route(sinks[2].port)
        relay = self.outbox(routes, shards=4)
        messages = MESSAGES // 6
        result = self.source(relay.port, "--messages", messages, "--domains", 5,
                             "--recipients", 5, "--connections", 20)
        self.assertEqual(result["accepted"], messages)
        self.check_all_arrived(relay, sinks, messages * 5)
        for sink in sinks[:2]:
            self.assertLessEqual(sink.stats()["connections_max"], 5)

    def test_one_busy_destination_uses_every_shard(self):
        sink = self.sink("--delay-ms", "2")
        relay = self.outbox(route(sink.port, max_connections=16), shards=4)
        result = self.source(relay.port, "--messages", MESSAGES, "--connections", 40,
                             "--pipelining")
        self.assertEqual(result["accepted"], MESSAGES)
        self.check_all_arrived(relay, [sink], MESSAGES)
        self.assertLessEqual(sink.stats()["connections_max"], 16)

    def test_a_failing_host_delays_and_loses_nothing(self):
        sink = self.sink("--fail-percent", "20")
        relay = self.outbox(route(sink.port, retry="1s"), shards=4)
        messages = MESSAGES // 10
        result = self.source(relay.port, "--messages", messages, "--domains", 20)
        self.assertEqual(result["accepted"], messages)
        stats = relay.wait_for_stats("all to be delivered", 4 * PATIENCE,
                                     delivered_total=messages, queued=0)
        self.assertGreater(stats["deferred_total"], 0)
        self.assertEqual(stats["bounced_total"], 0)
        final = sink.stop()
        self.assertEqual(final["unique_recipients"], messages)
        self.assertEqual(final["duplicates"], 0)


if __name__ == "__main__":
    main()
