// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/compact_cache.hpp"

#include <ATen/ATen.h>

#include <cstring>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

CompactLayer empty_layer(int64_t kv_heads, int64_t head_dim, const at::TensorOptions& options) {
  return {at::empty({0, head_dim}, options), at::empty({0, head_dim}, options), at::Tensor(),
          at::zeros({kv_heads + 1}, at::kLong)};
}

/// Rows of `from` over those of `to` from `first` on. Both [kv_heads, tokens, head_dim]. A decode
/// step copies one row for each layer and variant, where operators would cost more than the bytes.
void copy_rows(const at::Tensor& from, int64_t first, const at::Tensor& to) {
  const int64_t count = from.size(1);
  const bool is_plain = from.is_cpu() && to.is_cpu() && from.scalar_type() == to.scalar_type() &&
                        from.stride(2) == 1 && from.size(0) == to.size(0) &&
                        from.size(2) == to.size(2);
  if (!is_plain) {
    to.narrow(1, first, count).copy_(from);
    return;
  }
  const auto size = static_cast<int64_t>(from.itemsize());
  const auto* source = static_cast<const char*>(from.const_data_ptr());
  auto* target = static_cast<char*>(to.mutable_data_ptr());
  for (int64_t head = 0; head < from.size(0); ++head) {
    for (int64_t row = 0; row < count; ++row) {
      std::memcpy(target + (head * to.stride(0) + (first + row) * to.stride(1)) * size,
                  source + (head * from.stride(0) + row * from.stride(1)) * size,
                  static_cast<size_t>(from.size(2) * size));
    }
  }
}

}  // namespace

int64_t CompactLayer::bytes() const {
  const int64_t entry_bytes =
      keys.size(1) * static_cast<int64_t>(keys.itemsize() + values.itemsize());
  return total_kept() * entry_bytes + (bias.defined() ? static_cast<int64_t>(bias.nbytes()) : 0);
}

CompactLayer CompactLayer::with_own_entries() const {
  if (!rows.defined()) return *this;
  return {keys.index_select(0, rows), values.index_select(0, rows), bias, offsets};
}

CompactCache::CompactCache(int64_t layers, int64_t kv_heads, int64_t head_dim,
                           int64_t tail_capacity, const at::TensorOptions& options)
    : CompactCache(std::vector<CompactLayer>(static_cast<size_t>(layers),
                                             empty_layer(kv_heads, head_dim, options)),
                   0, tail_capacity) {}

CompactCache::CompactCache(std::vector<CompactLayer> prefix, int64_t original_tokens,
                           int64_t tail_capacity)
    : original_tokens_(original_tokens), tail_capacity_(tail_capacity), prefix_(std::move(prefix)) {
  require(!prefix_.empty(), Kind::internal, "a cache needs at least one layer");
  kv_heads_ = prefix_.front().offsets.size(0) - 1;
  head_dim_ = prefix_.front().keys.size(1);
  for (const auto& layer : prefix_) {
    tail_keys_.push_back(at::empty({kv_heads_, tail_capacity, head_dim_}, layer.keys.options()));
    tail_values_.push_back(at::empty({kv_heads_, tail_capacity, head_dim_}, layer.keys.options()));
  }
}

int64_t CompactCache::prefix_bytes() const {
  int64_t bytes = 0;
  for (const auto& layer : prefix_) bytes += layer.bytes();
  return bytes;
}

void CompactCache::append(int64_t layer, const at::Tensor& keys, const at::Tensor& values) {
  const int64_t count = keys.size(1);
  require(tail_tokens_ + count <= tail_capacity_, Kind::internal,
          "cache tail holds {} of {} tokens, no room for {} more", tail_tokens_, tail_capacity_,
          count);
  const auto index = static_cast<size_t>(layer);
  copy_rows(keys, tail_tokens_, tail_keys_[index]);
  copy_rows(values, tail_tokens_, tail_values_[index]);
}

void CompactCache::commit(int64_t new_tokens) {
  tail_tokens_ += new_tokens;
}

void CompactCache::truncate_tail(int64_t tokens) {
  require(tokens >= 0 && tokens <= tail_tokens_, Kind::internal, "cannot cut a tail of {} to {}",
          tail_tokens_, tokens);
  tail_tokens_ = tokens;
}

void CompactCache::take_over(const CompactCache& other, int64_t tokens) {
  require(tail_tokens_ == 0 && original_tokens_ == 0 && other.original_tokens_ == 0 &&
              tokens <= other.tail_tokens_,
          Kind::internal, "cannot take over {} of {} tokens into a cache that holds {}", tokens,
          other.tail_tokens_, next_position());
  for (int64_t l = 0; l < layers(); ++l) {
    append(l, other.tail_keys(l).narrow(1, 0, tokens), other.tail_values(l).narrow(1, 0, tokens));
  }
  commit(tokens);
}

CacheLayer CompactCache::layer(int64_t layer, int64_t pending) const {
  const auto index = static_cast<size_t>(layer);
  return {prefix_[index], tail_keys_[index].narrow(1, 0, tail_tokens_ + pending),
          tail_values_[index].narrow(1, 0, tail_tokens_ + pending)};
}

at::Tensor CompactCache::tail_keys(int64_t layer) const {
  return tail_keys_[static_cast<size_t>(layer)].narrow(1, 0, tail_tokens_);
}

at::Tensor CompactCache::tail_values(int64_t layer) const {
  return tail_values_[static_cast<size_t>(layer)].narrow(1, 0, tail_tokens_);
}

void CompactCache::replace_prefix(int64_t layer, CompactLayer prefix) {
  prefix_[static_cast<size_t>(layer)] = std::move(prefix);
}

CompactCache CompactCache::fork(int64_t tail_capacity) const {
  return CompactCache(prefix_, original_tokens_, tail_capacity);
}

CompactCache CompactCache::branch(int64_t tail_capacity) const {
  CompactCache copy = fork(tail_capacity);
  for (int64_t l = 0; l < layers() && tail_tokens_ > 0; ++l) {
    copy.append(l, tail_keys(l), tail_values(l));
  }
  copy.commit(tail_tokens_);
  return copy;
}

CompactCache CompactCache::with_own_entries() && {
  for (auto& layer : prefix_) layer = layer.with_own_entries();
  return std::move(*this);
}

CompactCache CompactCache::sealed(int64_t tail_capacity, int64_t tokens) const {
  require(original_tokens_ == 0, Kind::internal, "only a freshly prefilled cache can be sealed");
  require(tokens >= 0 && tokens <= tail_tokens_, Kind::internal, "cannot seal {} tokens of {}",
          tokens, tail_tokens_);
  std::vector<CompactLayer> prefix;
  const auto offsets = at::arange(kv_heads_ + 1, at::kLong) * tokens;
  for (int64_t l = 0; l < layers(); ++l) {
    prefix.push_back({tail_keys(l).narrow(1, 0, tokens).reshape({-1, head_dim_}),
                      tail_values(l).narrow(1, 0, tokens).reshape({-1, head_dim_}), at::Tensor(),
                      offsets});
  }
  return CompactCache(std::move(prefix), tokens, tail_capacity);
}

}  // namespace kvcal
