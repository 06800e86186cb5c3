"""Debian's packages, unpacked into a folder of their own and not installed: no mail system of the
machine is touched, none is replaced, and no maintainer's script runs."""

import pathlib
import shutil
import subprocess
import tempfile

from comparing.trouble import Trouble

DOWNLOAD_SECONDS = 300


def apt(*arguments, **more):
    try:
        done = subprocess.run(["apt-get", "-q", *arguments], capture_output=True, text=True,
                              timeout=DOWNLOAD_SECONDS, **more)
    except FileNotFoundError:
        raise Trouble("apt-get is missing: the packages are Debian's") from None
    except subprocess.TimeoutExpired:
        raise Trouble(f"apt-get {arguments[0]} took more than {DOWNLOAD_SECONDS} s") from None
    return done


def errors(done):
    """What apt-get calls an error; it warns of more."""
    lines = done.stderr.splitlines()
    return " ".join([line for line in lines if line.startswith("E:")] or lines)


def closure(names):
    """The packages and whatever they need that this machine does not have; apt only plans. What
    configures a mail system is left out: the configuration is ours."""
    plan = apt("--simulate", "--no-install-recommends", "install", *names)
    if plan.returncode != 0:
        raise Trouble(f"apt-get knows no way to {' '.join(names)}: {errors(plan)}")
    needed = [line.split()[1] for line in plan.stdout.splitlines() if line.startswith("Inst ")]
    return sorted(set(names) | {n for n in needed if n not in ("exim4-config", "exim4")})


def download(names, folder):
    for attempt in (1, 2):
        try:
            wanted = closure(names)
        except Trouble:
            if attempt == 2:
                raise
            wanted = None
        if wanted:
            done = apt("download", *wanted, cwd=folder)
            if done.returncode == 0:
                return
            if attempt == 2:
                raise Trouble(f"cannot download {' '.join(wanted)}: {errors(done)}")
        # The lists are absent on a fresh machine, or older than what the mirrors keep.
        print("    refreshing the package lists", flush=True)
        update = apt("update")
        if update.returncode != 0:
            raise Trouble(f"apt-get update: {errors(update)}")


def unpack(folder, names):
    """Makes `folder` hold the files of the packages. What was unpacked earlier is kept. Returns
    the version of the first package."""
    mark = folder / "unpacked"
    if mark.exists():
        return mark.read_text().strip()
    folder.parent.mkdir(parents=True, exist_ok=True)
    print(f"    unpacking {' '.join(names)}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with tempfile.TemporaryDirectory(prefix="packages-", dir=folder.parent) as downloads:
        download(names, downloads)
        version = ""
        for package in sorted(pathlib.Path(downloads).glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True, timeout=120)
            if package.name.startswith(names[0] + "_"):
                version = package.name.split("_")[1].replace("%3a", ":")
    # /lib is /usr/lib on Debian 12, also for packages that still name it.
    if (folder / "lib").is_dir() and not (folder / "lib").is_symlink():
        shutil.copytree(folder / "lib", folder / "usr/lib", symlinks=True, dirs_exist_ok=True)
    mark.write_text(version + "\n")
    return version
