// SPDX-License-Identifier: Apache-2.0
/// Gather: the chosen entries.
///
/// Source   what all eviction methods do.
/// Rule     keys and values of the chosen tokens, unchanged; an entry that stands for others since
///          an earlier compaction keeps its bias.
/// Differs  the entries stay in the prompt's cache, and attention reads those alone that are named:
///          40 variants of a prompt take little more memory than one, and find what they read in
///          the processor's cache. CompactLayer::with_own_entries copies them.
/// Checked  unit/gather_test.cpp.
#include <ATen/ATen.h>

#include "kvcal/compress/compactor.hpp"
#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

void check_shapes(const at::Tensor& keys, const at::Tensor& values, const KeepSet& keep) {
  require(
      keys.dim() == 3 && values.sizes() == keys.sizes(), Kind::shape,
      "keys and values have {} and {} dimensions, need equal shapes [kv_heads, tokens, head_dim]",
      keys.dim(), values.dim());
  require(keep.kv_heads() == keys.size(0), Kind::shape, "keep set of {} KV heads for keys of {}",
          keep.kv_heads(), keys.size(0));
  if (keep.total() == 0) return;
  const int64_t first = keep.indices.min().item<int64_t>(),
                last = keep.indices.max().item<int64_t>();
  require(first >= 0 && last < keys.size(1), Kind::shape, "kept tokens span {} .. {}, need 0 .. {}",
          first, last, keys.size(1) - 1);
}

}  // namespace

at::Tensor gather_bias(const at::Tensor& bias, const KeepSet& keep) {
  std::vector<at::Tensor> parts;
  for (int64_t k = 0; k < keep.kv_heads(); ++k) {
    parts.push_back(bias[k].index_select(0, keep.of_head(k).to(bias.device())));
  }
  return at::cat(parts);
}

CompactLayer gather(const at::Tensor& keys, const at::Tensor& values, const KeepSet& keep) {
  check_shapes(keys, values, keep);
  const int64_t head_dim = keys.size(2);
  CompactLayer layer{at::empty({keep.total(), head_dim}, keys.options()),
                     at::empty({keep.total(), head_dim}, values.options()), at::Tensor(),
                     keep.offsets.clone()};
  const int64_t* offsets = keep.offsets.const_data_ptr<int64_t>();
  for (int64_t k = 0; k < keep.kv_heads(); ++k) {
    const int64_t kept = offsets[k + 1] - offsets[k];
    const auto index = keep.of_head(k).to(keys.device());
    auto kept_keys = layer.keys.narrow(0, offsets[k], kept);      // [kept, head_dim]
    auto kept_values = layer.values.narrow(0, offsets[k], kept);  // [kept, head_dim]
    at::index_select_out(kept_keys, keys[k], 0, index);
    at::index_select_out(kept_values, values[k], 0, index);
  }
  return layer;
}

namespace {

/// [kv_heads, tokens, head_dim] as rows of head_dim numbers, from the first KV head's first token
/// to the last one's last; what lies between two KV heads is rows as well.
at::Tensor as_rows(const at::Tensor& entries) {
  const int64_t head_dim = entries.size(2), between = entries.stride(0) / head_dim;
  return entries.as_strided({(entries.size(0) - 1) * between + entries.size(1), head_dim},
                            {head_dim, 1});
}

/// KV heads lie a whole number of rows apart, tokens one.
bool is_made_of_rows(const at::Tensor& entries) {
  return entries.stride(2) == 1 && entries.stride(1) == entries.size(2) &&
         entries.stride(0) % entries.size(2) == 0;
}

}  // namespace

CompactLayer refer(const at::Tensor& keys, const at::Tensor& values, const KeepSet& keep) {
  check_shapes(keys, values, keep);
  if (!is_made_of_rows(keys) || keys.strides() != values.strides()) {
    return gather(keys, values, keep);
  }
  const int64_t between = keys.stride(0) / keys.size(2);
  const int64_t* offsets = keep.offsets.const_data_ptr<int64_t>();
  const int64_t* tokens = keep.indices.const_data_ptr<int64_t>();
  auto rows = at::empty({keep.total()}, at::kInt);
  auto* row = rows.mutable_data_ptr<int32_t>();
  for (int64_t k = 0; k < keep.kv_heads(); ++k) {
    for (int64_t i = offsets[k]; i < offsets[k + 1]; ++i) {
      row[i] = static_cast<int32_t>(k * between + tokens[i]);
    }
  }
  return {as_rows(keys), as_rows(values), at::Tensor(), keep.offsets.clone(),
          rows.to(keys.device())};
}

namespace {

struct Gather final : Compactor {
  struct Params {
    template <class Visitor>
    void visit(Visitor&) {}
  };

  explicit Gather(const Params&) {}

  Needs needs() const override { return {}; }

  CompactLayer compact(const CompactionRequest& request) const override {
    const auto& view = request.view;
    auto layer = refer(view.keys, view.values, request.keep);
    if (view.bias.defined()) layer.bias = gather_bias(view.bias, request.keep);
    return layer;
  }
};

}  // namespace

extern constexpr CompactorInfo compactor_gather =
    describe_compactor<Gather>("gather", "the chosen entries as they are");

}  // namespace kvcal
