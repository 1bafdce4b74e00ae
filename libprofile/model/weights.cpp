// SPDX-License-Identifier: Apache-2.0
#include "model/weights.hpp"

#include <ATen/ATen.h>

#include <functional>
#include <vector>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/parallel.hpp"
#include "model/safetensors.hpp"

namespace kvcal {
namespace {

constexpr const char* kEmbedding = "model.embed_tokens.weight";

/// A piece of a fused tensor: name in the file and rows.
struct Part {
  std::string name;
  int64_t rows;
};

class Loader {
 public:
  Loader(const SafetensorsModel& files, const ModelSpec& spec, at::ScalarType dtype,
         at::Device device)
      : files_(files), spec_(spec), dtype_(dtype), device_(device) {}

  at::Tensor vector(const std::string& name, int64_t size) const { return rows({{name, size}}, 0); }

  at::Tensor matrix(const std::string& name, int64_t height, int64_t width) const {
    return rows({{name, height}}, width);
  }

  /// Parts below each other; vectors when `width` is 0.
  at::Tensor rows(const std::vector<Part>& parts, int64_t width) const {
    int64_t height = 0;
    for (const auto& part : parts) height += part.rows;
    std::vector<int64_t> shape = {height};
    if (width > 0) shape.push_back(width);
    auto fused = at::empty(shape, dtype_);  // [height(, width)]
    int64_t begin = 0;
    for (const auto& part : parts) {
      files_.read(part.name, fused.narrow(0, begin, part.rows));
      begin += part.rows;
    }
    return fused.to(device_);
  }

  LayerWeights layer(int64_t index) const {
    const auto& config = spec_.config;
    const std::string base = fmt::format("model.layers.{}.", index);
    const auto qkv_parts = [&](const char* suffix) -> std::vector<Part> {
      return {{base + "self_attn.q_proj." + suffix, spec_.query_width()},
              {base + "self_attn.k_proj." + suffix, spec_.kv_width()},
              {base + "self_attn.v_proj." + suffix, spec_.kv_width()}};
    };
    const auto gate_up_parts = [&](const char* suffix) -> std::vector<Part> {
      return {{base + "mlp.gate_proj." + suffix, config.intermediate},
              {base + "mlp.up_proj." + suffix, config.intermediate}};
    };
    LayerWeights read;
    read.input_norm = vector(base + "input_layernorm.weight", config.hidden);
    read.qkv = rows(qkv_parts("weight"), config.hidden);
    if (spec_.has_qkv_bias) read.qkv_bias = rows(qkv_parts("bias"), 0);
    if (spec_.has_qk_norm) {
      read.query_norm = vector(base + "self_attn.q_norm.weight", config.head_dim);
      read.key_norm = vector(base + "self_attn.k_norm.weight", config.head_dim);
    }
    read.output = matrix(base + "self_attn.o_proj.weight", config.hidden, spec_.query_width());
    if (spec_.has_output_bias)
      read.output_bias = vector(base + "self_attn.o_proj.bias", config.hidden);
    read.attention_norm = vector(base + "post_attention_layernorm.weight", config.hidden);
    read.gate_up = rows(gate_up_parts("weight"), config.hidden);
    read.down = matrix(base + "mlp.down_proj.weight", config.hidden, config.intermediate);
    if (spec_.has_mlp_bias) {
      read.gate_up_bias = rows(gate_up_parts("bias"), 0);
      read.down_bias = vector(base + "mlp.down_proj.bias", config.hidden);
    }
    return read;
  }

 private:
  const SafetensorsModel& files_;
  const ModelSpec& spec_;
  at::ScalarType dtype_;
  at::Device device_;
};

at::ScalarType choose_dtype(const std::string& name, const SafetensorsModel& files) {
  if (name == "auto") return files.dtype(kEmbedding);
  if (name == "f32") return at::kFloat;
  if (name == "bf16") return at::kBFloat16;
  if (name == "f16") return at::kHalf;
  fail(Kind::config, "dtype = {}, need one of auto, f32, bf16, f16", name);
}

using Visit = std::function<void(const std::string& name, const at::Tensor& tensor)>;

void visit_weights(const Weights& weights, const Visit& visit) {
  visit("embedding", weights.embedding);
  for (size_t l = 0; l < weights.layers.size(); ++l) {
    const auto& layer = weights.layers[l];
    const auto in_layer = [&](const char* name, const at::Tensor& tensor) {
      if (tensor.defined()) visit(fmt::format("layer {} {}", l, name), tensor);
    };
    in_layer("input norm", layer.input_norm);
    in_layer("query, key and value projection", layer.qkv);
    in_layer("query, key and value bias", layer.qkv_bias);
    in_layer("query norm", layer.query_norm);
    in_layer("key norm", layer.key_norm);
    in_layer("output projection", layer.output);
    in_layer("output bias", layer.output_bias);
    in_layer("post-attention norm", layer.attention_norm);
    in_layer("gate and up projection", layer.gate_up);
    in_layer("gate and up bias", layer.gate_up_bias);
    in_layer("down projection", layer.down);
    in_layer("down bias", layer.down_bias);
  }
  visit("final norm", weights.final_norm);
  if (!weights.lm_head.is_same(weights.embedding)) visit("lm_head", weights.lm_head);
}

}  // namespace

int64_t Weights::bytes() const {
  int64_t total = 0;
  visit_weights(*this, [&](const std::string&, const at::Tensor& tensor) {
    total += static_cast<int64_t>(tensor.nbytes());
  });
  return total;
}

std::string Weights::not_finite() const {
  std::string found;
  visit_weights(*this, [&](const std::string& name, const at::Tensor& tensor) {
    if (found.empty() && !at::isfinite(tensor).all().item<bool>()) found = name;
  });
  return found;
}

Weights load_weights(const std::filesystem::path& directory, const ModelSpec& spec,
                     const std::string& dtype, const at::Device& device) {
  const SafetensorsModel files(directory);
  const Loader loader(files, spec, choose_dtype(dtype, files), device);
  const auto& config = spec.config;

  Weights weights;
  weights.layers.resize(static_cast<size_t>(config.layers));
  // Most of the time goes into pages that are touched for the first time.
  share_out(1 + config.layers, [&](int64_t part) {
    if (part == 0) {
      weights.embedding = loader.matrix(kEmbedding, config.vocab, config.hidden);
    } else {
      weights.layers[static_cast<size_t>(part - 1)] = loader.layer(part - 1);
    }
  });
  weights.final_norm = loader.vector("model.norm.weight", config.hidden);
  weights.lm_head = config.has_tied_embedding
                        ? weights.embedding
                        : loader.matrix("lm_head.weight", config.vocab, config.hidden);
  return weights;
}

}  // namespace kvcal
