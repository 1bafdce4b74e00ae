// SPDX-License-Identifier: Apache-2.0
/// Window vote: chosen heads vote with the attention of the last prompt tokens. Every choice that
/// SnapKV and CompressKV fix is a parameter here, so that it can be calibrated (kv-tune).
///
/// Source   the sum of arXiv:2404.14469 (SnapKV) and arXiv:2508.02401 (CompressKV); `scope: model`,
///          `pool: grow` and `pool: sentence` are ours.
/// Score    voters = voter_heads best heads by the profile's scores of kind `voters`, of each layer
///          or of the whole model; A as in snapkv.cpp;
///          m[h, t] = sum (or max) over the window's rows w of A[h, w, t];
///          v[t] = mean (or max) over voters h of pool_t(m[h, t]);
///          s[g, t] = v[t] for every KV head g, where `ranking: shared`; of the voters of group g
///          alone where `ranking: kv_head` (of all voters of the layer, if the group has none).
///          With use_value_norm, s[g, t] is multiplied by the L2 norm of value t of KV head g.
///          pool avg, max: over pool_kernel tokens; grow: max over distances d of
///          m[t + d] * (1 - |d| / (half + 1)), so that spans grow around peaks, the highest first;
///          sentence: the largest of the token's sentence.
/// Keeps    the first sink_tokens and the last protected_tokens (the whole window, where 0) (+inf).
/// Differs  with voters = semantic and the defaults it is srh_window.cpp, with voters = all,
///          heads averaged and ranking = kv_head snapkv.cpp.
/// Cost     time O(voters * window * tokens * head_dim); memory O(window * tokens) f32.
/// Checked  unit/window_vote_test.cpp (both equalities, worked examples).
#include <ATen/ATen.h>

#include <algorithm>

#include "kvcal/compress/scorer.hpp"
#include "protection.hpp"
#include "voters.hpp"
#include "window_scores.hpp"

namespace kvcal {
namespace {

struct WindowVote final : Scorer {
  struct Params {
    std::string voters = "semantic";
    std::string scope = "layer";
    int64_t voter_heads = 4;
    int64_t voter_seed = 0;
    int64_t window_tokens = 8;
    int64_t protected_tokens = 0;
    int64_t sink_tokens = 0;
    std::string rows = "sum";
    std::string heads = "mean";
    std::string pool = "avg";
    int64_t pool_kernel = 5;
    std::string ranking = "shared";
    bool use_value_norm = false;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("voters", voters, any(),
              "heads that vote: best by a kind of head scores of the profile (semantic, "
              "traditional, window), or `random`, or `all`");
      v.field("scope", scope, one_of({"layer", "model"}),
              "each layer has voters of its own, or the model's best vote for all layers");
      v.field("voter_heads", voter_heads, at_least(1), "heads that vote (unless all do)",
              unless("voters", {"all"}));
      v.field("voter_seed", voter_seed, at_least(0), "which random heads");
      v.field("window_tokens", window_tokens, at_least(1),
              "last prompt tokens: their queries score");
      v.field("protected_tokens", protected_tokens, at_least(0),
              "last prompt tokens that are kept; 0: the whole window");
      v.field("sink_tokens", sink_tokens, at_least(0), "first prompt tokens that are kept");
      v.field("rows", rows, one_of({"sum", "max"}), "over the window's rows");
      v.field("heads", heads, one_of({"mean", "max"}), "over the voters");
      v.field("pool", pool, one_of({"avg", "max", "grow", "sentence"}),
              "what neighbours of an attended token get");
      v.field("pool_kernel", pool_kernel, at_least(1),
              "tokens pooled into one score, odd (unless sentences are)",
              unless("pool", {"sentence"}));
      v.field("ranking", ranking, one_of({"shared", "kv_head"}),
              "one ranking for all KV heads of a layer, or one each");
      v.field("use_value_norm", use_value_norm, any(), "scores times the norm of the value");
    }
  };

  explicit WindowVote(const Params& params) : params_(params) {
    require_odd_kernel(params.pool_kernel);
    require(params.scope == "layer" || params.ranking == "shared", Kind::config,
            "scope: model has one ranking for all layers; need ranking: shared");
  }

