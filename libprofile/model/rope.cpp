// SPDX-License-Identifier: Apache-2.0
#include "model/rope.hpp"

#include <ATen/ATen.h>

#include <numbers>

namespace kvcal {
namespace {

/// Llama 3.1: short wavelengths stay, long ones are stretched by `factor`, a ramp between them
/// (transformers, _compute_llama3_parameters).
at::Tensor stretch(const at::Tensor& frequencies, const Llama3Scaling& scaling) {
  const auto wavelength = 2 * std::numbers::pi / frequencies;  // [head_dim / 2] tokens
  const auto turns = scaling.original_tokens / wavelength;     // within the original length
  const auto ramp =
      ((turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor))
          .clamp(0, 1);  // 0: stretched, 1: kept
  return (1 - ramp) * frequencies / scaling.factor + ramp * frequencies;
}

}  // namespace

at::Tensor rope_frequencies(const ModelSpec& spec) {
  const auto& config = spec.config;
  const auto exponent =
      at::arange(0, config.head_dim, 2, at::kLong).to(at::kFloat) / config.head_dim;
  const auto frequencies = 1.0 / at::pow(config.rope_theta, exponent);  // [head_dim / 2]
  return spec.rope_scaling ? stretch(frequencies, *spec.rope_scaling) : frequencies;
}

RopeTable make_rope_table(const at::Tensor& frequencies, int64_t first_position, int64_t tokens,
                          const at::TensorOptions& options) {
  const auto positions = at::arange(first_position, first_position + tokens, frequencies.options());
  const auto angles = at::outer(positions, frequencies);  // [tokens, head_dim / 2]
  return {angles.cos().to(options), angles.sin().to(options)};
}

void apply_rope_(const at::Tensor& heads, const RopeTable& table) {
  const int64_t half = heads.size(2) / 2;
  const auto cos = table.cos.unsqueeze(1);  // [tokens, 1, head_dim / 2]
  const auto sin = table.sin.unsqueeze(1);
  auto a = heads.narrow(2, 0, half);
  auto b = heads.narrow(2, half, half);
  const auto turned_a = a * cos - b * sin;  // [tokens, heads, head_dim / 2]
  b.copy_(b * cos + a * sin);
  a.copy_(turned_a);
}

}  // namespace kvcal
