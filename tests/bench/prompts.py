# SPDX-License-Identifier: Apache-2.0
"""Prompts for whole commands: a needle in a haystack, as kv-eval's own task places it."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_NEW_TOKENS = 48


def write_prompt(path, tokenizer, tokens, number):
    """Writes prompt `number` of about `tokens` tokens as one line of JSON for `--tasks jsonl:`."""
    files = sorted((ROOT / "data/haystacks/evaluation").rglob("*.txt"))
    words = tokenizer.encode("\n\n".join(file.read_text() for file in files))
    words *= -(-tokens // len(words))
    needles = (ROOT / "data/needles/evaluation.jsonl").read_text().splitlines()
    needle = json.loads(needles[number % len(needles)])
    # Each prompt has another beginning, so that no side can use a prefill twice.
    own = (words[97 * number:] + words[:97 * number])[:tokens - 120]
    middle = len(own) * (1 + 2 * (number % 5)) // 10
    text = " ".join([tokenizer.decode(own[:middle]), needle["needle"],
                     tokenizer.decode(own[middle:])])
    line = {"id": needle["id"], "prompt": f"{text}\n\n{needle['question']}",
            "answers": [needle["answer"]], "metric": "qa_f1_score", "chat": True,
            "max_new_tokens": MAX_NEW_TOKENS}
    path.write_text(json.dumps(line) + "\n")
    return path


def write_prompts(path, tokenizer, tokens, count):
    """Writes several prompts into one task file; the ids of each."""
    lines = [write_prompt(path, tokenizer, tokens, number).read_text() for number in range(count)]
    path.write_text("".join(lines))
    return [encode(line, tokenizer) for line in lines]


def encode(line, tokenizer, **how):
    """The ids that our programs make of a line of a task file."""
    turn = [{"role": "user", "content": json.loads(line)["prompt"]}]
    text = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
    return tokenizer.encode(text, add_special_tokens=False, **how)


def ids_of(prompt, tokenizer):
    """[1, tokens]: the ids of a file with one prompt."""
    return encode(prompt.read_text(), tokenizer, return_tensors="pt")
