// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/row_product.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "kernels/cpu/bf16_product.hpp"
#include "kernels/cpu/vectors.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"
#include "kvcal/compress/parallel.hpp"

namespace kvcal {
namespace {

/// Multiplications of one task: less is not worth a second thread.
constexpr int64_t kTaskWork = 1 << 20;
/// Bytes of x that one task takes: with a tile of weights they stay in the first-level cache.
constexpr int64_t kBytesOfTask = 28 << 10;
/// Weight rows of one task are a multiple of this, so that tiles stay whole.
constexpr int64_t kTaskRows = 4;

cpu::WeightType type_of(const at::Tensor& weight) {
  if (weight.scalar_type() == at::kFloat) return cpu::WeightType::f32;
  return weight.scalar_type() == at::kBFloat16 ? cpu::WeightType::bf16 : cpu::WeightType::f16;
}

void check_product(const at::Tensor& x, const at::Tensor& weight) {
  require(x.dim() == 2 && weight.dim() == 2 && x.size(1) == weight.size(1) &&
              weight.is_contiguous() && x.scalar_type() == weight.scalar_type(),
          Kind::shape, "product of [{}, {}] {} and [{}, {}] {}, need equal widths and types",
          x.size(0), x.size(-1), c10::toString(x.scalar_type()), weight.size(0), weight.size(-1),
          c10::toString(weight.scalar_type()));
}

/// [rows, width rounded up to kLanes] f32
at::Tensor padded_rows(const at::Tensor& x) {
  const int64_t width = x.size(1), padded = divide_up(width, cpu::kLanes) * cpu::kLanes;
  const auto wide = x.to(at::kFloat);
  return (padded == width ? wide : at::constant_pad_nd(wide, {0, padded - width})).contiguous();
}

/// As pack_bf16_rows leaves it.
at::Tensor packed_bf16_rows(const at::Tensor& x) {
  const int64_t count = x.size(0), width = x.size(1);
  const int64_t padded = divide_up(width, cpu::kBf16Lanes) * cpu::kBf16Lanes;
  const auto rows = x.contiguous();
  if (count == 1 && padded == width) return rows;
  auto packed = at::empty({count, padded}, x.options());
  cpu::pack_bf16_rows(static_cast<const uint16_t*>(rows.const_data_ptr()), count, width, padded,
                      static_cast<uint16_t*>(packed.data_ptr()));
  return packed;
}

/// A task's part of the product.
struct Block {
  int64_t row, rows, output, outputs;
};

/// Whole tiles of rows, so that only the last of all is smaller.
int64_t rows_of_task(int64_t row_bytes) {
  return std::max(cpu::kMostRows, kBytesOfTask / row_bytes / cpu::kMostRows * cpu::kMostRows);
}

/// Calls multiply(block) for all of them, on all threads. Blocks of the same outputs come one after
/// the other, so that their weights are in the processor's cache.
template <class Multiply>
void for_blocks(const at::Tensor& x, const at::Tensor& weight, const Multiply& multiply) {
  const int64_t rows = x.size(0), outputs = weight.size(0);
  const int64_t task_rows = rows_of_task(x.size(1) * static_cast<int64_t>(x.itemsize()));
  const int64_t work = std::max<int64_t>(1, std::min(rows, task_rows) * x.size(1));
  const int64_t task_outputs = std::max(kTaskRows, kTaskWork / work / kTaskRows * kTaskRows);
  const int64_t row_blocks = divide_up(rows, task_rows);
  parallel_tasks(row_blocks * divide_up(outputs, task_outputs), [&](int64_t task) {
    const int64_t row = task % row_blocks * task_rows;
    const int64_t output = task / row_blocks * task_outputs;
    multiply(Block{row, std::min(task_rows, rows - row), output,
                   std::min(task_outputs, outputs - output)});
  });
}

}  // namespace

at::Tensor row_product(const at::Tensor& x, const at::Tensor& weight) {
  check_product(x, weight);
  if (!x.is_cpu()) return at::linear(x, weight).to(at::kFloat);
  const int64_t count = x.size(0), width = x.size(1), outputs = weight.size(0);
  auto product = at::empty({count, outputs}, x.options().dtype(at::kFloat));  // [rows, out]
  float* to = product.mutable_data_ptr<float>();
  if (x.scalar_type() == at::kBFloat16 && cpu::has_bf16_products()) {
    const auto packed = packed_bf16_rows(x);
    const int64_t padded = packed.size(1);
    const auto* own = static_cast<const uint16_t*>(packed.const_data_ptr());
    const auto* from = static_cast<const uint16_t*>(weight.const_data_ptr());
    for_blocks(x, weight, [&](const Block& b) {
      cpu::multiply_bf16_rows({own + b.row * padded, b.rows, width, padded},
                              from + b.output * width, b.outputs, to + b.row * outputs + b.output,
                              outputs);
    });
    return product;
  }
  const auto wide = padded_rows(x);
  const int64_t padded = wide.size(1);
  const auto* own = wide.const_data_ptr<float>();
  const auto* from = static_cast<const char*>(weight.const_data_ptr());
  for_blocks(wide, weight, [&](const Block& b) {
    cpu::multiply_rows({own + b.row * padded, b.rows, width, padded},
                       from + b.output * width * weight.element_size(), type_of(weight), b.outputs,
                       to + b.row * outputs + b.output, outputs);
  });
  return product;
}

}  // namespace kvcal
