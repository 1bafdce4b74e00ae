// SPDX-License-Identifier: Apache-2.0
#include "kv_inspect/prediction.hpp"

#include <optional>

#include "kvcal/profile/duration.hpp"
#include "shared/machine.hpp"
#include "shared/table.hpp"

namespace kvcal {
namespace {

std::string bytes(int64_t count) {
  return format_bytes(static_cast<double>(count));
}

Device open_device(const PredictionFlags& flags, const ModelConfig& config) {
  if (flags.device != "cpu") return load_device(flags.device, flags.element_bytes());
  Device device = measure_cpu(config, flags.element_bytes());
  device.memory_bytes = available_memory();
  return device;
}

/// Variants point to methods and budgets, so it stays where it is.
struct Sweeps {
  std::vector<Method> methods;
  std::vector<Budget> budgets;
  Method full = load_method("full");
  std::vector<Variant> all, full_alone;

  explicit Sweeps(const PredictionFlags& flags) : budgets(parse_budgets(flags.budgets)) {
    for (const auto& name : flags.methods) methods.push_back(load_method(name));
    for (const auto& method : methods) {
      if (method.is_full()) all.push_back({&method, nullptr, Visibility::aware});
      for (const auto& budget : budgets) {
        if (!method.is_full()) all.push_back({&method, &budget, Visibility::aware});
      }
    }
    full_alone.push_back({&full, nullptr, Visibility::aware});
  }
  Sweeps(const Sweeps&) = delete;
};

/// @param device  null: no times, and everything fits
std::vector<std::string> predict_row(const PredictionFlags& flags, const ModelConfig& config,
                                     const Sweeps& sweeps, const Device* device, int64_t tokens) {
  const int64_t element = flags.element_bytes();
  const PromptShape prompt{tokens - flags.new_tokens, flags.new_tokens, element};
  const auto sweep = predict_memory(config, prompt, sweeps.all);
  const auto needs = [&](int64_t needed) {
    const bool is_known = device != nullptr && device->memory_bytes > 0;
    return bytes(needed) + (is_known && needed > device->memory_bytes ? " !" : "");
  };
  std::vector<std::string> cells = {
      std::to_string(tokens),
      bytes(tokens * config.layers * config.kv_heads * config.entry_bytes(element)),
      needs(predict_memory(config, prompt, sweeps.full_alone).total()), needs(sweep.total()),
      needs(sweep.least())};
  if (device == nullptr) return cells;
  const auto whole = predict_durations(config, prompt, sweeps.all, *device, false);
  for (const double seconds :
       {whole.prefill, decode_seconds(config, element, 1, tokens, *device), whole.total()}) {
    cells.push_back(format_seconds(seconds));
  }
  return cells;
}

}  // namespace

std::string prediction_table(const PredictionFlags& flags, const ModelConfig& config) {
  const Sweeps sweeps(flags);
  std::string text = fmt::format("memory in {}, {} new tokens; sweep: {} variants in one batch\n",
                                 flags.dtype, flags.new_tokens, sweeps.all.size());
  std::vector<std::string> columns = {"tokens", "KV cache", "full", "sweep", "one at a time"};
  std::optional<Device> device;
  if (!flags.device.empty()) {
    device = open_device(flags, config);
    text += fmt::format(
        "times on {} ({:.3g} TFLOP/s in products, {:.3g} in attention, {:.3g} GB/s); '!': more "
        "than its {}\n",
        device->name, 1e-12 * device->matrix_flops, 1e-12 * device->attention_flops,
        1e-9 * device->bytes_per_second, bytes(device->memory_bytes));
    for (const char* column : {"prefill", "a token", "sweep takes"}) columns.push_back(column);
  }
  Table table(columns);
  for (const int64_t tokens : flags.lengths) {
    table.add(predict_row(flags, config, sweeps, device ? &*device : nullptr, tokens));
  }
  return text + table.text();
}

}  // namespace kvcal
