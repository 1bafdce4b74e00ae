#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Renders chat templates with jinja2, as transformers does, and stores what a user turn becomes.

    make_cases.py models/SmolLM2-135M-Instruct --templates trl/chat_templates

--templates: the folder of the PyPI package trl (1.16.0), which carries the templates that the models were
published with; none of their text is kept but what they make of the messages. Mistral's own library
mistral-common (1.13.1) renders v0.3, and its ids are kept too.
"""
import argparse
import json
import pathlib
import re

import jinja2
import mistral_common
from jinja2.sandbox import ImmutableSandboxedEnvironment
from mistral_common.protocol.instruct.messages import UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

MESSAGES = ["Hi", "What is the capital of France?", "two\nlines\n", " spaces around ", "", "{braces} {% raw %}",
            "<|im_end|>\n", "café 中文 😀", "\u00a0\u2003wide spaces\u3000"]
LLAMA = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
# format in configs/models: template, variables
PUBLISHED = {
    "llama3": ("llama3.jinja", LLAMA),
    "llama31": ("llama3_1.jinja", LLAMA),
    "qwen25": ("qwen2_5.jinja", {}),
    "qwen3": ("qwen3.jinja", {"enable_thinking": False}),
    "qwen3_open": ("qwen3_instruct_2507.jinja", {}),
}


def render(template, variables):
    # trim_blocks and lstrip_blocks: the environment of transformers.utils.chat_template_utils.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    compiled = environment.from_string(template)
    return [{"message": text,
             "rendered": compiled.render(messages=[{"role": "user", "content": text}],
                                         add_generation_prompt=True, **variables)}
            for text in MESSAGES]


def text_of_pieces(pieces):
    """What SentencePiece's pieces stand for; no message has their characters itself."""
    in_bytes = re.sub(rb"<0x([0-9A-F]{2})>", lambda found: bytes.fromhex(found[1].decode()), pieces.encode())
    return in_bytes.decode().replace("▁", " ")


def mistral_cases():
    tokenizer, cases = MistralTokenizer.v3(), []
    for text in filter(None, MESSAGES):  # it refuses an empty message
        turn = tokenizer.encode_chat_completion(ChatCompletionRequest(messages=[UserMessage(content=text)]))
        cases.append({"message": text, "rendered": text_of_pieces(turn.text), "ids": turn.tokens})
    return cases


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("smollm2", type=pathlib.Path)
    parser.add_argument("--templates", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    config = json.loads((arguments.smollm2 / "tokenizer_config.json").read_text())
    tokens = {key: config.get(key) for key in ("bos_token", "eos_token")}
    cases = {"library": f"jinja2 {jinja2.__version__}, mistral-common {mistral_common.__version__}",
             "smollm2": render(config["chat_template"], tokens), "mistral_v3": mistral_cases()}
    for name, (file, variables) in PUBLISHED.items():
        cases[name] = render((arguments.templates / file).read_text(), variables)
    # Qwen3's own default is the open format too.
    thinking = render((arguments.templates / "qwen3.jinja").read_text(), {})
    assert thinking == cases["qwen3_open"]
    pathlib.Path(__file__).with_name("cases.json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
