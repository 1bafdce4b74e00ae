// SPDX-License-Identifier: Apache-2.0
// Engine: one prefill per prompt, every method and budget from it. A scorer scores once per prompt,
// each budget slices the same ranking, and each variant decodes over a cache that holds the kept
// entries only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kvcal/compress/keep_set.hpp"
#include "kvcal/profile/budget.hpp"
#include "kvcal/profile/chat_format.hpp"
#include "kvcal/profile/method.hpp"
#include "kvcal/profile/model.hpp"
#include "kvcal/profile/results.hpp"
#include "kvcal/profile/task.hpp"
#include "kvcal/profile/tokenizer.hpp"

namespace kvcal {

/// What compression may see. aware: the whole prompt with its question. agnostic: the context only;
/// the question then runs over the compacted cache at the original positions.
enum class Visibility { aware, agnostic };
Visibility parse_visibility(std::string_view text);
std::string_view to_string(Visibility visibility);

/// A prompt as token ids, split where compression may stop looking. `question` is empty when aware.
struct PromptTokens {
  std::vector<int64_t> context;
  std::vector<int64_t> question;

  int64_t total() const { return static_cast<int64_t>(context.size() + question.size()); }
};

/// The text given to the model.
std::string prompt_text(const Sample& sample, const ChatFormat& chat);
PromptTokens tokenize_prompt(const Sample& sample, const ChatFormat& chat,
                             const Tokenizer& tokenizer, Visibility visibility);

/// A prompt after its prefill: entries, what the methods asked for, and the logits of its last
/// token.
struct Prefilled {
  CompactCache cache;                       ///< empty prefix, the prompt in the tail
  std::vector<at::Tensor> window_queries;   ///< [layers], each [heads, window, head_dim]
  std::vector<LayerStatistics> statistics;  ///< [layers]
  at::Tensor last_logits;                   ///< [1, vocab] f32
  double seconds = 0;

  int64_t tokens() const { return cache.tail_tokens(); }
};

/// @param needs  what to gather; window queries are fewer when the prompt is shorter. A replay
/// needs
///               passes of its own: see replay.hpp.
/// @throws Error{input} the prompt and what follows it are longer than the model
Prefilled prefill(const Model& model, std::span<const int64_t> ids, const Needs& needs);

/// What a method keeps of a prefilled prompt.
struct Compression {
  std::vector<KeepSet> kept;  ///< [layers]; empty when nothing was cut
  CompactCache cache;         ///< the kept entries as prefix, empty tail
  bool is_uncompressed = false;
};

/// Scores of one prompt by scorer and parameters, so that budgets and methods share them.
class Compressor {
 public:
  /// @param seed  of run and sample, see LayerView::seed
  Compressor(const Model& model, const Prefilled& prompt, const ProfileFacts& facts, uint64_t seed);
  ~Compressor();

  /// Keeps exactly budget_tokens * layers * kv_heads entries, or all of a prompt that is not
  /// longer.
  /// @throws Error{config}   the budget is below what the method needs
  ///         Error{internal} an allocator or selection did not honour the budget
  Compression compress(const Method& method, int64_t budget_tokens, int64_t tail_capacity);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct Generation {
  std::vector<int64_t> ids;  ///< without the stop token
  double seconds = 0;        ///< of the decode steps
  int64_t steps = 0;         ///< forward passes of one token
};

/// Greedy decoding. The first token comes from `first_logits`; equal logits go to the lower id.
/// @param on_token  called after each chosen token with its id; a false result ends the generation
Generation generate(const Model& model, CompactCache& cache, const at::Tensor& first_logits,
                    int64_t max_new_tokens, std::span<const int64_t> stop_ids,
                    LayerObserver* observer = nullptr,
                    const std::function<bool(int64_t)>& on_token = {});

struct Variant {
  const Method* method = nullptr;
  const Budget* budget = nullptr;  ///< null for the full cache
  Visibility visibility = Visibility::aware;
};

/// Called with what each variant kept: (sample, variant, compression).
using KeepSink = std::function<void(const Sample&, const Variant&, const Compression&)>;

class Engine {
 public:
  Engine(const Model& model, const Tokenizer& tokenizer, const ChatFormat& chat, ProfileFacts facts,
         uint64_t seed);

  /// Runs all variants on one sample.
  /// @return one record per variant, in their order
  std::vector<SampleRecord> run(const std::string& task, const Sample& sample,
                                std::span<const Variant> variants,
                                const KeepSink& keep_sink = {}) const;

 private:
  SampleRecord run_variant(const Sample& sample, const Variant& variant, const PromptTokens& prompt,
                           const Prefilled& prefilled, Compressor& compressor,
                           const KeepSink& keep_sink) const;

  const Model& model_;
  const Tokenizer& tokenizer_;
  const ChatFormat& chat_;
  ProfileFacts facts_;
  uint64_t seed_;
};

}  // namespace kvcal
