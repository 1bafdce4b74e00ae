// SPDX-License-Identifier: Apache-2.0
// Which heads retrieve: semantic and traditional retrieval-head scores from needle trials.
// Source: CompressKV (arXiv:2508.02401) and Wu et al. (arXiv:2404.15574); see docs/cli.md for
// protocols.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kvcal/profile/chat_format.hpp"
#include "kvcal/profile/engine.hpp"
#include "kvcal/profile/needle.hpp"
#include "kvcal/profile/profile.hpp"
#include "kvcal/profile/prompt_lookup.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal {

class Hdf5Reader;
class Hdf5Writer;

/// How trials are made and scored.
///   sound       chat format, sentence-end placement, haystack read from varying places, stop at
///               the model's stop tokens, an emitted token counts once however often the answer
///               holds it
///   compresskv  the authors' files and rules: raw prompt, paired needle and haystack, their
///               placement, 50 steps without a stop at EOS, the mass added once per matching
///               position
struct IdentifyProtocol {
  Placement placement = Placement::sound;
  bool uses_chat = true;
  bool counts_repeats = false;  ///< c(t) = occurrences of t in the answer, else at most 1
  bool stops_at_model_stop = true;
  bool pairs_needle_and_haystack = false;
  int64_t max_new_tokens = 50;
  double gate_recall = 0.5;  ///< a trial counts if ROUGE-1 recall of the reply is above
  std::string instruction;   ///< between context and question; "{question}" is replaced

  static IdentifyProtocol named(std::string_view name);  ///< @throws Error{config} unknown name
};

struct Trial {
  int64_t length_tokens = 0;
  double depth = 0;
  size_t needle = 0, haystack = 0;
  int64_t start_token = 0;
};

/// Every length x depth, `needles_per_cell` trials each; needles, haystacks and starting places
/// take turns. With pairs_needle_and_haystack: every length x depth x (needle i, haystack i).
std::vector<Trial> plan_trials(const IdentifyProtocol& protocol, std::span<const double> lengths,
                               std::span<const double> depths, size_t needles,
                               std::span<const HaystackTokens> haystacks, int64_t needles_per_cell,
                               uint64_t seed);

/// Kinds of head scores that a trial gives, in the order in which they are shown.
///   semantic     attention mass on the answer while its tokens are generated (CompressKV)
///   traditional  how often the most attended token is the one that is generated (Wu et al.)
///   window       share of the attention of the prompt's last tokens that is on the answer, sinks
///                and the last tokens themselves left out: what window methods (SnapKV, CompressKV)
///                select by
inline constexpr std::string_view kHeadKinds[] = {"semantic", "traditional", "window"};

/// Prompt tokens whose queries make the `window` scores: question and end of the chat format.
inline constexpr int64_t kScoredWindowTokens = 24;

/// By kind: [layers, heads] each.
using HeadScoresOfTrial = std::map<std::string, std::vector<float>, std::less<>>;

struct TrialResult {
  std::string prompt_sha256;
  std::string reply;
  int64_t prompt_tokens = 0;
  double recall = 0;
  bool has_passed = false;
  bool has_span = false;
  HeadScoresOfTrial scores;
};

/// One shard of a run.
void write_trial(Hdf5Writer& file, const TrialResult& result, int64_t layers, int64_t heads);
/// @throws Error{input} damaged, or of another geometry
TrialResult read_trial(const Hdf5Reader& file, int64_t layers, int64_t heads);

class HeadIdentifier {
 public:
  HeadIdentifier(const Model& model, const Tokenizer& tokenizer, const ChatFormat& chat,
                 IdentifyProtocol protocol);

  std::string prompt(const Trial& trial, const std::vector<Needle>& needles,
                     const std::vector<HaystackTokens>& haystacks) const;
  TrialResult run(const std::string& prompt, const Needle& needle) const;

 private:
  std::vector<int64_t> stop_ids() const;

  const Model& model_;
  const Tokenizer& tokenizer_;
  const ChatFormat& chat_;
  IdentifyProtocol protocol_;
};

/// Adds a passed trial to the scores of all kinds.
void accumulate(const TrialResult& result, int64_t layers, int64_t heads,
                std::map<std::string, HeadScores>& scores);

struct HeadSummary {
  int64_t layer = 0, head = 0;
  double mean = 0;
  Interval interval;
};

/// The n heads of the whole model with the highest mean, best first.
/// @param clusters  [count] which needle each counted prompt asked for: its trials are resampled
///                  together
std::vector<HeadSummary> top_heads(const HeadScores& scores, int64_t n,
                                   std::span<const int64_t> clusters, uint64_t seed);

/// How far the ranking depends on the prompts: the even ones against the odd ones.
struct HalfAgreement {
  double spearman = 0;     ///< over all heads of the model; NaN with fewer than two prompts
  double top_overlap = 0;  ///< share of the best `top` heads that both halves name
  int64_t top = 20;
};
/// @param prompts  looks at the first ones alone; at most scores.count
HalfAgreement half_agreement(const HeadScores& scores, int64_t prompts);
inline HalfAgreement half_agreement(const HeadScores& scores) {
  return half_agreement(scores, scores.count);
}

/// How far the rankings agree that two groups of prompts give.
struct RankAgreement {
  std::string first, second;
  int64_t first_prompts = 0, second_prompts = 0;
  double spearman = 0;     ///< of mean scores over all heads of the model
  Interval interval = {};  ///< of it, both groups resampled; NaN where one has a single cluster
  double top_overlap = 0;  ///< share of the best `top` heads that both name
  int64_t top = 20;
};
/// Each two of the groups, in order of their names.
/// @param groups    [count] name of each counted prompt's group: its length, its haystack, its half
/// @param clusters  [count] prompts that are resampled together, or empty
/// A resample repeats prompts, so its ranking is a little worse than the group's own: the interval
/// lies low, the more so the fewer prompts there are.
std::vector<RankAgreement> rank_agreements(const HeadScores& scores,
                                           std::span<const std::string> groups,
                                           std::span<const int64_t> clusters, uint64_t seed);

/// Scores a trial as its tokens come. Exposed for tests and for comparison with other loops.
class RetrievalScores {
 public:
  RetrievalScores(int64_t layers, int64_t heads, std::vector<int64_t> prompt, TokenSpan span,
                  bool counts_repeats);

  /// Attention is only looked at behind tokens of the answer: the others add nothing.
  /// @param pass  behind a cache whose prefix is the prompt, or all but its last token
  void add(const LookupPass& pass);

  std::vector<float> semantic() const;     ///< [layers, heads]
  std::vector<float> traditional() const;  ///< [layers, heads]

 private:
  /// How much a token of the reply counts; 0 when it is none of the answer.
  double weight_of(int64_t id) const;
  /// @param row   [heads, seen] of the token before `id`
  void add_row(int64_t layer, const at::Tensor& row, int64_t id);

  int64_t heads_;
  std::vector<int64_t> prompt_;
  TokenSpan span_;
  bool counts_repeats_;
  std::vector<double> semantic_, traditional_;
};

}  // namespace kvcal
