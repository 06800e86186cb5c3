"""Programs of npm, in a folder beside the unpacked packages: Haraka and nodemailer."""

import hashlib
import json
import pathlib
import shutil
import subprocess
import unittest

from harness import PEERS

FOLDER = PEERS / "node"
PACKAGE = pathlib.Path(__file__).with_name("package.json")
INSTALL_SECONDS = 300
NODE_MIN = 18
tried = {}


def need_modules():
    """The folder with node_modules; installs what package.json says. SkipTest where that cannot
    be."""
    if "why" not in tried:
        tried["why"] = install()
    if tried["why"]:
        raise unittest.SkipTest(tried["why"])
    return FOLDER


def install():
    """None, or why there is nothing."""
    if not shutil.which("node"):
        return "node is missing (Debian's package nodejs)"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < NODE_MIN:
        return f"node is {version}, and has to be {NODE_MIN} or newer"
    mark = FOLDER / "installed"
    wanted = hashlib.sha256(PACKAGE.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == wanted:
        return None
    if not shutil.which("npm"):
        return "npm is missing (Debian's package npm)"
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    shutil.copyfile(PACKAGE, FOLDER / "package.json")
    print("installing Haraka and nodemailer with npm", flush=True)
    try:
        done = subprocess.run(
            ["npm", "install", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund",
             "--no-package-lock", "--loglevel=error"], cwd=FOLDER, capture_output=True, text=True,
            timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        return "npm found its registry too slow"
    if done.returncode != 0:
        code = next((line for line in done.stderr.splitlines() if "code" in line), "")
        return f"npm could not install it ({code.split()[-1] if code else done.returncode})"
    mark.write_text(wanted)
    return None


def module_version(name):
    return json.loads((FOLDER / "node_modules" / name / "package.json").read_text())["version"]
