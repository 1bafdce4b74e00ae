// SPDX-License-Identifier: Apache-2.0
#include "model/projection.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "kvcal/compress/vector_clones.hpp"

namespace kvcal {
namespace {

using F32x16 = float __attribute__((vector_size(64)));
using U32x16 = uint32_t __attribute__((vector_size(64)));
using U16x16 = uint16_t __attribute__((vector_size(32)));

constexpr int64_t kLanes = 16;
/// Weight rows that share one load of x.
constexpr int64_t kRowBlock = 4;
/// Weight rows widened to f32 at once: keeps the copy small.
constexpr int64_t kWidenedRows = 4096;
/// Weights of one task: less is not worth a second thread.
constexpr int64_t kTaskWeights = 1 << 17;

__attribute__((always_inline)) inline F32x16 widen(const uint16_t* bf16) {
  U16x16 narrow;
  std::memcpy(&narrow, bf16, sizeof(narrow));
  const U32x16 bits = __builtin_convertvector(narrow, U32x16) << 16;
  F32x16 wide;
  std::memcpy(&wide, &bits, sizeof(wide));
  return wide;
}

template <int64_t kRows>
__attribute__((always_inline)) inline void dot_rows(const float* x, const uint16_t* rows,
                                                    int64_t width, float* out) {
  F32x16 sums[kRows] = {};
  for (int64_t i = 0; i < width; i += kLanes) {
    F32x16 part;
    std::memcpy(&part, x + i, sizeof(part));
    for (int64_t r = 0; r < kRows; ++r) sums[r] += part * widen(rows + r * width + i);
  }
  for (int64_t r = 0; r < kRows; ++r) {
    out[r] = 0;
    for (int lane = 0; lane < kLanes; ++lane) out[r] += sums[r][lane];
  }
}

/// out[r] = x . rows[r] in f32.
KVCAL_CLONES void multiply_rows(const float* x, const uint16_t* rows, int64_t count, int64_t width,
                                float* out) {
  int64_t r = 0;
  for (; r + kRowBlock <= count; r += kRowBlock)
    dot_rows<kRowBlock>(x, rows + r * width, width, out + r);
  for (; r < count; ++r) dot_rows<1>(x, rows + r * width, width, out + r);
}

bool is_one_bf16_row(const at::Tensor& x, const at::Tensor& weight) {
  return x.is_cpu() && x.scalar_type() == at::kBFloat16 && x.size(0) == 1 &&
         weight.size(1) % kLanes == 0;
}

/// One bf16 row, [1, out] f32: reads each weight once at the speed of memory, which at::linear
/// misses by half.
at::Tensor multiply_one(const at::Tensor& x, const at::Tensor& weight) {
  const int64_t width = weight.size(1);
  const auto wide = x.to(at::kFloat);                                            // [1, in]
  auto product = at::empty({1, weight.size(0)}, x.options().dtype(at::kFloat));  // [1, out]
  const float* from = wide.const_data_ptr<float>();
  const auto* rows = static_cast<const uint16_t*>(weight.const_data_ptr());
  float* to = product.mutable_data_ptr<float>();
  at::parallel_for(0, weight.size(0), std::max<int64_t>(1, kTaskWeights / width),
                   [&](int64_t begin, int64_t end) {
                     multiply_rows(from, rows + begin * width, end - begin, width, to + begin);
                   });
  return product;
}

using OneDnnLinear = at::Tensor(const at::Tensor&, const at::Tensor&,
                                const std::optional<at::Tensor>&, std::string_view,
                                c10::List<std::optional<at::Scalar>>,
                                std::optional<std::string_view>);

/// oneDNN's f32 product: as fast as MKL's on Intel, twice as fast on AMD (190 against 85 GFLOP/s a
/// core on Zen 5), but at::linear takes MKL's.
std::optional<c10::TypedOperatorHandle<OneDnnLinear>> find_onednn() {
  if (!at::globalContext().hasMKLDNN()) return std::nullopt;
  const auto found = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
  if (!found || !found->hasKernelForDispatchKey(c10::DispatchKey::CPU)) return std::nullopt;
  return found->typed<OneDnnLinear>();
}

}  // namespace

at::Tensor project(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  static const auto onednn = find_onednn();
  if (is_one_bf16_row(x, weight)) {
    auto product = multiply_one(x, weight);
    if (bias.defined()) product += bias;
    return product.to(at::kBFloat16);
  }
  const auto given_bias = bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt;
  if (x.is_cpu() && x.scalar_type() == at::kFloat && onednn) {
    return onednn->call(x, weight, given_bias, "none", c10::List<std::optional<at::Scalar>>(), "");
  }
  return at::linear(x, weight, given_bias);
}

at::Tensor project_to_f32(const at::Tensor& x, const at::Tensor& weight) {
  if (x.scalar_type() == at::kFloat) return project(x, weight, {});
  if (is_one_bf16_row(x, weight)) return multiply_one(x, weight);
  const auto wide = x.to(at::kFloat);                                     // [rows, in]
  auto product = at::empty({x.size(0), weight.size(0)}, wide.options());  // [rows, out]
  for (int64_t begin = 0; begin < weight.size(0); begin += kWidenedRows) {
    const int64_t count = std::min(kWidenedRows, weight.size(0) - begin);
    const auto rows = weight.narrow(0, begin, count).to(at::kFloat);  // [count, in]
    product.narrow(1, begin, count).copy_(project(wide, rows, {}));
  }
  return product;
}

}  // namespace kvcal
