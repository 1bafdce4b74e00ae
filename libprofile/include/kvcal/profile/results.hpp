// SPDX-License-Identifier: Apache-2.0
// Results of kv-eval: one record per sample and variant, and the cells (means) made from them.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvcal/profile/latency.hpp"
#include "kvcal/profile/profile.hpp"
#include "kvcal/profile/provenance.hpp"

namespace kvcal {

class Hdf5Reader;
class Hdf5Writer;

/// One sample under one variant. The field list below is the only place that names the columns.
struct SampleRecord {
  std::string task, sample, document, method, visibility, mask, metric;
  double length = 0;          ///< nominal tokens where the task has them, else 0
  double depth = -1;          ///< NIAH 0..1, else -1
  std::string budget;         ///< as asked: "64", "3%", "8MiB"; "full" for the full cache
  int64_t prompt_tokens = 0;  ///< entries before compression, per layer and KV head
  int64_t budget_tokens = 0;  ///< B asked for, in tokens
  int64_t kept_entries = 0;   ///< really kept, over layers and KV heads
  int64_t kept_bytes = 0, full_bytes = 0;
  bool uncompressed = false;  ///< the prompt was not longer than the budget
  double score = 0;           ///< 0 .. 1: already divided by the scale of its metric
  std::string prediction;
  std::vector<std::string> references;
  int64_t generated_tokens = 0;
  int64_t reused_tokens = 0;  ///< of the prompt: their prefill was the previous sample's
  double prefill_s = 0;       ///< of the tokens that were not reused
  double decode_s = 0;        ///< share of the batch that the variant was decoded in
  bool is_exact = true;       ///< false: the method may keep another number than asked
  /// 1 if the metric found an answer in the reply, 0 if not; NaN for metrics that read any reply.
  double parsed = std::numeric_limits<double>::quiet_NaN();
  /// See Fidelity (engine.hpp); NaN where it was not measured.
  double kl = std::numeric_limits<double>::quiet_NaN();
  double top1_agreement = std::numeric_limits<double>::quiet_NaN();
  double answer_nll = std::numeric_limits<double>::quiet_NaN();
  double full_answer_nll = std::numeric_limits<double>::quiet_NaN();
  std::string prompt_sha256;  ///< of the text given to the model, question included

  /// Columns that files of earlier builds lack; their defaults are taken.
  static constexpr std::string_view kAddedLater[] = {
      "reused_tokens",  "is_exact",   "parsed",          "kl",
      "top1_agreement", "answer_nll", "full_answer_nll", "prompt_sha256"};

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& v) {
    v("task", self.task), v("sample", self.sample), v("document", self.document);
    v("method", self.method), v("visibility", self.visibility), v("mask", self.mask);
    v("metric", self.metric), v("length", self.length), v("depth", self.depth);
    v("budget", self.budget), v("prompt_tokens", self.prompt_tokens);
    v("budget_tokens", self.budget_tokens), v("kept_entries", self.kept_entries);
    v("kept_bytes", self.kept_bytes), v("full_bytes", self.full_bytes);
    v("uncompressed", self.uncompressed), v("score", self.score);
    v("prediction", self.prediction), v("references", self.references);
    v("generated_tokens", self.generated_tokens);
    v("reused_tokens", self.reused_tokens), v("prefill_s", self.prefill_s);
    v("decode_s", self.decode_s), v("is_exact", self.is_exact);
    v("parsed", self.parsed), v("kl", self.kl);
    v("top1_agreement", self.top1_agreement), v("answer_nll", self.answer_nll);
    v("full_answer_nll", self.full_answer_nll), v("prompt_sha256", self.prompt_sha256);
  }
  /// [layers * kv_heads] kept entries, stored as its own dataset.
  std::vector<int32_t> kept_per_head;
};

/// One of the runs that a sweep was divided into: the index-th of count blocks of samples, from 1.
struct RunShard {
  int64_t index = 0, count = 0;

  bool operator==(const RunShard&) const = default;
  std::string text() const { return fmt::format("{}/{}", index, count); }
  /// The last line of a shard's resolved configuration; a merged run has none.
  std::string config_line() const { return fmt::format("shard: {}\n", text()); }
  /// "2/8". @throws Error{config} not of this form, or not 1 <= index <= count
  static RunShard parse(std::string_view text);
  /// Samples begin .. end - 1 of all. @throws Error{config} fewer samples than shards
  std::pair<int64_t, int64_t> range(int64_t samples) const;
};

/// `kvcal.results/1`
struct Results {
  ModelIdentity model;
  Provenance provenance;
  std::optional<RunShard> shard;  ///< empty: a whole run
  std::vector<SampleRecord> records;
  std::vector<LatencyRecord> latency;  ///< --measure-latency

  /// @throws Error{input} as Profile::load
  static Results load(const std::filesystem::path& file);
  void save(const std::filesystem::path& file) const;
};

