// SPDX-License-Identifier: Apache-2.0
// Results of kv-eval: one record per sample and variant, and the cells (means) made from them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kvcal/profile/profile.hpp"
#include "kvcal/profile/provenance.hpp"

namespace kvcal {

/// One sample under one variant. The field list below is the only place that names the columns.
struct SampleRecord {
  std::string task, sample, document, method, visibility, mask, metric;
  double length = 0;           ///< NIAH nominal tokens, else 0
  double depth = -1;           ///< NIAH 0..1, else -1
  std::string budget;          ///< as asked: "64", "3%", "8MiB"; "full" for the full cache
  int64_t prompt_tokens = 0;   ///< entries before compression, per layer and KV head
  int64_t budget_tokens = 0;   ///< B asked for, in tokens
  int64_t kept_entries = 0;    ///< really kept, over layers and KV heads
  int64_t kept_bytes = 0, full_bytes = 0;
  bool uncompressed = false;   ///< the prompt was not longer than the budget
  double score = 0;
  std::string prediction;
  std::vector<std::string> references;
  int64_t generated_tokens = 0;
  double prefill_s = 0, decode_s = 0;

  template <class Visitor>
  void visit(Visitor& v) {
    v("task", task), v("sample", sample), v("document", document), v("method", method);
    v("visibility", visibility), v("mask", mask), v("metric", metric);
    v("length", length), v("depth", depth), v("budget", budget);
    v("prompt_tokens", prompt_tokens), v("budget_tokens", budget_tokens);
    v("kept_entries", kept_entries), v("kept_bytes", kept_bytes), v("full_bytes", full_bytes);
    v("uncompressed", uncompressed), v("score", score), v("prediction", prediction);
    v("references", references), v("generated_tokens", generated_tokens);
    v("prefill_s", prefill_s), v("decode_s", decode_s);
  }
  /// [layers * kv_heads] kept entries, stored as its own dataset.
  std::vector<int32_t> kept_per_head;
};

/// `kvcal.results/1`
struct Results {
  ModelIdentity model;
  Provenance provenance;
  std::vector<SampleRecord> records;

  static Results load(const std::filesystem::path& file);
  void save(const std::filesystem::path& file) const;
};

/// Mean over the samples of one (task, method, visibility, mask, budget). See docs/cli.md for the fields.
struct Cell {
  std::string task, method, visibility, mask, budget;
  double budget_tokens = 0;    ///< mean over samples
  double budget_fraction = 0;  ///< kept entries / all entries, mean over samples
  double kept_bytes = 0, full_bytes = 0;
  int64_t n = 0;               ///< samples that were compressed (all of them for the full cache)
  int64_t uncompressed = 0;    ///< counted apart, not in `score`
  std::string metric;
  double score = 0;            ///< 0 .. 1
  double ci_low = 0, ci_high = 0;
  std::optional<double> relative_to_full, paired_delta, paired_ci_low, paired_ci_high;
  double prefill_s = 0, decode_tokens_per_s = 0;
};

/// Cells in order of first appearance. Intervals: bootstrap over samples, clustered by document.
std::vector<Cell> summarise(const Results& results, uint64_t seed);

/// `kvcal.results/1` JSON: provenance and cells.
std::string to_json(const Results& results, const std::vector<Cell>& cells);

}  // namespace kvcal
