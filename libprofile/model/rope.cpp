// SPDX-License-Identifier: Apache-2.0
#include "model/rope.hpp"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <numbers>

#include "kvcal/compress/vector_clones.hpp"
#include "model/bf16_bits.hpp"
#include "model/model_spec.hpp"

namespace kvcal {
namespace {

/// Numbers that one task should at least touch: less is not worth a second thread.
constexpr int64_t kGrain = 1 << 15;

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

/// Rounds each product and each sum to T, as the composed operations do.
template <class T>
void turn_head(T* head, const T* cos, const T* sin, int64_t half) {
  const auto product = [](T x, T y) {
    return static_cast<T>(static_cast<float>(x) * static_cast<float>(y));
  };
  for (int64_t i = 0; i < half; ++i) {
    const T a = head[i];
    const T b = head[half + i];
    head[i] = static_cast<T>(static_cast<float>(product(a, cos[i])) -
                             static_cast<float>(product(b, sin[i])));
    head[half + i] = static_cast<T>(static_cast<float>(product(b, cos[i])) +
                                    static_cast<float>(product(a, sin[i])));
  }
}

KVCAL_CLONES void turn_bf16_head(uint16_t* __restrict first, uint16_t* __restrict second,
                                 const uint16_t* __restrict cos, const uint16_t* __restrict sin,
                                 int64_t half) {
  for (int64_t i = 0; i < half; ++i) {
    const float a = widened(first[i]), b = widened(second[i]);
    const float c = widened(cos[i]), s = widened(sin[i]);
    first[i] = rounded(widened(rounded(a * c)) - widened(rounded(b * s)));
    second[i] = rounded(widened(rounded(b * c)) + widened(rounded(a * s)));
  }
}

template <>
void turn_head(at::BFloat16* head, const at::BFloat16* cos, const at::BFloat16* sin, int64_t half) {
  const auto bits = [](auto* numbers) { return &numbers->x; };
  turn_bf16_head(bits(head), bits(head) + half, bits(cos), bits(sin), half);
}

void turn_on_cpu(const at::Tensor& heads, const RopeTable& table) {
  const int64_t half = heads.size(2) / 2;
  const int64_t grain = std::max<int64_t>(1, kGrain / (heads.size(1) * heads.size(2)));
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, heads.scalar_type(), "rope", [&] {
    const auto* cos = table.cos.const_data_ptr<scalar_t>();
    const auto* sin = table.sin.const_data_ptr<scalar_t>();
    auto* first = heads.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, heads.size(0), grain, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        for (int64_t h = 0; h < heads.size(1); ++h) {
          turn_head(first + t * heads.stride(0) + h * heads.stride(1), cos + t * half,
                    sin + t * half, half);
        }
      }
    });
  });
}

}  // namespace

at::Tensor rope_frequencies(const ModelSpec& spec) {
  const auto& config = spec.config;
  const auto exponent =
      at::arange(0, config.head_dim, 2, at::kLong).to(at::kFloat) / config.head_dim;
  const auto frequencies = 1.0 / at::pow(config.rope_theta, exponent);  // [head_dim / 2]
  return spec.rope_scaling ? stretch(frequencies, *spec.rope_scaling) : frequencies;
}

RopeTable make_rope_table(const at::Tensor& frequencies, const at::Tensor& positions,
                          const at::TensorOptions& options) {
  const auto angles = at::outer(positions, frequencies);  // [tokens, head_dim / 2]
  return {angles.cos().to(options), angles.sin().to(options)};
}

void apply_rope_(const at::Tensor& heads, const RopeTable& table) {
  if (heads.is_cpu()) return turn_on_cpu(heads, table);
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
