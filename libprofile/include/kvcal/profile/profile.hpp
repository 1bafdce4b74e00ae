// SPDX-License-Identifier: Apache-2.0
// Profile: what calibration learned about one model, `kvcal.profile/1` in HDF5.
// Sums and counts are stored, not means, so that runs and shards merge exactly.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvcal/compress/layer_view.hpp"
#include "kvcal/profile/model.hpp"
#include "kvcal/profile/provenance.hpp"

namespace kvcal {

/// Which model a profile belongs to; all of it must agree with the model it is used on.
struct ModelIdentity {
  std::string name;
  std::string config_sha256;
  std::string weights_sha256;  ///< over the shards in name order
  std::string tokenizer_sha256;
  int64_t layers = 0, heads = 0, kv_heads = 0, head_dim = 0;

  bool operator==(const ModelIdentity&) const = default;

  /// Names as in the root attributes of our files.
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& v) {
    v("model_name", self.name), v("config_sha256", self.config_sha256);
    v("weights_sha256", self.weights_sha256), v("tokenizer_sha256", self.tokenizer_sha256);
    v("layers", self.layers), v("heads", self.heads);
    v("kv_heads", self.kv_heads), v("head_dim", self.head_dim);
  }
};

/// Reads and hashes config.json, the safetensors files and tokenizer.json; nothing is cached.
/// @throws Error{input} a file is missing
ModelIdentity identify_model(const std::filesystem::path& directory, const ModelConfig& config);

/// Scores of one kind of retrieval head. Row-major.
struct HeadScores {
  int64_t layers = 0, heads = 0;
  std::vector<double> sum;        ///< [layers, heads]
  int64_t count = 0;              ///< prompts that passed the answer gate
  std::vector<float> per_prompt;  ///< [count, layers, heads]

  bool operator==(const HeadScores&) const = default;
  std::vector<double> mean() const;  ///< [layers, heads]
  /// [layers][heads], best first, ties keep order
  std::vector<std::vector<int64_t>> ranking() const;
  /// [layers * heads] of the whole model as layer * heads + head, best first, ties keep order
  std::vector<int64_t> model_ranking() const;
};

struct LayerErrors {
  std::vector<double> sum;  ///< [layers] relative Frobenius errors, summed over decode steps
  int64_t count = 0;        ///< decode steps
  std::vector<int64_t> curve_tokens = {};  ///< [points] other budgets, ascending; empty: none
  std::vector<double> curve = {};  ///< [layers, points] as `sum`, at these budgets, same steps
  bool operator==(const LayerErrors&) const = default;
};

/// What keeping less costs, summed over prompts; one unit changes at a time, all others keep what
/// they have.
struct UnitCosts {
  int64_t units = 0;           ///< layers, or layers * kv_heads
  std::vector<double> shares;  ///< [points] of the prompt's tokens, ascending
  std::vector<double> sum;     ///< [units, points] losses
  int64_t count = 0;           ///< prompts
  bool operator==(const UnitCosts&) const = default;
};

/// Which KV heads retrieve, and what the others keep (DuoAttention).
struct StreamingHeads {
  /// More than any context; keeps sums of two such numbers far from overflow.
  static constexpr int64_t kMostTokens = 1'000'000'000;
  std::vector<double> retrieval;  ///< [layers, kv_heads] in 0 .. 1, high = retrieval head
  int64_t sink_tokens = 0, recent_tokens = 0;
  bool operator==(const StreamingHeads&) const = default;
};

/// How much of each KV head can be pruned at an overall share of (step + 1) / (steps + 1) (LU-KV).
struct PruneTable {
  int64_t steps = 0;
  std::vector<double> shares;  ///< [steps, layers, kv_heads] in 0 .. 1
  bool operator==(const PruneTable&) const = default;
};

/// Selection parameters that kv-tune chose at a budget, and what they gave on prompts that did not
/// choose.
struct Selection {
  std::string method;          ///< YAML: scorer, allocator, selector and all their parameters
  std::string tasks, budgets;  ///< what they were tuned on, as asked
  double budget_tokens = 0;    ///< the same budget in tokens, mean over the held-out prompts
  std::string compared_with;   ///< with the paper's parameters; empty: it has none at the budget
  int64_t tuned_on = 0;        ///< prompts that chose
  int64_t held_out = 0;        ///< prompts of the numbers below
  double loss = 0, default_loss = 0;  ///< KL + excess NLL, nats a token; of `compared_with`
  double score = 0, default_score = 0, full_score = 0;  ///< task metric, 0 .. 1

