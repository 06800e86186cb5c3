"""Our programs: built, where they are missing, in the way the README says."""

import pathlib
import subprocess

from comparing.trouble import Trouble

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEFAULT = ROOT / "build" / "release"
NAMES = ("outboxd", "outbox", "smtp_source", "smtp_sink")


def command(folder, name, *arguments):
    """What runs one of our programs, so that the kernel ends it if we are killed."""
    return ["setpriv", "--pdeathsig", "KILL", str(folder / name), *map(str, arguments)]


def missing(folder, names):
    return [name for name in names if not (folder / name).exists()]


def need(folder, *more):
    """NAMES, and `more` of our programs."""
    names = [*NAMES, *more]
    if not missing(folder, names):
        return
    if folder != DEFAULT:
        raise Trouble(f"{folder} lacks {', '.join(missing(folder, names))}")
    print("building", ", ".join(names), flush=True)
    for command in (["tools/setup"], ["cmake", "--preset", "release"],
                    ["cmake", "--build", "--preset", "release", "--target", *names]):
        try:
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=3600)
        except (OSError, subprocess.SubprocessError) as error:
            raise Trouble(f"cannot build: {error}") from None
