#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Retrieval-head scores by a plain transformers loop: attention returned at every decode step, f32.

Writes cases.json (prompts, spans, replies) and scores.safetensors (per case semantic and traditional,
[layers, heads]). The rules are those of docs/cli.md, both ways of counting repeated answer tokens.
Needs torch, transformers, safetensors:  make_cases.py MODEL_DIR
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
INSTRUCTION = "\n\nAnswer the question based on the text above.\n\nQuestion: {question}\nAnswer:"
MAX_NEW_TOKENS = 50


def build_prompts(tokenizer):
    """Four needles in short contexts of our own text; what matters is that both sides see the same."""
    needles = [json.loads(line) for line in (ROOT / "data/needles/calibration.jsonl").open()][:4]
    texts = sorted((ROOT / "data/haystacks/calibration").rglob("*.txt"))
    for index, needle in enumerate(needles):
        paragraphs = texts[index].read_text().split("\n\n")[: 3 + index]
        sentences = " ".join(paragraphs).split(". ")
        sentences.insert(len(sentences) * (index + 1) // 6, needle["needle"].rstrip("."))
        message = ". ".join(sentences) + INSTRUCTION.format(question=needle["question"])
        chat = [{"role": "user", "content": message}]
        prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        yield needle, prompt


def find_span(tokenizer, ids, answer):
    """The answer's tokens as they stand in running text, behind a space."""
    wanted = tokenizer(" " + answer, add_special_tokens=False)["input_ids"]
    for start in range(len(ids) - len(wanted) + 1):
        if ids[start : start + len(wanted)] == wanted:
            return start, start + len(wanted)
    raise SystemExit(f"{answer!r} is not in the prompt")


@torch.no_grad()
def run(model, ids, span, stop_id):
    begin, end = span
    layers, heads = model.config.num_hidden_layers, model.config.num_attention_heads
    scores = {kind: torch.zeros(layers, heads, dtype=torch.float64)
              for kind in ("semantic", "semantic_repeats", "traditional")}
    past = model(torch.tensor([ids[:-1]]), use_cache=True).past_key_values
    token, reply = ids[-1], []
    while len(reply) < MAX_NEW_TOKENS:
        out = model(torch.tensor([[token]]), past_key_values=past, use_cache=True, output_attentions=True)
        past = out.past_key_values
        token = int(out.logits[0, -1].argmax())
        found = ids[begin:end].count(token)
        for layer, attention in enumerate(out.attentions):
            row = attention[0, :, -1]  # [heads, seen]
            mass = row[:, begin:end].sum(-1).double()
            scores["semantic"][layer] += min(found, 1) * mass
            scores["semantic_repeats"][layer] += found * mass
            for head, top in enumerate(row.argmax(-1).tolist()):
                if begin <= top < end and ids[top] == token:
                    scores["traditional"][layer, head] += 1 / (end - begin)
        if token == stop_id:
            break
        reply.append(token)
    return scores, reply


def main():
    torch.set_num_threads(1)
    directory = sys.argv[1]
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")
    cases, tensors = [], {}
    for index, (needle, prompt) in enumerate(build_prompts(tokenizer)):
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        span = find_span(tokenizer, ids, needle["answer"])
        scores, reply = run(model, ids, span, tokenizer.eos_token_id)
        cases.append({"prompt": prompt, "needle": needle["id"], "answer": needle["answer"],
                      "prompt_tokens": len(ids), "span": span, "reply": tokenizer.decode(reply)})
        tensors.update({f"{index}.{kind}": value.float() for kind, value in scores.items()})
        print(len(ids), span, tokenizer.decode(reply), file=sys.stderr)
    (HERE / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
    save_file(tensors, HERE / "scores.safetensors",
              metadata={"source": "transformers 5.2.0, torch 2.11.0, eager attention, f32"})


if __name__ == "__main__":
    main()
