// SPDX-License-Identifier: Apache-2.0
// Orthogonal matching pursuit of Attention Matching, one KV head: 3072 reference queries, 1024
// tokens of which a tenth or a fifth stay. Against a plain one that solves the least squares anew
// for each key, on the same numbers; and the true non-negative fit beside the clamped one.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <tuple>

#include "matching/pursuit.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

constexpr int64_t kRows = 3072, kTokens = 1024, kHeadDim = 64;

/// exp(logits - row maxima) of random queries and keys, about as peaked as attention is.
at::Tensor exponentials() {
  std::mt19937 random(15);
  const auto queries = test::normal(random, {kRows, kHeadDim});
  const auto keys = test::normal(random, {kTokens, kHeadDim});
  const auto logits = at::mm(queries, keys.t()) * 0.2;
  return (logits - logits.amax(1, true)).exp().to(at::kDouble);
}

/// The text-book loop: products with the residual, the best column, all weights anew by QR.
std::vector<int64_t> plain_pursuit(const at::Tensor& e, const at::Tensor& y, int64_t count) {
  const PursuitOptions options;
  auto open = at::zeros({e.size(1)}, e.options());  // -inf where chosen
  std::vector<int64_t> chosen;
  auto residual = y;
  while (static_cast<int64_t>(chosen.size()) < count) {
    const auto best = (at::mv(e.t(), residual) + open).argmax().item<int64_t>();
    open[best] = -std::numeric_limits<double>::infinity();
    chosen.push_back(best);
    const auto columns = e.index_select(1, at::tensor(chosen, at::kLong));
    const auto weights =
        std::get<0>(at::linalg_lstsq(columns, y.unsqueeze(1), std::nullopt, "gels"))
            .clamp(options.bounds.low, options.bounds.high);
    residual = y - at::mm(columns, weights).squeeze(1);
  }
  return chosen;
}

void run_pursuit(benchmark::State& state, const PursuitOptions& options) {
  const auto e = exponentials(), y = e.sum(1);
  for (auto _ : state) benchmark::DoNotOptimize(pursue(e, y, state.range(0), options));
}

void pursuit(benchmark::State& state) {
  const auto e = exponentials(), y = e.sum(1);
  if (pursue(e, y, state.range(0), {}).columns != plain_pursuit(e, y, state.range(0))) {
    state.SkipWithError("not the columns of the plain pursuit");
  }
  run_pursuit(state, {});
}

void pursuit_four_a_step(benchmark::State& state) {
  run_pursuit(state, {.keys_per_step = 4, .refit_interval = 2});
}

void pursuit_without_blocks(benchmark::State& state) {
  run_pursuit(state, {.block_columns = 1});
}

void pursuit_plain(benchmark::State& state) {
  const auto e = exponentials(), y = e.sum(1);
  for (auto _ : state) benchmark::DoNotOptimize(plain_pursuit(e, y, state.range(0)));
}

#define KVCAL_TIME(function) \
  BENCHMARK(function)->UseRealTime()->Unit(benchmark::kMillisecond)->ArgName("kept")
KVCAL_TIME(pursuit)->Arg(102)->Arg(204);
KVCAL_TIME(pursuit_four_a_step)->Arg(102)->Arg(204);
KVCAL_TIME(pursuit_without_blocks)->Arg(102)->Arg(204);
KVCAL_TIME(pursuit_plain)->Arg(102)->Arg(204);

void clamped_weights(benchmark::State& state) {
  const auto e = exponentials(), y = e.sum(1).unsqueeze(0);
  const auto chosen = e.narrow(1, 0, state.range(0)).unsqueeze(0);
  for (auto _ : state) benchmark::DoNotOptimize(clamped_fit(chosen, y, {0.05, 20}));
}

void true_weights(benchmark::State& state) {
  const auto e = exponentials(), y = e.sum(1).unsqueeze(0);
  const auto chosen = e.narrow(1, 0, state.range(0)).unsqueeze(0);
  for (auto _ : state) benchmark::DoNotOptimize(bounded_fit(chosen, y, {0.05, 20}));
}
KVCAL_TIME(clamped_weights)->Arg(102)->Arg(204);
KVCAL_TIME(true_weights)->Arg(102)->Arg(204);

}  // namespace
}  // namespace kvcal
