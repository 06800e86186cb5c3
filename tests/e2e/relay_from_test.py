"""Who may relay: clients of relay_from, and nobody else."""

from harness import Scenario, main, route


class RelayFrom(Scenario):
    def test_only_named_networks_may_relay(self):
        receiver = self.receiver()
        relay = self.outbox(route(receiver.port))
        stranger = relay.client(source="127.0.0.2")
        stranger.ehlo()
        self.assertEqual(stranger.say("MAIL FROM:<a@stranger.test>")[0], 250)
        code, text = stranger.say("RCPT TO:<b@elsewhere.test>")
        self.assertIn(code, (550, 554), text)
        self.assertTrue(text.startswith("5.7.1 "), text)
        # The refusal of every recipient leaves nothing to send.
        self.assertEqual(stranger.say("DATA")[0], 554)
        self.assertEqual(stranger.say("QUIT")[0], 221)
        stranger.close()

        ours = relay.client(source="127.0.0.1")
        self.assertEqual(ours.deliver(["b@elsewhere.test"], b"Subject: ours\r\n\r\nx\r\n")[0], 250)
        ours.close()
        receiver.wait_for(1)
        self.assertEqual(receiver.messages[0].sender, "sender@client.test")
        stats = relay.wait_for_stats("delivery", delivered_total=1, queued=0)
        self.assertEqual(stats["accepted_total"], 1)


if __name__ == "__main__":
    main()
