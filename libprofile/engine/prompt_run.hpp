// SPDX-License-Identifier: Apache-2.0
// One prompt under one visibility: compresses its variants, decodes them together and measures
// them.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "engine/context.hpp"
#include "kvcal/profile/engine.hpp"

namespace kvcal {

class PromptRun {
 public:
  /// All arguments outlive the run.
  PromptRun(const PromptReader& reader, const EngineOptions& options, const Sample& sample,
            const PromptTokens& prompt, Context& context);

  /// @param records  one a variant, filled but for the task's name
  void run(std::span<const Variant* const> variants, std::span<SampleRecord* const> records,
           const KeepSink& keep_sink);

 private:
  /// A variant on its way: its cache in front of the answer.
  struct Sequence {
    const Variant* variant;
    SampleRecord* record;
    Compression compression;
    at::Tensor first_logits;  // [1, vocab] f32
  };
  /// What the full cache answered and how sure it was.
  struct FullAnswer {
    std::vector<int64_t> ids;      // with the stop token, if one came
    at::Tensor log_probabilities;  // [ids, vocab] f32
  };

  bool answers(const Variant& variant) const {
    return options_.generates || variant.is_reference();
  }
  int64_t tail_capacity() const;
  int64_t bytes_of(const Variant& variant) const;
  Sequence start(const Variant& variant, SampleRecord& record, const KeepSink& keep_sink);
  void describe(const Variant& variant, const Compression& compression, SampleRecord& record) const;
  void run_batch(std::vector<Sequence>& batch);
  void generate(std::span<Continuation> sequences) const;
  /// Keeps what the full cache answered, if it is among them.
  void keep_full_answer(const std::vector<Sequence>& batch,
                        const std::vector<Continuation>& continuations);
  /// Sets what teacher forcing tells of each variant.
  void measure(const std::vector<Sequence>& batch);

  const Model& model_;
  const Tokenizer& tokenizer_;
  const EngineOptions& options_;
  const Sample& sample_;
  const PromptTokens& prompt_;
  Context& context_;
  std::vector<int64_t> reference_ids_;  // of the first reference, cut to max_new_tokens
  std::optional<FullAnswer> full_answer_;
};

}  // namespace kvcal
