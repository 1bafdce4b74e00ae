# SPDX-License-Identifier: Apache-2.0
"""Writes the parity cases of the forward pass with Hugging Face transformers.

    python tests/parity/model/make_cases.py [tiny] [rope] [smollm2]

Made with torch 2.11.0, transformers 5.2.0, tokenizers and safetensors; f32, one thread, eager attention.
tiny:     random models, at least one of every family, and their logits over a random sequence: tiny_llama
          has a tokenizer, tiny_llama31 a sequence far beyond original_max_position_embeddings, tiny_mistral
          a sliding window as long as its sequence, tiny_shards tied embeddings in several files.
rope:     cosines and sines of Llama 3.1's own RoPE at positions up to 131,071.
smollm2:  20 prompts from data/, for each: token ids, logits at three positions (the 32 largest and every
          512th of the vocabulary), and 64 greedily chosen next tokens, no two of which tie.
"""
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
NEXT_TOKENS = 64
TOP = 32
STRIDE = 512
MIN_LEAD = 2e-3  # of the chosen token over the second; twice the tolerance of the test
CHAT_END = ("<|im_start|>", "<|im_end|>")


def geometry(vocab, hidden, layers, head_dim):
    return {
        "vocab_size": vocab, "hidden_size": hidden, "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers, "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": head_dim, "max_position_embeddings": 1024, "bos_token_id": 1, "eos_token_id": 2,
        "tie_word_embeddings": False,
    }


def tiny_models():
    """Name, seed, config, tokens; smaller ones have 2 layers."""
    small = geometry(vocab=64, hidden=32, layers=2, head_dim=16)
    llama31 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    qwen2 = {**small, "head_dim": 8}
    yield "tiny_llama", 0, transformers.LlamaConfig(**geometry(384, 64, 3, 16)), 48
    yield "tiny_qwen2", 1, transformers.Qwen2Config(**qwen2), 48
    yield "tiny_qwen3", 2, transformers.Qwen3Config(**small), 48
    yield "tiny_llama31", 3, transformers.LlamaConfig(**small, rope_parameters=llama31), 700
    yield "tiny_mistral", 4, transformers.MistralConfig(**small, sliding_window=48), 48
    yield "tiny_biases", 5, transformers.LlamaConfig(**small, attention_bias=True, mlp_bias=True), 48
    yield "tiny_shards", 6, transformers.Qwen2Config(**{**qwen2, "tie_word_embeddings": True}), 48


def randomise(model, generator):
    """Large enough that attention is far from uniform; norms around 1; biases not zero."""
    for name, parameter in model.named_parameters():
        values = torch.randn(parameter.shape, generator=generator) * 0.1
        parameter.data = values + 1 if "norm" in name else values


def write_tiny(name, seed, config, length):
    generator = torch.Generator().manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    randomise(model, generator)
    shards = {"max_shard_size": "12KB"} if name == "tiny_shards" else {}
    model.to(torch.bfloat16).save_pretrained(HERE / name, **shards)  # half the bytes; loaded as f32 below
    model = transformers.AutoModelForCausalLM.from_pretrained(
        HERE / name, dtype=torch.float32, attn_implementation="eager").eval()
    ids = torch.randint(0, config.vocab_size, (length,), generator=generator)
    logits = model(ids[None]).logits[0]
    positions = torch.arange(0, length, 1 if length < 100 else 23)
    save_file({"ids": ids.int(), "positions": positions.int(), "logits": logits[positions].contiguous()},
              HERE / f"{name}.safetensors", {"transformers": transformers.__version__})


def write_rope():
    """RoPE as Llama-3.1-8B's config.json sets it, of a model whose other numbers are the smallest."""
    values = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
              "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    config = transformers.LlamaConfig(hidden_size=512, num_attention_heads=4, num_key_value_heads=4,
                                      max_position_embeddings=131072, rope_parameters=values)
    rope = transformers.models.llama.modeling_llama.LlamaRotaryEmbedding(config)
    positions = torch.tensor([0, 1, 63, 1000, 8191, 8192, 32768, 100003, 131071])
    cos, sin = rope(torch.zeros(1), positions[None])
    half = config.hidden_size // config.num_attention_heads // 2  # the second half repeats the first
    save_file({"positions": positions.int(), "cos": cos[0, :, :half].contiguous(),
               "sin": sin[0, :, :half].contiguous()},
              HERE / "llama31_rope.safetensors", {"transformers": transformers.__version__})