  Needs needs() const override {
    Needs needs;
    needs.window_tokens = params_.window_tokens;
    needs.sentences = params_.pool == "sentence";
    if (is_ranked(voters())) needs.head_kinds.insert(params_.voters);
    needs.min_budget_tokens = params_.sink_tokens + last_kept() + 1;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override { return score_all({&view, 1}).front(); }

  std::vector<at::Tensor> score_all(std::span<const LayerView> layers) const override {
    at::Tensor of_model;
    if (params_.scope == "model") {
      std::vector<at::Tensor> votes;
      const auto heads = voters_of_model(layers, voters());
      for (size_t i = 0; i < layers.size(); ++i) {
        for (const int64_t head : heads[i]) votes.push_back(vote_of(layers[i], head));
      }
      of_model = united(votes);
    }
    return of_each_layer(layers, [&](const LayerView& view) {
      const auto past = of_model.defined() ? of_model.expand({view.kv_heads(), of_model.size(0)})
                                           : past_scores(view);
      return protect(view, past);
    });
  }

 private:
  int64_t last_kept() const {
    return params_.protected_tokens > 0 ? params_.protected_tokens : params_.window_tokens;
  }

  /// [past]: what one head says about the tokens that may be dropped.
  at::Tensor vote_of(const LayerView& view, int64_t head) const {
    const int64_t past = view.tokens() - std::min(last_kept(), view.tokens());
    const auto attention =
        window_rows(view, params_.window_tokens, head, 1).narrow(2, 0, past);  // [1, window, past]
    const auto mass = params_.rows == "max" ? attention.amax(1) : attention.sum(1);  // [1, past]
    if (params_.pool == "sentence") return largest_of_sentence(view, mass.squeeze(0));
    return pool_tokens(mass, params_.pool, params_.pool_kernel).squeeze(0);
  }

  static at::Tensor largest_of_sentence(const LayerView& view, const at::Tensor& mass) {
    require(view.sentences.defined() && view.sentences.size(0) == view.tokens(), Kind::shape,
            "layer {}: the sentences of its {} tokens are not known", view.layer, view.tokens());
    if (mass.size(0) == 0) return mass;
    const auto sentence = view.sentences.narrow(0, 0, mass.size(0));  // [past], ascending from 0
    const int64_t count = sentence[-1].item<int64_t>() + 1;
    const auto largest = at::zeros({count}, mass.options())
                             .scatter_reduce(0, sentence, mass, "amax", /*include_self=*/true);
    return largest.index_select(0, sentence);
  }

  /// [past] of several votes.
  at::Tensor united(const std::vector<at::Tensor>& votes) const {
    const auto all = at::stack(votes);  // [voters, past]
    return params_.heads == "max" ? all.amax(0) : all.mean(0);
  }

  /// [kv_heads, past]
  at::Tensor past_scores(const LayerView& view) const {
    const auto heads = voters_of_layer(view, voters());
    std::vector<at::Tensor> votes;
    for (const int64_t head : heads) votes.push_back(vote_of(view, head));
    const auto shared = united(votes);
    if (params_.ranking == "shared") return shared.expand({view.kv_heads(), shared.size(0)});
    const int64_t group = view.heads() / view.kv_heads();
    std::vector<at::Tensor> rows;
    for (int64_t k = 0; k < view.kv_heads(); ++k) {
      std::vector<at::Tensor> own;
      for (size_t i = 0; i < heads.size(); ++i) {
        if (heads[i] / group == k) own.push_back(votes[i]);
      }
      rows.push_back(own.empty() ? shared : united(own));
    }
    return at::stack(rows);
  }

  /// [kv_heads, tokens]
  at::Tensor protect(const LayerView& view, const at::Tensor& past) const {
    auto scores = with_protected_window(past, view.tokens() - past.size(1));
    if (params_.use_value_norm) {
      scores *= at::linalg_vector_norm(view.values.to(at::kFloat), 2, {2}).clamp_min(1e-20);
    }
    protect_first_(scores, params_.sink_tokens);
    return scores;
  }

  VoterRule voters() const {
    return {params_.voters, params_.voter_heads, static_cast<uint64_t>(params_.voter_seed)};
  }

  Params params_;
};

}  // namespace

extern constexpr ScorerInfo scorer_window_vote = describe_scorer<WindowVote>(
    "window_vote", "tokens that chosen heads attend to, every choice a parameter");

}  // namespace kvcal
