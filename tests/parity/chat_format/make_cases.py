#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Renders chat templates with jinja2, as transformers does, and stores what a user turn becomes.

    make_cases.py models/SmolLM2-135M-Instruct:smollm2 ...      writes cases.json beside this script
"""
import json
import pathlib
import sys

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

MESSAGES = ["Hi", "What is the capital of France?", "two\nlines\n", " spaces around ", "", "{braces} {% raw %}",
            "<|im_end|>\n", "café 中文 😀"]


def main():
    # trim_blocks and lstrip_blocks: the environment of transformers.utils.chat_template_utils.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    cases = {"library": f"jinja2 {jinja2.__version__}"}
    for argument in sys.argv[1:]:
        directory, family = argument.rsplit(":", 1)
        config = json.loads((pathlib.Path(directory) / "tokenizer_config.json").read_text())
        template = environment.from_string(config["chat_template"])
        cases[family] = [
            {"message": text,
             "rendered": template.render(messages=[{"role": "user", "content": text}], add_generation_prompt=True,
                                         bos_token=config.get("bos_token"), eos_token=config.get("eos_token"))}
            for text in MESSAGES]
    pathlib.Path(__file__).with_name("cases.json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
