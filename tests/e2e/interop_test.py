"""The rows of docs/interop.md whose peers are here for other scenarios anyway: at least what the
document says works. All of it, exactly: tests/interop/run --check."""

import subprocess
import sys

from harness import ROOT, Scenario, main
from peers import need_root


class Interop(Scenario):
    def test_what_the_document_says_works(self):
        need_root()
        done = subprocess.run(
            [sys.executable, "-B", str(ROOT / "tests/interop/run"), "--check", "--at-least",
             "--no-setup", "--verbose", "--peers", "postfix,exim,dovecot,swaks,smtplib"],
            capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("not compared", done.stdout)


if __name__ == "__main__":
    main()
