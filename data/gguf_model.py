"""Write a Hugging Face model directory from a GGUF file: what fetch_model.py knows of formats."""

import json

import numpy
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors import SafetensorError, safe_open
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

# GGUF names of the llama architecture; "{}" is the layer.
TENSORS = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
    "blk.{}.attn_norm.weight": "model.layers.{}.input_layernorm.weight",
    "blk.{}.attn_q.weight": "model.layers.{}.self_attn.q_proj.weight",
    "blk.{}.attn_k.weight": "model.layers.{}.self_attn.k_proj.weight",
    "blk.{}.attn_v.weight": "model.layers.{}.self_attn.v_proj.weight",
    "blk.{}.attn_output.weight": "model.layers.{}.self_attn.o_proj.weight",
    "blk.{}.ffn_norm.weight": "model.layers.{}.post_attention_layernorm.weight",
    "blk.{}.ffn_gate.weight": "model.layers.{}.mlp.gate_proj.weight",
    "blk.{}.ffn_up.weight": "model.layers.{}.mlp.up_proj.weight",
    "blk.{}.ffn_down.weight": "model.layers.{}.mlp.down_proj.weight",
}
OPTIONAL = {"output.weight"}  # absent: the embedding is tied
TYPES = {"bfloat16": ("BF16", 2), "float32": ("F32", 4)}  # safetensors' name, bytes a value
PRE_TOKENIZERS = ("smollm", "gpt-2")
SPDX = {"apache-2.0": "Apache-2.0", "mit": "MIT"}
CONTROL, USER_DEFINED = 3, 4  # GGUF token types


class GgufError(Exception):
    """A file that is damaged or of a kind this converter does not know."""


class Gguf:
    """The metadata and tensors of one GGUF file, with errors that name the file."""

    def __init__(self, path):
        self.name = path.name
        try:
            self.reader = GGUFReader(str(path))
        except (ValueError, IndexError, KeyError, OverflowError) as error:
            raise GgufError(
                f"{self.name} is not a whole GGUF file (truncated or damaged): {error}"
            ) from error
        self.tensors = {tensor.name: tensor for tensor in self.reader.tensors}
        self.architecture = self.get("general.architecture")
        if self.architecture != "llama":
            raise GgufError(
                f"{self.name} has the architecture '{self.architecture}'; supported: llama"
            )

    def get(self, key, default=None):
        """A metadata value; without a default, a key that is missing is an error."""
        field = self.reader.fields.get(key)
        if field is None and default is None:
            raise GgufError(f"{self.name} lacks the metadata '{key}'")
        return default if field is None else field.contents()

    def optional(self, key):
        """A metadata value, or None where the file does not say."""
        field = self.reader.fields.get(key)
        return None if field is None else field.contents()

    def number(self, key, default=None):
        """A scalar of the architecture; a value that differs by layer is not a plain Llama."""
        value = self.get(f"llama.{key}", default)
        if not isinstance(value, (int, float)):
            raise GgufError(f"{self.name}: 'llama.{key}' differs by layer, which is not supported")
        return value

    def embedding_rows(self):
        """The size of the vocabulary, which the token list may fall short of."""
        if "token_embd.weight" not in self.tensors:
            raise GgufError(f"{self.name} lacks tensor 'token_embd.weight'")
        return int(self.tensors["token_embd.weight"].shape[1])


def shortest(value):
    """GGUF keeps float32: 1e-05, not the 9.999999747378752e-06 that Python makes of it."""
    return float(str(numpy.float32(value)))


