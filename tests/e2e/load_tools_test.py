"""smtp_source straight into smtp_sink: the tools that judge everything else must themselves be
right."""

import json
import signal
import socket
import subprocess

from harness import BIN, Client, Scenario, free_port, main, stuff, wait_until


class LoadTools(Scenario):
    def check_intact(self, arguments, messages, recipients=1):
        sink = self.sink()
        result = self.source(sink.port, "--messages", messages, "--recipients", recipients,
                             *arguments)
        self.assertEqual(result["exit"], 0)
        self.assertEqual(result["accepted"], messages)
        self.assertEqual(result["connection_failures"], 0, result["errors"])
        stats = sink.stop()
        self.assertEqual(stats["messages"], messages)
        self.assertEqual(stats["unique_messages"], messages)
        self.assertEqual(stats["unique_recipients"], messages * recipients)
        for name in ("duplicates", "corrupted", "misdirected", "unidentified", "protocol_errors"):
            self.assertEqual(stats[name], 0, name)
        return stats

    def test_command_by_command(self):
        self.check_intact(["--size", "4KiB"], 2000)

    def test_pipelined(self):
        self.check_intact(["--size", "4KiB", "--pipelining"], 5000)

    def test_mixed_sizes_and_many_recipients(self):
        self.check_intact(["--size", "mixed", "--pipelining", "--domains", 50], 500, recipients=7)

    def test_an_empty_body_and_a_large_one(self):
        self.check_intact(["--size", "0"], 20)
        self.check_intact(["--size", "3MiB", "--connections", 3], 12)

    def test_few_messages_a_connection(self):
        stats = self.check_intact(["--per-connection", 3, "--connections", 4], 50)
        self.assertGreaterEqual(stats["connections"], 17)

    def test_refusals_are_counted_and_sent_again(self):
        sink = self.sink("--fail-percent", "20")
        result = self.source(sink.port, "--messages", 300, "--retry-ms", 1)
        self.assertEqual(result["accepted"], 300)
        self.assertGreater(result["deferred"], 0)
        stats = sink.stop()
        self.assertEqual(stats["unique_messages"], 300)
        self.assertEqual(stats["deferred"], result["deferred"])

    def test_permanent_refusals_end_the_message(self):
        sink = self.sink("--reject-percent", "100")
        result = self.source(sink.port, "--messages", 10)
        self.assertEqual((result["exit"], result["accepted"], result["rejected"]), (1, 0, 10))
        self.assertEqual(sink.stop()["messages"], 0)

    def test_delayed_replies(self):
        sink = self.sink("--delay-ms", "50")
        result = self.source(sink.port, "--messages", 40, "--connections", 10, "--pipelining")
        self.assertEqual(result["accepted"], 40)
        self.assertGreaterEqual(result["latency"]["p50_ms"], 45)
        self.assertEqual(sink.stop()["unique_messages"], 40)

    def test_replies_that_are_held_back(self):
        hold = self.dir / "hold"
        hold.touch()
        sink = self.sink("--hold", hold, "--latency-from", 6)
        source = self.spawn([BIN / "smtp_source", "--to", f"127.0.0.1:{sink.port}", "--messages",
                             "10", "--connections", "10"], stdout=subprocess.PIPE, text=True)
        wait_until(lambda: sink.stats().get("messages") == 10, "ten messages")
        self.assertIsNone(source.poll())
        hold.unlink()
        result = json.loads(source.communicate(timeout=60)[0])
        self.assertEqual(result["accepted"], 10)
        # Nobody waits for the sink: it had the last messages long before it said so.
        stats = sink.stop()
        self.assertGreater(result["latency"]["p50_ms"], stats["latency"]["max_ms"])
        self.assertGreater(stats["latency"]["p50_ms"], 0)

    def test_every_loopback_address(self):
        sink = self.sink(address="0.0.0.0")
        for address in ("127.0.0.1", "127.3.2.1"):
            with socket.create_connection((address, sink.port), timeout=5) as s:
                self.assertTrue(s.recv(100).startswith(b"220 "))

    def test_the_source_outlives_a_server_that_dies(self):
        ids = self.dir / "ids"
        port = free_port()
        command = [str(BIN / "smtp_sink"), "--listen", f"127.0.0.1:{port}"]
        first = self.spawn(command, stdout=subprocess.PIPE, text=True)
        first.stdout.readline()
        source = self.spawn(
            [BIN / "smtp_source", "--to", f"127.0.0.1:{port}", "--messages", 3000, "--rate", 3000,
             "--retry-ms", 10, "--ids", ids], stdout=subprocess.PIPE, text=True)
        wait_until(lambda: ids.exists() and ids.stat().st_size > 1000, "some accepted ids")
        first.send_signal(signal.SIGKILL)
        first.wait()

        def start_again():
            # The kernel takes a moment to take the dead one's ring, and its listener with it,
            # apart.
            process = self.spawn(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 text=True)
            return process if process.stdout.readline() else None

        second = wait_until(start_again, "the port to be free")
        self.assertEqual(source.wait(60), 0)
        result = json.loads(source.stdout.read())
        self.assertEqual(result["accepted"], 3000)
        self.assertGreater(result["connection_failures"], 0)
        accepted = ids.read_text().split()
        self.assertEqual(sorted(map(int, accepted)), list(range(1, 3001)))
        second.send_signal(signal.SIGTERM)
        second.wait()

    def test_the_sink_notices_damage(self):
        sink = self.sink()
        head = (b"X-Outbox-Id: 5\r\nX-Outbox-Time: 1\r\nX-Outbox-Hash: 0123456789abcdef\r\n"
                b"Subject: x\r\n\r\n")
        client = Client(sink.port)
        client.deliver(["u5.0@d0.load.test"], head + b"damaged\r\n")
        client.deliver(["someone@d0.load.test"], b"Subject: not ours\r\n\r\n", ehlo=False)
        client.send(b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n" + stuff(b".\r\n..\r\n"))
        client.send(b".\r\nQUIT\r\n")
        self.assertEqual([client.reply()[0] for _ in range(5)], [250, 250, 354, 250, 221])
        client.close()
        stats = sink.stop()
        self.assertEqual(stats["messages"], 3)
        self.assertEqual(stats["corrupted"], 1)
        self.assertEqual(stats["unidentified"], 2)
        self.assertEqual(stats["unique_messages"], 0)

    def test_the_sink_notices_duplicates_and_wrong_recipients(self):
        from_source = []
        catcher = self.receiver(on_message=lambda message: from_source.append(message))
        self.assertEqual(self.source(catcher.port, "--messages", 2, "--connections", 1)["exit"], 0)
        first, second = from_source
        sink = self.sink()
        client = Client(sink.port)
        client.deliver(first.recipients, first.content)
        client.deliver(first.recipients, first.content, ehlo=False)
        client.deliver(first.recipients, second.content, ehlo=False)
        client.close()
        stats = sink.stop()
        self.assertEqual(stats["unique_messages"], 1)
        self.assertEqual(stats["duplicates"], 1)
        self.assertEqual(stats["misdirected"], 1)
        self.assertEqual(stats["corrupted"], 0)


if __name__ == "__main__":
    main()
