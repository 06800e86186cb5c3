"""bench/compare with Outbox alone: the rows are measured, the files are written, and a relay that
cannot be set up is named while the rest goes on. The figures themselves are not looked at."""

import csv
import subprocess
import sys
import xml.etree.ElementTree

from harness import BIN, ROOT, Scenario, main


class Compare(Scenario):
    def compare(self, *arguments):
        return subprocess.run(
            [sys.executable, str(ROOT / "bench" / "compare"), "--bin", str(BIN), "--dir",
             str(self.dir / "work"), "--out", str(self.dir / "out"), "--quick", "--seconds", "0.2",
             "--messages", "500", "--domains", "50", *arguments],
            capture_output=True, text=True, timeout=120)

    def results(self):
        with open(self.dir / "out" / "compare.csv", newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def test_every_row_of_outbox(self):
        done = self.compare("--peers", "outbox")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        results = self.results()
        self.assertEqual([r["row"] for r in results], ["plain", "backlog", "restart"])
        for result in results:
            self.assertEqual((result["relay"], result["trouble"]), ("outbox", ""))
            for name in ("messages", "relayed_per_s", "accepted_per_s", "relay_cpu_us"):
                self.assertGreater(float(result[name]), 0, name)
        for result in results[1:]:
            self.assertGreater(float(result["first_delivery_s"]), 0)
        svg = xml.etree.ElementTree.parse(self.dir / "out" / "compare.svg")
        words = [element.text for element in svg.iter() if element.tag.endswith("text")]
        for result in results:
            self.assertTrue(any(w and w.startswith(result["row"]) for w in words), words)
        self.assertIn("plain, 4 KiB, 50 domains", (self.dir / "out" / "table.txt").read_text())
        self.assertEqual(list((self.dir / "work").iterdir()), [])

    def test_a_relay_that_does_not_start_is_named(self):
        # A --bin whose daemon ends at once.
        folder = self.dir / "bin"
        folder.mkdir()
        for name in ("outbox", "smtp_source", "smtp_sink"):
            (folder / name).symlink_to(BIN / name)
        (folder / "outboxd").write_text(
            "#!/bin/sh\n[ \"$1\" = --version ] && echo outboxd 0.0 && exit\n"
            "echo it is broken >&2\nexit 1\n")
        (folder / "outboxd").chmod(0o755)
        done = self.compare("--peers", "outbox", "--bin", str(folder))
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("outbox, plain, 4 KiB, 50 domains: did not start: it is broken", done.stderr)
        # The later rows have nobody left to measure.
        self.assertEqual([r["row"] for r in self.results()], ["plain"])


if __name__ == "__main__":
    main()
