"""kill -9 at random moments under load, and a restart with another number of shards, again and
again.

What got 250 arrives at least once, intact. What arrives twice is bounded by what was in flight: a
message whose 250 the client did not get (the source sends it again), and at each kill the
transactions whose final dot was said and whose outcome was not committed yet.

OUTBOX_CRASH_ROUNDS and OUTBOX_SEED choose the number of rounds and the random moments.
"""

import json
import os
import random
import signal
import subprocess
import time

from harness import BIN, PATIENCE, Scenario, main, route

ROUNDS = int(os.environ.get("OUTBOX_CRASH_ROUNDS", "100"))
SEED = int(os.environ.get("OUTBOX_SEED", random.SystemRandom().randrange(1 << 32)))
CONNECTIONS_OUT = 20
# A connection can finish so many transactions before the commit of the first one's outcome is
# durable.
UNCOMMITTED_A_CONNECTION = 4


class Crash(Scenario):
    def test_kill_and_restart(self):
        print(f"seed {SEED}, {ROUNDS} rounds: OUTBOX_SEED={SEED} repeats the choices", flush=True)
        chance = random.Random(SEED)
        sink = self.sink()
        relay = self.outbox(route(sink.port, max_connections=CONNECTIONS_OUT, retry="1s"),
                            shards=chance.randint(1, 4))
        ids = self.dir / "accepted"
        source = self.spawn(
            [BIN / "smtp_source", "--to", f"127.0.0.1:{relay.port}", "--messages", 100_000_000,
             "--domains", 200, "--recipients", 2, "--connections", 20, "--rate", 1500,
             "--size", "mixed", "--retry-ms", 20, "--failures-max", 100_000_000, "--ids", ids],
            stdout=subprocess.PIPE, text=True)
        for number in range(ROUNDS):
            time.sleep(chance.choice((0.02, 0.1, 0.3, 0.6, 1.0, 1.5)) * chance.uniform(0.3, 1))
            self.assertIsNone(relay.process.poll(), relay.log_text()[-4000:])
            self.assertIsNone(source.poll())
            relay.kill()
            relay.configure(shards=chance.randint(1, 4))
            relay.start()
        source.send_signal(signal.SIGTERM)
        result = json.loads(source.communicate(timeout=PATIENCE)[0])
        relay.wait_for_stats("the queue to drain", 6 * PATIENCE, queued=0)
        final = sink.stop()

        accepted = {int(line) for line in ids.read_text().split()}
        self.assertGreater(len(accepted), 20 * ROUNDS, result)
        delivered = set(sink.ids_file.read_text().split())
        lost = [i for i in sorted(accepted) if not {f"{i}.0", f"{i}.1"} <= delivered]
        self.assertEqual(lost[:20], [], f"{len(lost)} of {len(accepted)} lost")
        for name in ("corrupted", "misdirected", "unidentified"):
            self.assertEqual(final[name], 0, name)
        bound = (2 * result["ambiguous"] +
                 ROUNDS * CONNECTIONS_OUT * UNCOMMITTED_A_CONNECTION)
        print(f"{len(accepted)} accepted, {final['duplicates']} recipients twice, bound {bound} "
              f"({result['ambiguous']} without a known reply)", flush=True)
        self.assertLessEqual(final["duplicates"], bound)
        self.assertEqual(relay.stop(), 0)


if __name__ == "__main__":
    main()
