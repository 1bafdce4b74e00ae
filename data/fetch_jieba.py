#!/usr/bin/env python3
"""Fetch jieba's dictionary and tables, which the Chinese metrics need, into data/jieba.

They come from the source package jieba 0.42.1 on PyPI (MIT), taken from --wheel-dir or
build/deps/wheels if it lies there, else downloaded by pip. dict.txt is kept as it is; the tables,
which are Python literals, become hmm.json. The folder appears complete or not at all.
Exit status: 0 done, 2 usage, 3 any other failure.
"""

import argparse
import ast
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "deps" / "wheels"
PACKAGE, ARCHIVE = "jieba==0.42.1", "jieba-0.42.1.tar.gz"
INSIDE = "jieba-0.42.1/jieba"
TABLES = ("start", "trans", "emit")
DICT_MD5 = "897a1f17ca8c08caa37a36f92e2da441"  # what jieba's own cache of it is checked by
SOURCE = "SOURCE.md"
NOTE = f"""# Origin of these files

PyPI `{PACKAGE}`, licence MIT, https://github.com/fxsjy/jieba.

- `dict.txt`: `jieba/dict.txt` as it is
- `hmm.json`: `jieba/finalseg/prob_{{start,trans,emit}}.py` in one file
"""


class FetchError(Exception):
    """A failure the user can act on; its text is the one line printed."""


def get_archive(wheel_dir):
    """The source package at hand, or one that pip downloads into the cache."""
    for folder in (wheel_dir, CACHE):
        if folder and (folder / ARCHIVE).exists():
            return folder / ARCHIVE
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".download-") as folder:
        options = "download --quiet --disable-pip-version-check --no-deps --no-binary=:all: --dest"
        command = [sys.executable, "-m", "pip", *options.split(), folder, PACKAGE]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            reason = (result.stderr.strip().splitlines() or ["no package came"])[-1]
            raise FetchError(f"pip could not download {PACKAGE} (no network?): {reason}")
        return (Path(folder) / ARCHIVE).rename(CACHE / ARCHIVE)


def read_member(archive, name):
    """The bytes of one file of the package."""
    return archive.extractfile(f"{INSIDE}/{name}").read()


def table_of(source):
    """The literal that a prob_*.py assigns to P; nothing of it is run."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign):
            return ast.literal_eval(statement.value)
    raise ValueError("no assignment")


def unpack(path, folder):
    """Write dict.txt, hmm.json and the note."""
    try:
        with tarfile.open(path) as archive:
            words = read_member(archive, "dict.txt")
            tables = {
                name: table_of(read_member(archive, f"finalseg/prob_{name}.py")) for name in TABLES
            }
    except (tarfile.TarError, EOFError, KeyError, ValueError, SyntaxError) as error:
        raise FetchError(f"{path} is damaged ({error}); delete it and try again") from error
    found = hashlib.md5(words).hexdigest()
    if found != DICT_MD5:
        raise FetchError(f"the dictionary in {path} has MD5 {found}, expected {DICT_MD5}")
    (folder / "dict.txt").write_bytes(words)
    (folder / "hmm.json").write_text(json.dumps(tables, ensure_ascii=False), encoding="utf-8")
    (folder / SOURCE).write_text(NOTE, encoding="utf-8")  # last: says that the rest is there


def fetch(args):
    """Do what the command line asks."""
    if (args.output / SOURCE).exists() and (args.output / SOURCE).read_text("utf-8") == NOTE:
        print(f"{args.output}: already there")
        return
    archive = get_archive(args.wheel_dir)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=args.output.parent, prefix=f".{args.output.name}-"))
    try:
        unpack(archive, work)
        shutil.rmtree(args.output, ignore_errors=True)
        work.chmod(0o755)
        work.rename(args.output)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{args.output}: written")


def main():
    """Run; any failure is one line and exit status 3."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "data" / "jieba")
    parser.add_argument(
        "--wheel-dir", type=Path, metavar="DIR", help="where the source package may lie already"
    )
    args = parser.parse_args()
    try:
        fetch(args)
        return 0
    except FetchError as error:
        reason = str(error)
    except OSError as error:
        reason = f"{error.filename or args.output}: {error.strerror or error}"
    print(f"fetch_jieba.py: {' '.join(reason.split())}", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())
