# SPDX-License-Identifier: Apache-2.0
"""Eviction by window attention on transformers, as scripts do it: one prefill a prompt and setting.

Attention is LibTorch's own (SDPA), behind a function that transformers calls for every layer; it
remembers the last queries of the prefill, from which scores are computed in plain torch.
"""

import peers

MOST_WINDOW = 64


class Evicting(peers.Transformers):
    """A model whose attention can be watched."""

    def __init__(self, bench):
        peers.need("transformers")
        import transformers

        # A name of its own: what is registered already, kvpress wraps when it is imported.
        name = f"watched_{id(self)}"
        transformers.AttentionInterface.register(name, self._attend)
        super().__init__(bench, name)
        config = self.model.config
        self.layers = config.num_hidden_layers
        self.group = config.num_attention_heads // config.num_key_value_heads
        self.queries, self.watch = {}, None

    def _attend(self, module, query, key, value, mask, scaling, **_):
        torch, new, seen = self.torch, query.shape[2], key.shape[2]
        mask = torch.ones(new, seen, dtype=torch.bool).tril(seen - new) if 1 < new < seen else None
        attend = lambda keys, values: torch.nn.functional.scaled_dot_product_attention(
            query, keys, values, attn_mask=mask, is_causal=1 < new == seen, scale=scaling, enable_gqa=True)
        output = attend(key, value)
        if new == seen:
            self.queries[module.layer_idx] = query[0, :, -MOST_WINDOW:]
        if self.watch:
            self.watch(module, attend, key, value, output)
        return output.transpose(1, 2).contiguous(), None

    def prefill(self, ids):
        """Cache and logits of the last token."""
        cache = self.new_cache()
        output = self.model(input_ids=self.torch.tensor([ids]), past_key_values=cache, logits_to_keep=1)
        return cache, output.logits[0]

    def feed(self, ids, cache, position):
        """[new, vocab] logits of tokens behind a cache that may hold fewer entries than tokens were."""
        return self.model(input_ids=self.torch.tensor([ids]), past_key_values=cache,
                          position_ids=self.torch.arange(position, position + len(ids))[None]).logits[0]

    def answer(self, cache, logits, position, limit):
        """Greedy ids until a stop token, which is not among them."""
        ids, stop = [], self.model.generation_config.eos_token_id
        while len(ids) < limit and (token := logits[-1].argmax().item()) != stop:
            ids.append(token)
            logits = self.feed([token], cache, position + len(ids) - 1)
        return ids

    def window_mass(self, keys, layer, window, kernel):
        """[heads, past]: what the last queries give each token before them, averaged over neighbours."""
        torch, queries = self.torch, self.queries[layer][:, -window:].float()
        logits = queries @ keys.float().repeat_interleave(self.group, 0).mT / queries.shape[-1] ** 0.5
        logits[:, :, -window:].masked_fill_(torch.ones(window, window, dtype=torch.bool).triu(1), -torch.inf)
        mass = logits.softmax(-1)[:, :, :-window].sum(1)
        return torch.nn.functional.avg_pool1d(mass[None], kernel, 1, kernel // 2)[0]

    def kept_tokens(self, scores, window, budget):
        """[.., budget]: the best of the past, and the window itself, in order."""
        best = scores.topk(budget - window).indices.sort().values
        end = scores.shape[-1] + self.torch.arange(window)
        return self.torch.cat([best, end.expand(*best.shape[:-1], window)], -1)


def take(entries, tokens):
    """[kv_heads, tokens, head_dim] by [kv_heads, kept]."""
    return entries.gather(1, tokens[..., None].expand(-1, -1, entries.shape[-1]))
