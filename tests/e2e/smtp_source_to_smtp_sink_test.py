"""Postfix's smtp-source in front and its smtp-sink behind: a thousand messages between two programs
that know nothing of us."""

import peers
from harness import PATIENCE, Scenario, main, route, wait_until


class SmtpSourceToSmtpSink(Scenario):
    def test_a_thousand_messages(self):
        sink = peers.SmtpSink(self)
        relay = self.outbox(route(sink.port, max_connections=50))
        done = peers.smtp_source(["-m", 1000, "-s", 20, "-l", 5000, "-f", "from@source.test",
                                  "-t", "to@sink.test", f"127.0.0.1:{relay.port}"], 4 * PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        stats = relay.wait_for_stats("all to be delivered", accepted_total=1000,
                                     delivered_total=1000, queued=0)
        self.assertEqual(stats["bounced_total"], 0)
        relay.check_ledger()
        wait_until(lambda: len(sink.files()) == 1000, "1000 files of smtp-sink")
        for path in sink.files()[::100]:
            stored = path.read_bytes()
            self.assertIn(b"X-Rcpt-Args: <to@sink.test>", stored)
            self.assertIn(b"by relay.outbox.test", stored)
            self.assertGreater(len(stored), 5000)

    def test_many_recipients_in_one_transaction(self):
        sink = peers.SmtpSink(self)
        relay = self.outbox(route(sink.port))
        done = peers.smtp_source(["-m", 20, "-s", 2, "-r", 30, "-f", "from@source.test",
                                  "-t", "to@sink.test", f"127.0.0.1:{relay.port}"], PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        relay.wait_for_stats("all recipients", accepted_total=600, delivered_total=600, queued=0)
        # One destination: the thirty recipients of a message go in one transaction.
        wait_until(lambda: len(sink.files()) == 20, "20 files of smtp-sink")
        self.assertEqual(sink.files()[0].read_bytes().count(b"X-Rcpt-Args:"), 30)


if __name__ == "__main__":
    main()
