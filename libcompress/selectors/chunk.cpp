// SPDX-License-Identifier: Apache-2.0
/// Chunk: neighbouring tokens stay or go together, the same ones in all KV heads of a layer.
///
/// Source   arXiv:2502.00299 (ChunkKV); kvpress `presses/chunkkv_press.py` (0.5.5).
/// Rule     chunks of chunk_tokens consecutive tokens, the last one shorter;
///          a chunk's score = mean over its tokens of the sum over KV heads; of n chunks the best
///          max(1, floor(n * kept / (kv_heads * tokens))) stay, kept = sum over KV heads. Equal
///          chunks: the earlier. A prompt shorter than a chunk: the best scores of each KV head.
/// Keeps    protected entries count as the layer's highest score + 1 (kvpress) for their chunk, and
///          stay on their own where their chunk does not.
/// Differs  not exact, as kvpress: the short chunk and the rounding down miss the budget either
/// way,
///          and protected entries outside the kept chunks come on top. The number of chunks comes
///          from integers, not from a share of tokens in floating point.
/// Checked  unit/chunk_test.cpp, parity/compress (kvpress).
#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "kvcal/compress/selector.hpp"

namespace kvcal {
namespace {

KeepSet keep_where(const at::Tensor& stays) {
  const auto offsets = at::cat({at::zeros({1}, at::kLong), stays.sum(1).cumsum(0)});
  return {stays.nonzero().select(1, 1).contiguous(), offsets};  // row after row, ascending
}

struct Chunk final : Selector {
  /// Of ChunkKVPress.
  struct Params {
    int64_t chunk_tokens = 20;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("chunk_tokens", chunk_tokens, at_least(1), "tokens that stay or go together");
    }
  };

  explicit Chunk(const Params& params) : params_(params) {}

  Needs needs() const override { return {}; }
  bool is_exact() const override { return false; }

  KeepSet select(const SelectionRequest& request) const override {
    const auto scores = request.scores.to(at::kCPU);  // [kv_heads, tokens]
    const int64_t tokens = scores.size(1);
    if (tokens < params_.chunk_tokens) return select_top(scores, request.kept);
    const auto chunks = chunk_scores(scores);  // [1, chunks]
    const int64_t allowed =
        chunks.size(1) * request.kept.sum().item<int64_t>() / (scores.size(0) * tokens);
    const auto best = select_top(chunks, at::full({1}, std::max<int64_t>(allowed, 1), at::kLong));
    auto stays = at::isposinf(scores);  // [kv_heads, tokens]
    for (const int64_t first : starts_of(best)) {
      stays.narrow(1, first, std::min(params_.chunk_tokens, tokens - first)).fill_(true);
    }
    return keep_where(stays);
  }

 private:
  /// [1, chunks] f32. NaN stays NaN, for select_top to refuse.
  at::Tensor chunk_scores(const at::Tensor& scores) const {
    const auto is_protected = at::isposinf(scores);
    const auto highest =
        scores.masked_fill(is_protected, -std::numeric_limits<double>::infinity()).max() + 1;  // []
    const auto sums = at::where(is_protected, highest, scores).sum(0);  // [tokens]
    std::vector<at::Tensor> means;
    for (const auto& chunk : sums.split(params_.chunk_tokens)) means.push_back(chunk.mean());
    return at::stack(means).unsqueeze(0);
  }

  std::vector<int64_t> starts_of(const KeepSet& chunks) const {
    std::vector<int64_t> starts;
    for (int64_t i = 0; i < chunks.total(); ++i) {
      starts.push_back(chunks.indices[i].item<int64_t>() * params_.chunk_tokens);
    }
    return starts;
  }

  Params params_;
};

}  // namespace

extern constexpr SelectorInfo selector_chunk =
    describe_selector<Chunk>("chunk", "neighbouring tokens stay or go together");

}  // namespace kvcal
