// SPDX-License-Identifier: Apache-2.0
#include "kv_eval/latency.hpp"

#include <algorithm>

#include "kvcal/profile/measure_latency.hpp"
#include "shared/progress.hpp"

namespace kvcal {

std::vector<LatencyRecord> measure_latencies(const EvalFlags& flags, const EvalPlan& plan,
                                             Session& session) {
  const LatencyBench bench{session.model(), session.tokenizer(), session.chat(), plan.facts};
  LatencyOptions options;
  options.new_tokens = flags.latency_tokens;
  options.repeats = flags.latency_repeats;
  options.seed = static_cast<uint64_t>(flags.shared.seed);
  std::vector<Variant> variants = plan.variants;
  std::erase_if(variants, [](const Variant& variant) { return variant.mask != nullptr; });
  Progress progress("latency", static_cast<int64_t>(variants.size() * plan.tasks.size()),
                    flags.shared.is_quiet);
  std::vector<LatencyRecord> records;
  for (const auto& task : plan.tasks) {
    const Sample sample = task.task->sample(task.longest_sample);
    for (const auto& variant : variants) {
      records.push_back(measure_latency(bench, task.name, sample, variant, options));
      const auto& last = records.back();
      progress.step(fmt::format("{} first token {:.3f} s, {:.1f} tok/s", variant_name(last),
                                last.ttft_s, last.tokens_per_s));
    }
  }
  return records;
}

}  // namespace kvcal
