"""A stop is clean and bounded in time: what was acknowledged is still there afterwards."""

import json
import signal
import socket
import subprocess
import time

from harness import BIN, SLOWNESS, Scenario, free_port, main, route, wait_until

CONTENT = b"Subject: stop\r\n\r\nx\r\n"


class Stop(Scenario):
    def test_under_load_nothing_is_lost(self):
        sink = self.sink("--delay-ms", "1")
        relay = self.outbox(route(sink.port), shards=2)
        ids = self.dir / "ids"
        source = self.spawn(
            [BIN / "smtp_source", "--to", f"127.0.0.1:{relay.port}", "--messages", 1_000_000,
             "--domains", 100, "--retry-ms", 50, "--ids", ids], stdout=subprocess.PIPE, text=True)
        wait_until(lambda: ids.exists() and ids.read_bytes().count(b"\n") > 500, "load")
        begin = time.monotonic()
        self.assertEqual(relay.stop(), 0)
        # stop_timeout is 5 s.
        self.assertLess(time.monotonic() - begin, 8 * SLOWNESS)
        source.send_signal(signal.SIGTERM)
        result = json.loads(source.communicate(timeout=30 * SLOWNESS)[0])
        accepted = {int(line) for line in ids.read_text().split()}
        self.assertEqual(len(accepted), result["accepted"])

        relay.configure(shards=1)
        relay.start()
        relay.wait_for_stats("the rest to be delivered", queued=0)
        final = sink.stop()
        delivered = {int(line.split(".")[0]) for line in sink.ids_file.read_text().split()}
        self.assertLessEqual(accepted, delivered)
        self.assertEqual(final["corrupted"], 0)
        # Whatever came twice was not acknowledged the first time: the source sent it again.
        self.assertLessEqual(final["duplicates"], result["ambiguous"])

    def test_a_silent_host_does_not_hold_it_up(self):
        # The next hop takes the connection and never says a word.
        silent = free_port()
        listener = socket.create_server(("127.0.0.1", silent))
        self.addCleanup(listener.close)
        relay = self.outbox(route(silent))
        client = relay.client()
        self.assertEqual(client.deliver(["a@silent.test"], CONTENT)[0], 250)
        idle = relay.client()
        begin = time.monotonic()
        self.assertEqual(relay.stop(), 0)
        self.assertLess(time.monotonic() - begin, 8 * SLOWNESS)
        for open_client in (client, idle):
            code, _ = open_client.reply()
            self.assertIn(code, (421, None))
            open_client.close()
        relay.start()
        self.assertEqual([line["recipient"] for line in relay.queue()], ["a@silent.test"])

    def test_who_is_in_the_middle_of_a_message_is_told(self):
        relay = self.outbox(route(free_port()), shards=2)
        waiting, sending = relay.client(), relay.client()
        waiting.begin(["a@dead.test"])
        sending.begin(["b@dead.test"])
        sending.send(b"Subject: half\r\n\r\nand then")
        relay.process.send_signal(signal.SIGTERM)
        for client in (waiting, sending):
            self.assertEqual(client.reply()[0], 421)
            self.assertEqual(client.reply()[0], None)
            client.close()
        self.assertEqual(relay.process.wait(10 * SLOWNESS), 0)
        relay.start()
        relay.wait_for_stats("the spool to be read", queued=0)

    def test_outbox_stop_waits_for_the_end(self):
        relay = self.outbox(route(free_port()))
        done = relay.cli("stop")
        self.assertEqual(done.stdout, "stopped\n")
        self.assertEqual(relay.process.wait(10 * SLOWNESS), 0)
        self.assertFalse(relay.control.exists())
        # Nobody is there any more: that has an exit code of its own.
        self.assertEqual(relay.cli("stats", check=False).returncode, 3)


if __name__ == "__main__":
    main()