def write_tiny_tokenizer():
    """Byte-level BPE of 384 tokens on the project's own essays, laid out as SmolLM2's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=384, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(t, special=True) for t in ("<|endoftext|>", *CHAT_END)])
    essays = sorted((ROOT / "data/haystacks/calibration").rglob("*.txt"))
    tokenizer.train_from_iterator([path.read_text() for path in essays], trainer)
    assert tokenizer.get_vocab_size() == 384
    tokenizer.save(str(HERE / "tiny_llama/tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|im_start|>", "eos_token": "<|im_end|>",
        "add_bos_token": False, "clean_up_tokenization_spaces": False, "model_max_length": 1024,
    }
    (HERE / "tiny_llama/tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def prompt_texts():
    """20 texts: the start of essays, as they are and as a chat turn with a question, and our samples."""
    essays = [p.read_text() for p in sorted((ROOT / "data/haystacks").rglob("*.txt"))]
    lines = (ROOT / "data/samples/questions.jsonl").read_text().splitlines()
    questions = [json.loads(line) for line in lines]
    lengths = [1, 3, 17, 32, 63, 64, 65, 100, 128, 200, 256, 300, 400, 511, 512, 640, 800, 900, 980, 1000]
    for index, length in enumerate(lengths):
        question = questions[index % len(questions)]
        question = question.get("question") or question["questions"][0]["question"]
        yield length, essays[index % len(essays)], question if index % 2 and length > 60 else None


def prompt_ids(tokenizer, length, text, question):
    if question is None:
        return tokenizer.encode(text).ids[:length]
    head, tail = f"{CHAT_END[0]}user\n", f"\n\n{question}{CHAT_END[1]}\n{CHAT_END[0]}assistant\n"
    head_ids, tail_ids = tokenizer.encode(head).ids, tokenizer.encode(tail).ids
    return head_ids + tokenizer.encode(text).ids[: length - len(head_ids) - len(tail_ids)] + tail_ids


def greedy(model, ids):
    """Next tokens, their lead over the second, and the logits of the prompt."""
    output = model(torch.tensor([ids]), use_cache=True)
    prompt_logits, rows = output.logits[0], [output.logits[0, -1]]
    for _ in range(NEXT_TOKENS - 1):
        output = model(rows[-1].argmax().view(1, 1), past_key_values=output.past_key_values)
        rows.append(output.logits[0, -1])
    top = torch.stack(rows).topk(2)
    return prompt_logits, top.indices[:, 0], top.values[:, 0] - top.values[:, 1]


def write_smollm2():
    directory = ROOT / "models/SmolLM2-135M-Instruct"
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    model = transformers.AutoModelForCausalLM.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager").eval()
    tensors, smallest = {}, 1e9
    for index, (length, text, question) in enumerate(prompt_texts()):
        lead = torch.zeros(1)
        while lead.min() < MIN_LEAD:  # begin a little later in the essay until no two tokens tie
            ids = prompt_ids(tokenizer, length, text, question)
            assert len(ids) == length, (index, length, len(ids))
            logits, next_ids, lead = greedy(model, ids)
            text = text.split(maxsplit=1)[1]
        positions = torch.tensor(sorted({length // 4, length // 2, length - 1}))
        chosen = logits[positions]  # [positions, vocab]
        top = chosen.topk(TOP)
        smallest = min(smallest, lead.min().item())
        tensors |= {f"{index:02}.{key}": value.contiguous() for key, value in {
            "ids": torch.tensor(ids).int(), "next": next_ids.int(),
            "positions": positions.int(), "top_ids": top.indices.int(), "top_logits": top.values,
            "strided_logits": chosen[:, ::STRIDE]}.items()}
        print(index, length, f"smallest lead {lead.min().item():.2e}", file=sys.stderr)
    save_file(tensors, HERE / "smollm2.safetensors", {"transformers": transformers.__version__})
    print(f"smallest lead of all: {smallest:.2e}", file=sys.stderr)


def main():
    wanted = sys.argv[1:] or ["tiny", "rope", "smollm2"]
    torch.set_num_threads(1)
    with torch.no_grad():
        if "tiny" in wanted:
            for name, seed, config, length in tiny_models():
                write_tiny(name, seed, config, length)
            write_tiny_tokenizer()
        if "rope" in wanted:
            write_rope()
        if "smollm2" in wanted:
            write_smollm2()


if __name__ == "__main__":
    main()
