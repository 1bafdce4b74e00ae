// SPDX-License-Identifier: Apache-2.0
#include "model/layer_ops.hpp"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "kvcal/compress/vector_clones.hpp"
#include "model/bf16_bits.hpp"

namespace kvcal {
namespace {

/// Numbers that one task should at least touch: less is not worth a second thread.
constexpr int64_t kGrain = 1 << 15;
/// Partial sums, so that the compiler can keep them in vector registers.
constexpr int64_t kLanes = 16;

template <class Row>
void for_rows(int64_t rows, int64_t width, const Row& row) {
  at::parallel_for(0, rows, std::max<int64_t>(1, kGrain / width), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) row(r);
  });
}

template <class T>
float mean_square(const T* x, int64_t width) {
  float sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const auto value = static_cast<float>(x[i + lane]);
      sums[lane] += value * value;
    }
  }
  for (; i < width; ++i) sums[0] += static_cast<float>(x[i]) * static_cast<float>(x[i]);
  float sum = 0;
  for (float part : sums) sum += part;
  return sum / static_cast<float>(width);
}

template <class T>
void norm_row(const T* in, const T* by, int64_t width, float eps, T* normed) {
  const float scale = 1 / std::sqrt(mean_square(in, width) + eps);
  for (int64_t i = 0; i < width; ++i) {
    const auto shrunk = static_cast<float>(static_cast<T>(static_cast<float>(in[i]) * scale));
    normed[i] = static_cast<T>(static_cast<float>(by[i]) * shrunk);
  }
}

/// The same sums and roundings as of any T.
KVCAL_CLONES void norm_bf16_row(const uint16_t* in, const uint16_t* by, int64_t width, float eps,
                                uint16_t* __restrict normed) {
  float sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float value = widened(in[i + lane]);
      sums[lane] += value * value;
    }
  }
  for (; i < width; ++i) sums[0] += widened(in[i]) * widened(in[i]);
  float sum = 0;
  for (const float part : sums) sum += part;
  const float scale = 1 / std::sqrt(sum / static_cast<float>(width) + eps);
  for (i = 0; i < width; ++i) {
    normed[i] = rounded(widened(by[i]) * widened(rounded(widened(in[i]) * scale)));
  }
}

template <>
void norm_row(const at::BFloat16* in, const at::BFloat16* by, int64_t width, float eps,
              at::BFloat16* normed) {
  norm_bf16_row(&in->x, &by->x, width, eps, &normed->x);
}

template <class T>
void norm_rows(const at::Tensor& x, const at::Tensor& weight, float eps, at::Tensor& out) {
  const int64_t width = x.size(-1);
  const T* from = x.const_data_ptr<T>();
  const T* by = weight.const_data_ptr<T>();
  T* to = out.mutable_data_ptr<T>();
  for_rows(x.numel() / width, width,
           [&](int64_t r) { norm_row(from + r * width, by, width, eps, to + r * width); });
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (!x.is_cpu()) {
    const auto wide = x.to(at::kFloat);
    const auto scale = at::rsqrt(wide.square().mean({-1}, /*keepdim=*/true) + eps);
    return weight * (wide * scale).to(x.scalar_type());
  }
  const auto rows = x.contiguous();  // no copy but for head norms
  auto out = at::empty_like(rows);
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, x.scalar_type(), "rms_norm", [&] {
    norm_rows<scalar_t>(rows, weight, static_cast<float>(eps), out);
  });
  return out;
}

at::Tensor gated_silu(const at::Tensor& gate_up) {
  const int64_t width = gate_up.size(1) / 2;
  return at::silu(gate_up.narrow(1, 0, width)).mul_(gate_up.narrow(1, width, width));
}

}  // namespace kvcal
