# SPDX-License-Identifier: Apache-2.0
"""srh-identify: the reference loop, transformers with the attention of each decode step returned.

The loop prefills with eager attention, decodes greedily, asks each step for all attention and adds
up each head's mass on the answer when a token of it is emitted: the semantic score alone. Prompts are
those of niah_calibration, of the same lengths and depths. Ours is timed as a command, with start
and reading of the model, and also computes traditional and window scores; per prompt. That both do
the same work shows in the best heads, which have to be the same ones.
"""

import json
import time

import peers
from harness import at_least, share, times_faster
from prompts import MAX_NEW_TOKENS

LENGTHS, PER_CELL = (500, 1000, 2000), 2
PROMPTS = len(LENGTHS) * PER_CELL
TOP = 10


def measure_ours(bench):
    """Seconds a prompt, and the best heads by semantic score."""
    finished = bench.run(
        "srh-identify", "--model", bench.model, "--output", bench.folder / "identify.h5", "--force",
        "--lengths", ",".join(map(str, LENGTHS)), "--depths", "0.5", "--needles-per-cell", PER_CELL,
        "--dtype", "bf16", "--threads", bench.threads, "--top", TOP, "--quiet", "--json", "-")
    best = json.loads(finished.output)["kinds"]["semantic"]["top"]
    return finished.seconds / PROMPTS, {(row["layer"], row["head"]) for row in best}


def read_prompt(bench, number):
    """Prompt ids, and the ids and positions of the answer in it."""
    text = bench.run("kv-inspect", "prompt", bench.model, "niah_calibration", "--sample", number,
                     "--task-param", f"lengths={','.join(map(str, LENGTHS))}", "depths=0.5",
                     f"needles_per_cell={PER_CELL}").output
    _, context, question, answer = (
        part.strip("\n") for part in text.replace("-- question\n", "-- context\n")
        .replace("-- reference\n", "-- context\n").split("-- context\n"))
    chat = bench.tokenizer.apply_chat_template(
        [{"role": "user", "content": f"{context}\n\n{question}"}], add_generation_prompt=True,
        tokenize=False)
    encoded = bench.tokenizer(chat, add_special_tokens=False, return_offsets_mapping=True)
    begin = chat.index(answer)
    positions = [i for i, (first, last) in enumerate(encoded.offset_mapping)
                 if first < begin + len(answer) and last > begin]
    return encoded.input_ids, positions


def score_heads(peer, ids, positions):
    """[layers][heads] semantic scores of one prompt; greedy, as srh-identify."""
    torch, cache = peer.torch, peer.new_cache()
    answer, stop = {ids[i] for i in positions}, peer.model.generation_config.eos_token_id
    layers, heads = peer.model.config.num_hidden_layers, peer.model.config.num_attention_heads
    scores = torch.zeros(layers, heads)
    with torch.inference_mode():
        output = peer.model(input_ids=torch.tensor([ids]), past_key_values=cache, logits_to_keep=1)
        for _ in range(MAX_NEW_TOKENS):
            token = output.logits[0, -1].argmax().item()
            if token == stop:
                break
            output = peer.model(input_ids=torch.tensor([[token]]), past_key_values=cache,
                                output_attentions=True)
            if token in answer:
                for layer, attention in enumerate(output.attentions):
                    scores[layer] += attention[0, :, 0, positions].float().sum(-1)
    return scores


def measure_peer(peer, prompts):
    start = time.monotonic()
    scores = sum(score_heads(peer, ids, positions) for ids, positions in prompts)
    seconds = (time.monotonic() - start) / PROMPTS
    best = scores.flatten().topk(TOP).indices.tolist()
    return seconds, {divmod(i, scores.shape[1]) for i in best}


def rows(bench):
    peer = peers.Transformers(bench, "eager")
    prompts = [read_prompt(bench, 1 + i) for i in range(PROMPTS)]
    score_heads(peer, *prompts[0])
    results = bench.in_turns({"kvcal": lambda: measure_ours(bench),
                              "peer": lambda: measure_peer(peer, prompts)})
    (ours, our_best), (theirs, their_best) = (zip(*results[side]) for side in ("kvcal", "peer"))
    yield times_faster("srh-identify, prompts of 500 to 2000 tokens", "s a prompt", list(ours),
                       "transformers, eager", list(theirs), at_least(10))
    yield share(f"of the {TOP} best heads, found by both", "heads", [len(our_best[0] & their_best[0])],
                "all", [TOP], at_least(0.8))
