// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>

#include "engine/context.hpp"
#include "engine/peak_memory.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/measure_latency.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A cache ready to answer, and the logits of the last token before it.
struct Ready {
  CompactCache cache;
  at::Tensor logits;     // [1, vocab] f32
  double compact_s = 0;  // between prefill and question
};

struct Repeat {
  double ttft_s = 0, compact_s = 0, tokens_per_s = 0, peak_bytes = 0;
  int64_t kept_bytes = 0;
};

class Measurement {
 public:
  Measurement(const LatencyBench& bench, const std::string& task, const Sample& sample,
              const Variant& variant, const LatencyOptions& options)
      : bench_(bench),
        sample_(sample),
        variant_(variant),
        options_(options),
        seed_(stable_hash(task + '/' + sample.id, options.seed)),
        prompt_(tokenize_prompt(sample, bench.chat, bench.tokenizer, variant.visibility)) {
    require_room(variant, prompt_, options.new_tokens + 1, bench.model.config(),
                 fmt::format("latency of task {}, sample {}", task, sample.id));
  }

  int64_t prompt_tokens() const { return prompt_.total(); }

  Repeat run() const {
    Repeat repeat;
    const PeakMemory memory;
    const auto start = Clock::now();
    Ready ready = prepare();
    repeat.kept_bytes = ready.cache.prefix_bytes();
    // The first token is chosen within `generate`, from logits that are there: microseconds.
    repeat.ttft_s = seconds_since(start);
    repeat.compact_s = ready.compact_s;
    const auto generation =
        generate(bench_.model, ready.cache, ready.logits, options_.new_tokens + 1, {});
    repeat.tokens_per_s = static_cast<double>(generation.steps) / generation.seconds;
    repeat.peak_bytes = memory.rise_bytes();
    return repeat;
  }

 private:
  /// The prefilled prompt is freed when this returns, as a server would.
  Ready prepare() const {
    const auto start = Clock::now();
    const PromptReader reader{bench_.model, bench_.tokenizer, bench_.chat};
    Context context(reader, bench_.facts, prompt_.context, sample_.chat, seed_);
    const std::span<const Variant> alone(&variant_, 1);
    context.prefill_whole(alone, nullptr);
    context.gather();
    context.prefill_windows(alone);
    const auto tail = static_cast<int64_t>(prompt_.question.size()) + options_.new_tokens + 1;
    // A sweep's variants share the prompt's entries; here they have to go.
    Ready ready{context.compress(variant_, tail).cache.with_own_entries(),
                context.whole() ? context.whole()->last_logits : at::Tensor()};
    ready.compact_s = seconds_since(start) - context.prefill_seconds(variant_);
    if (!prompt_.question.empty()) {
      ready.logits = bench_.model.forward(prompt_.question, ready.cache, LogitsWanted::last);
    }
    return ready;
  }

  const LatencyBench& bench_;
  const Sample& sample_;
  const Variant& variant_;
  const LatencyOptions& options_;
  uint64_t seed_;
  PromptTokens prompt_;
};

/// Least, middle (the lower one of two) and largest.
struct Spread {
  double least, middle, most;
};

Spread spread_of(const std::vector<Repeat>& repeats, double Repeat::*value) {
  std::vector<double> values;
  for (const auto& repeat : repeats) values.push_back(repeat.*value);
  std::sort(values.begin(), values.end());
  return {values.front(), values[(values.size() - 1) / 2], values.back()};
}

}  // namespace

LatencyRecord measure_latency(const LatencyBench& bench, const std::string& task,
                              const Sample& sample, const Variant& variant,
                              const LatencyOptions& options) {
  require(options.repeats >= 1 && options.new_tokens >= 1, Kind::config,
          "latency: {} repeats of {} new tokens, need at least 1 of each", options.repeats,
          options.new_tokens);
  const Measurement measurement(bench, task, sample, variant, options);
  measurement.run();  // warms caches of the processor and of the allocator
  std::vector<Repeat> repeats;
  for (int64_t i = 0; i < options.repeats; ++i) repeats.push_back(measurement.run());
  LatencyRecord record;
  record.task = task, record.sample = sample.id, record.method = variant.method->name;
  record.visibility = to_string(variant.visibility);
  record.budget = variant.budget == nullptr ? "full" : variant.budget->text();
  record.prompt_tokens = measurement.prompt_tokens();
  record.new_tokens = options.new_tokens, record.repeats = options.repeats;
  record.kept_bytes = repeats.front().kept_bytes;
  const Spread ttft = spread_of(repeats, &Repeat::ttft_s);
  record.ttft_min_s = ttft.least, record.ttft_s = ttft.middle, record.ttft_max_s = ttft.most;
  record.compact_s = spread_of(repeats, &Repeat::compact_s).middle;
  const Spread speed = spread_of(repeats, &Repeat::tokens_per_s);
  record.tokens_per_s_min = speed.least, record.tokens_per_s = speed.middle;
  record.tokens_per_s_max = speed.most;
  record.peak_bytes = spread_of(repeats, &Repeat::peak_bytes).most;
  return record;
}

}  // namespace kvcal
