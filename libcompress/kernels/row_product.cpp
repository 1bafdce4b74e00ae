// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/row_product.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "kernels/cpu/parallel.hpp"
#include "kernels/cpu/vectors.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"

namespace kvcal {
namespace {

/// Multiplications of one task: less is not worth a second thread.
constexpr int64_t kTaskWork = 1 << 20;
/// Weight rows of one task are a multiple of this, so that tiles stay whole.
constexpr int64_t kTaskRows = 4;

cpu::WeightType type_of(const at::Tensor& weight) {
  if (weight.scalar_type() == at::kFloat) return cpu::WeightType::f32;
  return weight.scalar_type() == at::kBFloat16 ? cpu::WeightType::bf16 : cpu::WeightType::f16;
}

void check(const at::Tensor& x, const at::Tensor& weight) {
  require(x.dim() == 2 && weight.dim() == 2 && x.size(1) == weight.size(1) &&
              weight.is_contiguous() && x.scalar_type() == weight.scalar_type(),
          Kind::shape, "product of [{}, {}] {} and [{}, {}] {}, need equal widths and types",
          x.size(0), x.size(-1), c10::toString(x.scalar_type()), weight.size(0), weight.size(-1),
          c10::toString(weight.scalar_type()));
}

}  // namespace

at::Tensor row_product(const at::Tensor& x, const at::Tensor& weight) {
  check(x, weight);
  if (!x.is_cpu()) return at::linear(x, weight).to(at::kFloat);
  const int64_t width = x.size(1), outputs = weight.size(0);
  const int64_t padded = (width + cpu::kLanes - 1) / cpu::kLanes * cpu::kLanes;
  const auto wide = at::constant_pad_nd(x.to(at::kFloat), {0, padded - width}).contiguous();
  auto product = at::empty({x.size(0), outputs}, wide.options());  // [rows, out]
  const cpu::ProductRows rows{wide.const_data_ptr<float>(), x.size(0), width, padded};
  const auto* from = static_cast<const char*>(weight.const_data_ptr());
  float* to = product.mutable_data_ptr<float>();

  const int64_t work = width * std::max<int64_t>(1, rows.count);
  const int64_t task_outputs =
      std::max(kTaskRows, kTaskWork / std::max<int64_t>(1, work) / kTaskRows * kTaskRows);
  const int64_t tasks = (outputs + task_outputs - 1) / task_outputs;
  cpu::parallel_tasks(tasks, [&](int64_t task) {
    const int64_t first = task * task_outputs;
    cpu::multiply_rows(rows, from + first * width * weight.element_size(), type_of(weight),
                       std::min(task_outputs, outputs - first), to + first, outputs);
  });
  return product;
}

}  // namespace kvcal
