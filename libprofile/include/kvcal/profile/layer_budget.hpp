// SPDX-License-Identifier: Apache-2.0
// What eviction costs each layer: CompressKV's offline layer error (arXiv:2508.02401).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvcal/profile/engine.hpp"
#include "kvcal/profile/profile.hpp"

namespace kvcal {

class Hdf5Reader;
class Hdf5Writer;

/// ||(compressed - full) W^T||_F / (||full W^T||_F + 1e-5)
/// @param full, compressed  [new, heads * head_dim] attention outputs of the same queries
/// @param output_weight     [hidden, heads * head_dim]
double relative_output_error(const at::Tensor& full, const at::Tensor& compressed,
                             const at::Tensor& output_weight);

/// At each decode step of a full-cache run, attends with the same queries to the evicted prompt
/// plus all new tokens and adds the relative error of each layer. Errors do not propagate: the run
/// stays full.
class EvictionErrorObserver : public LayerObserver {
 public:
  explicit EvictionErrorObserver(std::vector<CompactLayer> evicted);

  void after_attention(const AttentionStep& step) override;

  const std::vector<double>& sum() const { return sum_; }  ///< [layers]
  int64_t steps() const { return steps_; }

 private:
  std::vector<CompactLayer> evicted_;
  std::vector<double> sum_;
  int64_t steps_ = 0;
};

/// How many tokens the evicting method keeps.
struct ErrorBudgets {
  int64_t tokens = 0;               ///< for the error that allocators go by
  std::vector<int64_t> curve = {};  ///< for the curve of errors over budgets, ascending
};

struct LayerErrorSample {
  std::string prompt_sha256;
  std::vector<double> sum;    ///< [layers]; zeros when the prompt was not longer than the budget
  std::vector<double> curve;  ///< [layers, points]; zero where the prompt is not longer
  int64_t steps = 0;
};

/// One shard of a run.
void write_layer_error(Hdf5Writer& file, const LayerErrorSample& sample);
/// @throws Error{input} damaged, or of another model
LayerErrorSample read_layer_error(const Hdf5Reader& file, int64_t layers, int64_t points);

/// One sample: full-cache prefill and greedy answer, with `method` evicting to each of the budgets
/// on the side.
LayerErrorSample measure_layer_error(const Model& model, const Tokenizer& tokenizer,
                                     const ChatFormat& chat, const ProfileFacts& facts,
                                     const Method& method, const ErrorBudgets& budgets,
                                     const Sample& sample, uint64_t seed);

/// What is cut alone while all else stays whole: a layer, or one KV head of one.
enum class CostUnit { layer, kv_head };

/// Losses of one sample when each unit alone keeps each share of the prompt by `method`.
struct UnitCostSample {
  std::string prompt_sha256;
  std::vector<double> losses;  ///< [units, shares]: KL to the full cache + what the answer lost
};

void write_unit_costs(Hdf5Writer& file, const UnitCostSample& sample);
/// @throws Error{input} damaged, or of another model or other shares
UnitCostSample read_unit_costs(const Hdf5Reader& file, int64_t units, int64_t shares);

/// @param shares  of the prompt's tokens, each above 0 and below 1; a unit keeps at least what
///                the method protects
UnitCostSample measure_unit_costs(const Model& model, const Tokenizer& tokenizer,
                                  const ChatFormat& chat, const ProfileFacts& facts,
                                  const Method& method, CostUnit unit,
                                  std::span<const double> shares, const Sample& sample,
                                  uint64_t seed);

/// @throws Error{config} the allocator looks at each prompt: its budgets cannot be stored
void require_storable(const std::string& allocator);

/// [layers * kv_heads] entries per allocator for a prompt as long as the model allows.
std::vector<int64_t> allocate_for_profile(const std::string& allocator, int64_t budget_tokens,
                                          const ModelConfig& model, const ProfileFacts& facts);

}  // namespace kvcal