  /// Columns that files of an older kvcal lack: they hold one setting for all budgets.
  static constexpr std::string_view kAddedLater[] = {"budget_tokens"};
  bool operator==(const Selection&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& v) {
    v("method", self.method), v("tasks", self.tasks), v("budgets", self.budgets);
    v("compared_with", self.compared_with), v("tuned_on", self.tuned_on);
    v("held_out", self.held_out), v("loss", self.loss), v("default_loss", self.default_loss);
    v("score", self.score), v("default_score", self.default_score);
    v("full_score", self.full_score), v("budget_tokens", self.budget_tokens);
  }
};

/// A calibration prompt, so that evaluation on it can be refused.
struct PromptDigest {
  std::string sha256;  ///< of the prompt text
  std::string origin;  ///< e.g. "srh-identify"
  bool operator==(const PromptDigest&) const = default;
};

/// How far shares may be from the sum 1: files of hundreds of heads round to a few digits.
inline constexpr double kShareTolerance = 0.01;

struct Profile {
  ModelIdentity model;
  Provenance provenance;            ///< of the program that wrote the file
  std::vector<Provenance> history;  ///< of the programs before it, oldest first
  /// By kind: semantic and traditional (srh-identify); whatever else an imported file holds.
  std::map<std::string, HeadScores> heads;
  std::map<std::string, LayerErrors> layer_errors;  ///< by dataset
  /// by allocator, then budget in tokens: [layers * kv_heads], row-major
  std::map<std::string, std::map<int64_t, std::vector<int64_t>>> budgets;
  std::optional<UnitCosts> layer_costs, kv_head_costs;  ///< all others whole; the last share is 1
  std::optional<UnitCosts> kv_head_influence;           ///< all others cut (Attention Matching)
  std::optional<StreamingHeads> streaming;
  std::optional<PruneTable> prune_table;
  /// [layers, kv_heads] >= 0, sum 1: each KV head's share of all kept entries (Attention Matching).
  std::optional<std::vector<double>> kv_head_shares;
  /// By search space of configs/tuning: a setting for each tuned budget, the smallest first.
  std::map<std::string, std::vector<Selection>> selections;
  std::vector<PromptDigest> prompts;
  /// Where load() found it; save() copies what this version does not know from there. Empty:
  /// nowhere.
  std::filesystem::path loaded_from;

  /// The next program takes over: the provenance so far moves to the history.
  void begin_stage(Provenance next);

  /// Mean over datasets of each dataset's error normalised to sum 1, normalised again (CompressKV).
  /// @throws Error{config} no layer errors: run layer-budget
  std::vector<double> layer_importance() const;

  /// As methods take it; absent parts stay empty. What was imported for the purpose goes first:
  /// the ranking is that of kind `semantic_ranking` (CompressKV's head index), else of `semantic`;
  /// head scores are those of kind `retrieval_reasoning` (HeadKV), else of `semantic`.
  ProfileFacts facts() const;

  /// @throws Error{input} not HDF5, truncated, another format or newer version, missing or
  /// misshapen dataset
  static Profile load(const std::filesystem::path& file);
  /// Written aside and renamed: a kill cannot leave half a file.
  /// @throws Error{input} unwritable or full disk; Error{internal} values that load() would refuse
  void save(const std::filesystem::path& file) const;
};

/// Sums and counts added in order, per-prompt scores concatenated, prompts united. Budgets follow
/// from all layer errors, so they stay only when no more than one profile has layer errors. A
/// pattern or table is taken from the profile that has it.
/// @throws Error{config} nothing to merge; Error{input} profiles of different models, or two
/// patterns or tables that differ
Profile merge(std::span<const Profile> profiles);

/// @throws Error{input} naming the first field that differs, both values
void require_same_model(const ModelIdentity& profile, const ModelIdentity& model,
                        const std::filesystem::path& profile_file);

}  // namespace kvcal