def model_config(model, dtype):
    """The config.json that transformers and kvcal read."""
    heads = model.number("attention.head_count")
    hidden = model.number("embedding_length")
    scaling = model.optional("llama.rope.scaling.type")
    if scaling not in (None, "none"):
        raise GgufError(
            f"{model.name} scales its rotary embedding ('{scaling}'), which is not supported"
        )
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": hidden,
        "intermediate_size": model.number("feed_forward_length"),
        "num_hidden_layers": model.number("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": model.number("attention.head_count_kv", heads),
        "head_dim": model.number("attention.key_length", hidden // heads),
        "rms_norm_eps": shortest(model.number("attention.layer_norm_rms_epsilon")),
        "rope_theta": shortest(model.number("rope.freq_base", 10000.0)),
        "rope_scaling": None,
        "vocab_size": model.embedding_rows(),
        "max_position_embeddings": model.number("context_length"),
        "tie_word_embeddings": "output.weight" not in model.tensors,
        "attention_bias": False,
        "mlp_bias": False,
        **token_ids(model),
        "torch_dtype": dtype,
    }


def token_ids(model):
    """The ids of the begin, end and padding tokens that the file names."""
    names = {"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"}
    found = {name: model.optional(f"tokenizer.ggml.{key}_token_id") for name, key in names.items()}
    return {name: value for name, value in found.items() if value is not None}


def tensor_names(model, layers):
    """Hugging Face's name -> GGUF's name; anything missing or left over is another model."""
    names = {}
    for theirs, ours in TENSORS.items():
        for layer in range(layers if "{}" in theirs else 1):
            names[ours.format(layer)] = theirs.format(layer)
    missing = set(names.values()) - model.tensors.keys() - OPTIONAL
    extra = model.tensors.keys() - set(names.values())
    if missing or extra:
        what, which = ("lacks", missing) if missing else ("has the unsupported", extra)
        raise GgufError(
            f"{model.name} {what} tensor '{sorted(which)[0]}' ({len(which)} in all); "
            "only plain Llama models are supported"
        )
    return {ours: theirs for ours, theirs in sorted(names.items()) if theirs in model.tensors}


def unpermute(rows, heads):
    """Undo llama.cpp's row order for q and k: it interleaves the rotary halves of each head."""
    pairs = rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def dense(model, name, config):
    """One tensor as float32, in Hugging Face's row order."""
    tensor = model.tensors[name]
    try:
        values = dequantize(tensor.data, tensor.tensor_type)
    except NotImplementedError as error:
        raise GgufError(
            f"{model.name}: '{name}' has the unsupported type {tensor.tensor_type.name}"
        ) from error
    if name.endswith("attn_q.weight"):
        return unpermute(values, config["num_attention_heads"])
    if name.endswith("attn_k.weight"):
        return unpermute(values, config["num_key_value_heads"])
    return values


def encode(values, dtype):
    """The bytes to store; bfloat16 is float32's upper half, rounded to nearest, ties to even."""
    values = numpy.ascontiguousarray(values, dtype="<f4")
    if dtype == "float32":
        return values.tobytes()
    bits = values.view("<u4")
    return ((bits + (((bits >> 16) & 1) + 0x7FFF)) >> 16).astype("<u2").tobytes()


def write_weights(model, config, dtype, path):
    """Write safetensors tensor by tensor: the library's writer would hold the whole model."""
    names = tensor_names(model, config["num_hidden_layers"])
    label, width = TYPES[dtype]
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for ours, theirs in names.items():
        shape = [int(n) for n in reversed(model.tensors[theirs].shape)]
        begin, end = end, end + int(model.tensors[theirs].n_elements) * width
        header[ours] = {"dtype": label, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for theirs in names.values():
            file.write(encode(dense(model, theirs, config), dtype))
    check_weights(path, names)


def check_weights(path, names):
    """Let the safetensors library judge the file before it is given out."""
    try:
        with safe_open(str(path), framework="np") as file:
            if set(file.keys()) == set(names):
                return
    except SafetensorError as error:
        raise GgufError(f"the written {path.name} is not valid: {error}") from error
    raise GgufError(f"the written {path.name} does not hold the tensors it should")


def byte_pairs(model, tokens):
    """The BPE model; as in the original, a byte that is no token (0x04, say) encodes to nothing."""
    merges = [tuple(merge.split(" ")) for merge in model.get("tokenizer.ggml.merges")]
    try:
        return models.BPE(vocab={text: i for i, text in enumerate(tokens)}, merges=merges)
    except Exception as error:  # the library raises nothing narrower
        raise GgufError(f"{model.name} has unusable merges: {error}") from error


def build_tokenizer(model):
    """A byte-level BPE tokenizer from the file's tokens, merges, token types and flags."""
    kind, pre = model.get("tokenizer.ggml.model"), model.get("tokenizer.ggml.pre", "gpt-2")
    if kind != "gpt2" or pre not in PRE_TOKENIZERS:
        raise GgufError(
            f"{model.name} has the tokenizer '{kind}' with pre-tokenizer '{pre}'; "
            f"supported: gpt2 with {' or '.join(PRE_TOKENIZERS)}"
        )
    tokens, types = model.get("tokenizer.ggml.tokens"), model.get("tokenizer.ggml.token_type")
    tokenizer = Tokenizer(byte_pairs(model, tokens))
    steps = [pre_tokenizers.Digits(individual_digits=True)] if pre == "smollm" else []
    prefix = model.get("tokenizer.ggml.add_space_prefix", False)
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=prefix))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    special = [
        AddedToken(t, special=True, normalized=False) for t, k in zip(tokens, types) if k == CONTROL
    ]
    tokenizer.add_special_tokens(special)
    plain = [
        AddedToken(t, special=False, normalized=False)
        for t, k in zip(tokens, types)
        if k == USER_DEFINED
    ]
    tokenizer.add_tokens(plain)
    if model.get("tokenizer.ggml.add_bos_token", False):
        bos = model.get("tokenizer.ggml.bos_token_id")
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{tokens[bos]} $A",
            pair=f"{tokens[bos]} $A $B",
            special_tokens=[(tokens[bos], bos)],
        )
    return tokenizer


def tokenizer_config(model, config):
    """How transformers wraps tokenizer.json, and the chat template of the model."""
    tokens = model.get("tokenizer.ggml.tokens")
    ids = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
    found = {name: model.optional(f"tokenizer.ggml.{key}_token_id") for name, key in ids.items()}
    template = model.optional("tokenizer.chat_template")
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{name: tokens[i] for name, i in found.items() if i is not None},
        "add_bos_token": model.get("tokenizer.ggml.add_bos_token", False),
        "add_prefix_space": model.get("tokenizer.ggml.add_space_prefix", False),
        "clean_up_tokenization_spaces": False,
        "model_max_length": config["max_position_embeddings"],
        **({} if template is None else {"chat_template": template}),
    }


def write_json(path, value):
    """JSON as the Hugging Face files have it."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def convert(path, dtype, directory):
    """Write the model's files from one GGUF file; returns what the file says of its origin."""
    model = Gguf(path)
    config = model_config(model, dtype)
    tokenizer = build_tokenizer(model)
    write_json(directory / "config.json", config)
    write_json(directory / "generation_config.json", token_ids(model))
    write_json(directory / "tokenizer_config.json", tokenizer_config(model, config))
    # not tokenizer.save(): on a full disk it raises no OSError
    (directory / "tokenizer.json").write_text(
        tokenizer.to_str(pretty=True) + "\n", encoding="utf-8"
    )
    write_weights(model, config, dtype, directory / "model.safetensors")
    licence = model.get("general.license", "unknown")
    return {
        "name": model.get("general.name", model.name),
        "organization": model.get("general.organization", "unknown"),
        "license": SPDX.get(licence, licence),
    }
