# SPDX-License-Identifier: Apache-2.0
"""Writes kvzip_model.safetensors: KVzip and KVzip+ of kvpress around the model in models/.

    python tests/parity/compress/make_kvzip_model.py

Made with kvpress 0.5.5, transformers 5.2.0, torch 2.11.0; f32, one thread, sdpa attention. The prompt is a chat
prompt of a text from data/haystacks; chunks of 70 tokens, so that the last is a short one. Stored: the tokens, what each
re-read feeds, scores before the sinks are protected of four layers, and what the global cut keeps of each layer
and KV head when 70 % go.
"""
import pathlib

import torch
from kvpress import KVzipPress
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
MODEL = ROOT / "models" / "SmolLM2-135M-Instruct"
TEXT_BYTES = 800
CHUNK_TOKENS = 70
PRUNED = 0.7
LAYERS = [0, 9, 19, 29]


class Recorder(KVzipPress):
    """KVzipPress that keeps what it would have forgotten."""

    def prepare(self, model, tokenizer, **kwargs):
        pairs = super().prepare(model, tokenizer, **kwargs)
        self.fed = [fed[0].clone() for _, fed in pairs]
        self.prefix = self.prefix_length
        return pairs

    def compress_post(self, model):
        self.scores = self.score_val[:, 0].clone()  # [layers, kv_heads, tokens]
        super().compress_post(model)
        layers, kv_heads, tokens = self.scores.shape
        self.kept_counts = torch.full((layers, kv_heads), tokens)
        for index, layer in enumerate(model.model.layers):
            heads = layer.self_attn.masked_key_indices[1]
            self.kept_counts[index] -= torch.bincount(heads, minlength=kv_heads)


def prompt_ids(tokenizer):
    haystack = sorted((ROOT / "data" / "haystacks").rglob("*.txt"))[0]
    text = haystack.read_bytes()[:TEXT_BYTES].decode(errors="ignore")
    chat = tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=False)
    return tokenizer.encode(chat.rpartition("<|im_end|>")[0], add_special_tokens=False)


def main():
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32, attn_implementation="sdpa").eval()
    ids = prompt_ids(AutoTokenizer.from_pretrained(MODEL))
    tensors = {"token_ids": torch.tensor(ids), "layers": torch.tensor(LAYERS)}
    for name in ("kvzip", "kvzip_plus"):
        press = Recorder(compression_ratio=PRUNED, chunk_size=CHUNK_TOKENS,
                         kvzip_plus_normalization=name == "kvzip_plus")
        with torch.no_grad(), press(model):
            model.model(input_ids=torch.tensor([ids]), past_key_values=DynamicCache())
        tensors["prefix"] = torch.tensor([press.prefix])
        tensors.update({f"fed{i}.token_ids": fed for i, fed in enumerate(press.fed)})
        tensors[name + ".scores"] = press.scores[LAYERS].contiguous()
        tensors[name + ".kept_counts"] = press.kept_counts
    save_file(tensors, HERE / "kvzip_model.safetensors")
    print(len(ids), "tokens;", {name: list(tensor.shape) for name, tensor in tensors.items()})


if __name__ == "__main__":
    main()