/// A whole run from all of its shards, in any order: the records are those of one run.
/// @param files  where they are from, for messages
/// @throws Error{input} not a shard, shards of different runs (the first line that differs), one
///         twice, or missing ones
Results merge(std::span<const Results> shards, std::span<const std::filesystem::path> files);

/// Samples as columns below /samples: the form of shards and of the final file.
void write_records(Hdf5Writer& writer, std::span<const SampleRecord> records);
std::vector<SampleRecord> read_records(const Hdf5Reader& reader);

/// Mean over the samples of one (task, metric, method, visibility, mask, budget). NaN and nullopt
/// mean "not measured" and become null in JSON; where n = 0 every mean is NaN.
struct Cell {
  std::string task, method, visibility, mask, budget;
  double budget_tokens = 0;    ///< mean over samples
  double budget_fraction = 0;  ///< kept entries / all entries, mean over samples
  double kept_bytes = 0, full_bytes = 0;
  int64_t n = 0;             ///< samples that were compressed (all of them for the full cache)
  int64_t uncompressed = 0;  ///< counted apart, not in any mean
  std::string metric;
  double score = 0;  ///< 0 .. 1
  double ci_low = 0, ci_high = 0;
  /// Against the unmasked full cache on the same samples: score / its score, and score - its score.
  std::optional<double> relative_to_full, paired_delta, paired_ci_low, paired_ci_high;
  std::optional<double> relative_ci_low, relative_ci_high;
  int64_t wins = 0, ties = 0, losses = 0;  ///< samples against the full cache
  /// Two-sided, of "as good as the full cache"; adjusted by Holm over all such cells.
  std::optional<double> p_value, p_holm;
  /// score - the score of `random` at the same budget on the same samples.
  std::optional<double> random_delta, random_ci_low, random_ci_high;
  std::string limit;  ///< kFloor, kCeiling or empty
  /// Means over the samples where they were measured.
  std::optional<double> kl, top1_agreement, answer_nll, full_answer_nll;
  /// Of kl: over documents, or over the questions of the one document there is.
  std::optional<double> kl_ci_low, kl_ci_high;
  std::optional<double> parsed;    ///< share of replies that the metric found an answer in
  double prefill_s = 0;            ///< mean over samples
  double decode_tokens_per_s = 0;  ///< all generated tokens / all decode time
  bool is_exact = true;            ///< false: kept another number of entries than asked

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& v) {
    v("task", self.task), v("method", self.method), v("visibility", self.visibility);
    v("mask", self.mask), v("budget", self.budget), v("budget_tokens", self.budget_tokens);
    v("budget_fraction", self.budget_fraction), v("kept_bytes", self.kept_bytes);
    v("full_bytes", self.full_bytes), v("n", self.n), v("uncompressed", self.uncompressed);
    v("metric", self.metric), v("score", self.score), v("ci_low", self.ci_low);
    v("ci_high", self.ci_high), v("relative_to_full", self.relative_to_full);
    v("paired_delta", self.paired_delta), v("paired_ci_low", self.paired_ci_low);
    v("paired_ci_high", self.paired_ci_high), v("kl", self.kl);
    v("top1_agreement", self.top1_agreement), v("answer_nll", self.answer_nll);
    v("full_answer_nll", self.full_answer_nll), v("parsed", self.parsed);
    v("prefill_s", self.prefill_s), v("decode_tokens_per_s", self.decode_tokens_per_s);
    v("is_exact", self.is_exact), v("relative_ci_low", self.relative_ci_low);
    v("relative_ci_high", self.relative_ci_high);
    v("wins", self.wins), v("ties", self.ties), v("losses", self.losses);
    v("p_value", self.p_value), v("p_holm", self.p_holm), v("random_delta", self.random_delta);
    v("random_ci_low", self.random_ci_low), v("random_ci_high", self.random_ci_high);
    v("limit", self.limit), v("kl_ci_low", self.kl_ci_low), v("kl_ci_high", self.kl_ci_high);
  }
};

/// Where the scores of a task cannot tell variants apart. Floor: the full cache itself scores no
/// more than kFloorScore, so there is nothing to lose. Ceiling: every compressed variant scores at
/// least kCeilingScore, so there is no room to differ.
inline constexpr const char* kFloor = "floor";
inline constexpr const char* kCeiling = "ceiling";
inline constexpr double kFloorScore = 0.05;
inline constexpr double kCeilingScore = 0.95;

/// How people are told which variant a record or cell is of: "full", "full without srh:10",
/// "snapkv@5%".
template <class Row>
std::string variant_name(const Row& row) {
  std::string name = row.method;
  if (row.budget != "full") name += "@" + row.budget;
  if (!row.mask.empty()) name += " without " + row.mask;
  return name;
}

/// What everything is compared with: the full cache without a mask.
template <class Row>
bool is_full_cache(const Row& row) {
  return row.method == "full" && (row.mask.empty() || row.mask == "none");
}

/// Cells in order of first appearance. Intervals: bootstrap over samples, clustered by document.
std::vector<Cell> summarise(const Results& results, uint64_t seed);

}  // namespace kvcal
