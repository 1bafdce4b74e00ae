// SPDX-License-Identifier: Apache-2.0
// Model: a GQA decoder read from a Hugging Face directory, and its forward pass with observers.
// Not for sampling, chat formats or compression.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kvcal/compress/compact_cache.hpp"

namespace kvcal {

struct ModelConfig {
  std::string name;          ///< last component of the directory
  std::string architecture;  ///< e.g. "LlamaForCausalLM"
  std::string model_type;    ///< e.g. "llama"
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t hidden = 0;
  int64_t intermediate = 0;
  int64_t vocab = 0;
  int64_t max_tokens = 0;      ///< longest sequence in which every token sees all before it
  int64_t sliding_window = 0;  ///< tokens that a token sees, 0: all; bounds max_tokens
  double rope_theta = 10000.0;
  double norm_eps = 1e-5;
  bool has_tied_embedding = false;
  std::vector<int64_t>
      stop_ids;  ///< any of them ends generation (generation_config.json, else config.json)

  int64_t group() const { return heads / kv_heads; }
  /// Bytes of one KV entry (key and value of one token, layer and KV head).
  int64_t entry_bytes(int64_t element_bytes) const { return 2 * head_dim * element_bytes; }
};

/// Reads config.json and generation_config.json.
/// @throws Error{input} missing or malformed file, unsupported architecture (names the supported
/// ones)
ModelConfig read_model_config(const std::filesystem::path& directory);

struct ModelOptions {
  std::string device = "cpu";          ///< "cpu", "cuda:N"
  std::string dtype = "auto";          ///< auto (as stored), f32, bf16, f16
  int64_t prefill_chunk_tokens = 512;  ///< fed at once; bounds the memory of activations
};

/// What an observer sees after the attention of one layer, for the tokens fed in this call.
struct AttentionStep {
  int64_t layer;
  int64_t position;                 ///< of the first new token
  const at::Tensor& queries;        ///< [heads, new, head_dim], after RoPE
  const CacheLayer& cache;          ///< the new tokens' keys and values are the last of its tail
  const at::Tensor& output;         ///< [new, heads * head_dim], before the output projection
  const at::Tensor& output_weight;  ///< [hidden, heads * head_dim]
  double scale;                     ///< of the logits, 1 / sqrt(head_dim)
  at::Tensor input = {};            ///< [new, hidden], what the layer's projections were given
  /// [heads, new, head_dim] before RoPE, after a query norm; undefined unless it was asked for.
  at::Tensor queries_before_rope = {};
};

/// Statistics stream: nothing ever holds a [tokens, tokens] matrix.
class LayerObserver {
 public:
  virtual ~LayerObserver() = default;
  virtual void after_attention(const AttentionStep& step) = 0;
  /// AttentionStep::queries_before_rope costs a copy.
  virtual bool wants_queries_before_rope() const { return false; }
};

/// Heads that are silenced in decode steps (masking ablation).
struct HeadMask {
  /// uniform: the head's query is zero, so that it sees all entries alike and puts out their mean
  /// (the authors of CompressKV); zero: it puts out nothing.
  enum class Kind { uniform, zero };
  Kind kind = Kind::uniform;
  std::vector<std::vector<int64_t>> heads;  ///< [layers], those that are silenced
};

/// Tokens for one of several sequences that are fed together.
struct Feed {
  std::span<const int64_t> ids;
  CompactCache* cache = nullptr;
};

/// @param queries  of each sequence that is fed, [heads, new, head_dim] after RoPE
using BeforeAttention = std::function<void(int64_t layer, std::span<const at::Tensor> queries)>;

/// One sequence of a batched decode step.
struct DecodeRow {
  int64_t id = 0;  ///< token fed at cache->next_position()
  CompactCache* cache = nullptr;
  const HeadMask* mask = nullptr;
};

/// Positions whose logits are computed: the output projection is dear.
enum class LogitsWanted { none, last, all };

class Model {
 public:
  /// Weights are memory-mapped and converted layer by layer: peak memory is the model once.
  /// @throws Error{input} names the file, the tensor, the shape got and the shape needed
  static Model load(const std::filesystem::path& directory, const ModelOptions& options = {});

  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  const ModelConfig& config() const;
  at::TensorOptions cache_options() const;  ///< dtype and device of KV entries
  int64_t element_bytes() const;            ///< of a number in a KV entry
  int64_t weight_bytes() const;
  int64_t prefill_chunk_tokens() const;

  /// An empty cache with room for `tail_capacity` tokens.
  CompactCache make_cache(int64_t tail_capacity) const;

  /// Feeds new tokens at cache.next_position(), in chunks, and appends their entries to the cache.
  ///
  /// @param ids       [new], new >= 1
  /// @param observer  called per chunk and layer, or null
  /// @return  [0 | 1 | new, vocab] f32 logits; row i predicts the token after ids[i]
  /// @throws  Error{input} an id outside the vocabulary, or the sequence longer than the model
  ///          Error{numeric} logits that are not finite
  ///          On any error the cache is left as it was.
  at::Tensor forward(std::span<const int64_t> ids, CompactCache& cache, LogitsWanted wanted,
                     LayerObserver* observer = nullptr) const;

  /// Feeds several sequences at once, whole: their rows share one pass over the weights. A
  /// sequence's rows have the same bits whatever the others are.
  ///
  /// @param before  called before each layer's attention, or null; may put another prefix under
  ///                that layer of the caches
  /// @return  [all new tokens, hidden] after the last norm, sequence after sequence
  at::Tensor forward_together(std::span<const Feed> feeds,
                              const BeforeAttention& before = nullptr) const;

  /// The residual stream of forward_together in front of each layer; the caches are left as they
  /// were.
  ///
  /// @return  [layers] of [all new tokens, hidden]
  std::vector<at::Tensor> residual_stream(std::span<const Feed> feeds) const;

  /// What forward_together gives, with the same bits, from a layer on: for sequences that are alike
  /// below it. The caches are left as they were, but for unused room.
  ///
  /// @param hidden  [all new tokens, hidden] of residual_stream at that layer
  at::Tensor forward_from(int64_t layer, const at::Tensor& hidden,
                          std::span<const Feed> feeds) const;

  /// Logits of rows that forward_together gave; separate, since a row of them is much larger.
  /// @param hidden  [rows, hidden]
  /// @return  [rows, vocab] f32
  at::Tensor logits(const at::Tensor& hidden) const;

  /// Feeds one token to each of several sequences and appends its entries to their caches. A
  /// sequence's logits and entries have the same bits whatever the others are, and as by `forward`
  /// of one token.
  ///
  /// @return  [rows, vocab] f32
  /// @throws  as forward; the caches are left as they were
  at::Tensor decode(std::span<const DecodeRow> rows) const;

  /// [hidden, heads * head_dim]
  const at::Tensor& output_weight(int64_t layer) const;
  /// [head_dim / 2] f32: radians per position, scaling included.
  const at::Tensor& rope_frequencies() const;

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvcal
