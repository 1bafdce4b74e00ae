#!/usr/bin/env python3
"""Writes cases.json with the `tokenizers` library (checked with 0.22.2): texts that lose their
middle as in LongBench's pred.py.

    make_cases.py --model models/SmolLM2-135M-Instruct

A case is {"tokenizer", "text", "max_length", "cut"}; the tokenizers are the committed one of
tests/parity/model/tiny_llama and that of the model given. All texts are ours.
"""
import argparse
import json
import pathlib

import tokenizers

HERE = pathlib.Path(__file__).parent
ESSAY = HERE.parents[2] / "data/haystacks/evaluation/valley/02-apples-and-the-people-who-keep-bees.txt"
TEXTS = {
    "plain": "The ferry left at nine. Nobody had told the miller, who stood on the quay with his flour.",
    "signs": "She said: \"Wait!\" -- but he , who never waits , was gone ... (wasn't he?)\n\n\tTwo lines later, nothing.",
    "chinese": "临溪镇的图书馆建于一九八七年，原来是一座粮仓。馆里现有藏书三万两千册，其中一半是镇上居民捐赠的。",
    "emoji": "👩‍👩‍👧‍👦 four in a boat 🚣🏽 and one fish 🐟🐟🐟 under the bridge 🌉 at night 🌙🌙",
    "special": "<s>one</s> two <|im_start|>three<|im_end|> four <s>five</s> six",
}


def without_middle(tokenizer, text, max_length):
    ids = tokenizer.encode(text).ids  # with special tokens
    if len(ids) <= max_length:
        return text
    half = int(max_length / 2)
    return tokenizer.decode(ids[:half], skip_special_tokens=True) + tokenizer.decode(
        ids[-half:], skip_special_tokens=True
    )


def cases(name, tokenizer):
    texts = {**TEXTS, "essay": ESSAY.read_text(encoding="utf-8")[:300]}
    for text in texts.values():
        count = len(tokenizer.encode(text).ids)
        # Odd and even, the whole, one less; small ones cut characters of several tokens.
        for max_length in sorted({2, 3, 7, 10, 11, 12, 13, count // 2, count - 1, count, count + 1}):
            yield {
                "tokenizer": name,
                "text": text,
                "max_length": max_length,
                "cut": without_middle(tokenizer, text, max_length),
            }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=pathlib.Path, required=True)
    model = parser.parse_args().model
    files = {"tiny_llama": HERE.parent / "model/tiny_llama", "smollm2": model}
    found = [
        case
        for name, folder in files.items()
        for case in cases(name, tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")))
    ]
    lines = ",\n".join(json.dumps(case) for case in found)
    (HERE / "cases.json").write_text(f"[\n{lines}\n]\n")
    broken = sum("\ufffd" in case["cut"] for case in found)
    print(f"tokenizers {tokenizers.__version__}: {len(found)} cases, {broken} cut inside a character")


if __name__ == "__main__":
    main()
