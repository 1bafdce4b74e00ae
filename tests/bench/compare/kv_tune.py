# SPDX-License-Identifier: Apache-2.0
"""kv-tune: a search over the settings of SnapKV, against a script that runs each setting anew.

An evaluation is one setting on one prompt of 2,000 tokens at 6 %: its loss along the full cache's
answer (KL) and along the reference answer. The script prefills the prompt for each, scores, evicts
and feeds both answers; the full cache's answer it is given. Ours is the whole command with start,
the full cache's answers, the choice among finalists and the check on a held-out prompt. Of it, each
setting on each prompt that the search looks at counts as an evaluation, and each line of the check;
finalists, which are looked at again while they answer, count nothing. That both measure the same
shows in the loss of the paper's setting.
"""

import json
import time

import eviction
from harness import at_least, share, times_faster
from prompts import MAX_NEW_TOKENS, write_prompts

PROMPTS, TOKENS, POINTS = 3, 2000, 24
KEPT_SHARE = 0.06
PAPER = (8, 5)  # window, pool
SETTINGS = (PAPER, (32, 31), (16, 15))


def measure_ours(bench, tasks):
    """Seconds an evaluation, and the loss of the paper's setting on the held-out prompt."""
    profile = bench.folder / "tune.h5"
    bench.run("srh-identify", "--model", bench.model, "--output", profile, "--force", "--lengths", 500, "--depths",
              "0.5", "--needles-per-cell", 2, "--dtype", "bf16", "--threads", bench.threads, "--quiet")
    finished = bench.run("kv-tune", "--model", bench.model, "--profile", profile, "--force", "--tasks",
                         f"jsonl:{tasks}", "--spaces", "snapkv", "--budgets", f"{KEPT_SHARE:.0%}",
                         "--random-points", POINTS, "--rounds", 1, "--dtype", "bf16", "--threads", bench.threads,
                         "--quiet", "--json", "-")
    space = json.loads(finished.output)["spaces"]["snapkv"]
    checked = {row["method"]: row for row in space["held_out"]}
    evaluations = sum(at["evaluations"] for at in space["budgets"].values()) + len(checked)
    return finished.seconds / evaluations, checked["snapkv"]["loss"]


class Answers:
    """What a setting's loss is measured along; the full cache's side of it."""

    def __init__(self, peer, ids, reference):
        self.texts = {}
        cache, logits = peer.prefill(ids)
        own = peer.answer(cache, logits, len(ids), MAX_NEW_TOKENS)
        for name, text in (("full", own), ("reference", reference)):
            cache, logits = peer.prefill(ids)
            self.texts[name] = (text, self._rows(peer, text, cache, logits, len(ids)))

    @staticmethod
    def _rows(peer, text, cache, first, position):
        rows = peer.torch.cat([first, peer.feed(text[:-1], cache, position)])
        return rows.float().log_softmax(-1)

    def loss(self, peer, make_cache, first, position):
        def rows(name):
            return self._rows(peer, self.texts[name][0], make_cache(), first, position)

        full, own = self.texts["full"][1], rows("full")
        kl = (full.exp() * (full - own)).sum(-1)[1:].mean().item()
        text, of_full = self.texts["reference"]
        likelihood = lambda of: of[range(len(text)), text].mean().item()
        return kl + likelihood(of_full) - likelihood(rows("reference"))


def evaluate(peer, ids, answers, window, kernel):
    """The loss of one setting on one prompt, from nothing."""
    cache, logits = peer.prefill(ids)
    budget, kept = round(KEPT_SHARE * len(ids)), []
    for layer in range(peer.layers):
        keys, values = cache.layers[layer].keys[0], cache.layers[layer].values[0]
        mass = peer.window_mass(keys, layer, window, kernel)  # [heads, past]
        scores = mass.view(keys.shape[0], peer.group, -1).mean(1)
        tokens = peer.kept_tokens(scores, window, budget)
        kept.append((eviction.take(keys, tokens)[None], eviction.take(values, tokens)[None]))

    def make_cache():
        evicted = peer.new_cache()
        for layer, (keys, values) in enumerate(kept):
            evicted.update(keys, values, layer)
        return evicted

    return answers.loss(peer, make_cache, logits, len(ids))


def measure_peer(peer, ids, answers):
    start = time.monotonic()
    with peer.torch.inference_mode():
        losses = [evaluate(peer, ids, answers, *setting) for setting in SETTINGS]
    return (time.monotonic() - start) / len(SETTINGS), losses[SETTINGS.index(PAPER)]


def rows(bench):
    peer = eviction.Evicting(bench)
    tasks = bench.folder / "tuned.jsonl"
    held_out = write_prompts(tasks, bench.tokenizer, TOKENS, PROMPTS)[-1]
    reference = json.loads(tasks.read_text().splitlines()[-1])["answers"][0]
    with peer.torch.inference_mode():
        answers = Answers(peer, held_out, bench.tokenizer.encode(reference, add_special_tokens=False))
    results = bench.in_turns({"kvcal": lambda: measure_ours(bench, tasks),
                              "peer": lambda: measure_peer(peer, held_out, answers)})
    (ours, our_loss), (theirs, their_loss) = (zip(*results[side]) for side in ("kvcal", "peer"))
    yield times_faster("one setting on one prompt", "s", list(ours), "transformers", list(theirs), at_least(10))
    yield share("loss of the paper's setting", "nats a token", [our_loss[0]], "transformers", [their_loss[0]])
