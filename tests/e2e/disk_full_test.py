"""No room on disk: new mail gets 452 4.3.1, delivery goes on, and service resumes by itself: when
mail has been delivered, when what nobody wants has been purged, by the daemon or without it."""

import os
import shutil
import subprocess

from harness import BIN, DEFAULT_CONFIG, Scenario, free_port, main, route, wait_until
from peers import need_root

MIB = 1 << 20
CONTENT = b"Subject: big\r\n\r\n" + (b"x" * 76 + b"\r\n") * 6000  # about 460 KiB


class DiskFull(Scenario):
    def fill(self, relay, most, senders=("s@client.test",)):
        """Sends until the first refusal, which must be 452 4.3.1; how many were accepted. The
        senders take turns."""
        client = relay.client()
        client.ehlo()
        accepted = 0
        while accepted < most:
            code, text = client.say(f"MAIL FROM:<{senders[accepted % len(senders)]}>")
            if code == 250:
                code, text = client.say(f"RCPT TO:<u{accepted}@full.test>")
            if code == 250:
                code, text = client.say("DATA")
            if code == 354:
                client.send(CONTENT + b".\r\n")
                code, text = client.reply()
            if code != 250:
                self.assertEqual(code, 452, text)
                self.assertTrue(text.startswith("4.3.1 "), text)
                client.close()
                return accepted
            accepted += 1
        self.fail(f"{most} messages fitted into the disk")

    def accepts(self, relay):
        client = relay.client()
        client.ehlo()
        code, _ = client.say("MAIL FROM:<s@client.test>")
        client.say("RSET")
        client.close()
        return code == 250

    def delivers(self, relay):
        client = relay.client()
        client.ehlo()
        code, _ = client.say("MAIL FROM:<s@client.test>")
        if code == 250:
            client.say("RCPT TO:<again@full.test>")
            self.assertEqual(client.say("DATA")[0], 354)
            client.send(CONTENT + b".\r\n")
            code, text = client.reply()
            self.assertIn(code, (250, 452), text)
        client.close()
        return code == 250

    def check_drains(self, relay, port, accepted):
        """Delivery goes on while nothing is accepted. The receiver that everything came to."""
        receiver = self.receiver(port=port)
        receiver.wait_for(accepted)
        relay.wait_for_stats("the queue to drain", queued=0, delivered_total=accepted)
        self.assertEqual({r for m in receiver.messages for r in m.recipients},
                         {f"u{i}@full.test" for i in range(accepted)})
        return receiver

    def check_resumes(self, relay, receiver):
        """Every shard accepts again, by itself: each connection comes to one of them by chance."""
        before = len(receiver.messages)
        wait_until(lambda: all(self.accepts(relay) for _ in range(10)),
                   "mail to be accepted again")
        # The room of one more message may be on its way still.
        wait_until(lambda: self.delivers(relay), "a message to be accepted again")
        receiver.wait_for(before + 1)
        relay.wait_for_stats("the queue to drain", queued=0)
        relay.check_ledger()

    def test_the_spool_has_a_size_of_its_own(self):
        port = free_port()
        head = DEFAULT_CONFIG + 'max_size = "64MiB"\n'
        relay = self.outbox(route(port, retry="1s"), head=head)
        accepted = self.fill(relay, 200)
        self.assertGreater(accepted, 20)
        self.assertLessEqual(relay.stats()["spool_bytes"], 64 * MIB)
        self.check_resumes(relay, self.check_drains(relay, port, accepted))

    def test_purged_it_takes_mail_again_though_nothing_is_delivered(self):
        # What is purged and what stays lie side by side in every segment: these have to be emptied.
        head = DEFAULT_CONFIG + 'max_size = "64MiB"\n'
        relay = self.outbox(route(free_port(), retry="1s"), head=head, shards=1)
        senders = ["s@client.test"] + ["virus@bad.test"] * 3
        accepted = self.fill(relay, 200, senders)
        unwanted = sum(senders[i % 4].startswith("virus") for i in range(accepted))
        wait_until(lambda: relay.stats()["disk_low"] == 1, "the disk to be called low")
        # What can be undone keeps its room.
        relay.cli("purge", "--sender", "virus@*", "--yes")
        more = self.fill(relay, 200)
        self.assertLess(more, 10)
        self.assertEqual(relay.cli("purge", "--sender", "virus@*", "--now", "--yes").stdout,
                         f"{unwanted} recipients removed\n")
        relay.wait_for_stats("the disk to be well", disk_low=0, removed_total=unwanted,
                             queued=accepted - unwanted + more)
        self.assertTrue(all(self.accepts(relay) for _ in range(5)))
        # Said once each, whatever has come and gone at the edge.
        wait_until(lambda: '"event":"disk_ok"' in relay.log_text(), "the log to say so")
        log = relay.log_text()
        self.assertEqual((log.count('"event":"disk_low"'), log.count('"event":"disk_ok"')), (1, 1))
        self.assertGreater(self.fill(relay, 200), unwanted // 2)
        relay.check_ledger()

    def mount(self, mebibytes):
        """A small file system of its own, O_DIRECT and all."""
        need_root()
        image, place = self.dir / "disk.img", self.dir / "disk"
        place.mkdir()
        with open(image, "wb") as f:
            f.truncate(mebibytes * MIB)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
        mounted = subprocess.run(["mount", "-o", "loop", str(image), str(place)],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"no loop mount here: {mounted.stderr}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(place)])
        return place

    def test_a_full_file_system(self):
        place = self.mount(192)
        port = free_port()
        relay = self.outbox(route(port, retry="1s"), start=False)
        relay.spool = place / "spool"
        relay.configure(shards=2)
        relay.start()
        # Somebody else takes the room.
        ballast = place / "ballast"
        free = shutil.disk_usage(place).free
        with open(ballast, "wb") as f:
            os.posix_fallocate(f.fileno(), 0, max(free - 48 * MIB, MIB))
        accepted = self.fill(relay, 400)
        # The reserve is left to others.
        self.assertGreaterEqual(shutil.disk_usage(place).free, 8 * MIB)
        receiver = self.check_drains(relay, port, accepted)
        ballast.unlink()
        self.check_resumes(relay, receiver)

    def test_nothing_at_all_is_free_and_the_daemon_is_down(self):
        place = self.mount(128)
        port = free_port()
        relay = self.outbox(route(port, retry="1s"), start=False)
        relay.spool = place / "spool"
        relay.configure(shards=1)
        relay.start()
        accepted = self.fill(relay, 400, ["s@client.test", "virus@bad.test"])
        relay.kill()
        with open(place / "ballast", "wb") as f:  # somebody else takes the reserve as well
            while True:
                try:
                    f.write(b"x" * 65536)
                    f.flush()
                except OSError:
                    break
        self.assertLess(shutil.disk_usage(place).free, 4096 * 16)
        done = subprocess.run([BIN / "spoolcat", "purge", relay.spool, "--sender", "virus@*"],
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(f"{accepted // 2} recipients of {accepted // 2} messages purged", done.stdout)
        checked = subprocess.run([BIN / "spoolcat", "check", relay.spool], capture_output=True)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        relay.start()
        receiver = self.receiver(port=port)
        kept = accepted - accepted // 2
        receiver.wait_for(kept)
        relay.wait_for_stats("the queue to drain", queued=0, delivered_total=kept)
        # The room of what was purged is there for new mail, though the disk is as full as before.
        wait_until(lambda: self.delivers(relay), "a message to be accepted again")


if __name__ == "__main__":
    main()
