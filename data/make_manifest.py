#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes MANIFEST.yaml: every text of data/ with its size and hash. `--check` says what differs."""
import hashlib
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
# What a user puts or fetches here is not ours.
FOREIGN = ("jieba", "longbench", "longhealth", "quality", "ruler")


def manifest():
    lines = ["# Written by make_manifest.py. All texts: written for kvcal, licence Apache-2.0.", "files:"]
    texts = (p for kind in ("txt", "json", "jsonl") for p in HERE.rglob(f"*.{kind}") if "requirements" not in p.name)
    for path in sorted(p for p in texts if p.relative_to(HERE).parts[0] not in FOREIGN):
        content = path.read_bytes()
        lines += [f"  {path.relative_to(HERE)}:", f"    bytes: {len(content)}",
                  f"    sha256: {hashlib.sha256(content).hexdigest()}"]
    return "\n".join(lines) + "\n"


target = HERE / "MANIFEST.yaml"
if "--check" in sys.argv:
    sys.exit(0 if target.exists() and target.read_text() == manifest() else "data/MANIFEST.yaml is out of date")
target.write_text(manifest())
