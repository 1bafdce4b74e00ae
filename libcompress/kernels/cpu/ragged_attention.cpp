// SPDX-License-Identifier: Apache-2.0
// Splits ragged attention into tasks (KV head x block of new tokens x part of the entries), runs
// them on all cores and merges the parts of a row by their softmax maxima. How the work is split
// depends on shapes only, never on the number of threads: same bytes on any of them.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/backend.hpp"
#include "kernels/cpu/attend_tile.hpp"
#include "kernels/cpu/bf16_product.hpp"
#include "kvcal/compress/parallel.hpp"

namespace kvcal::cpu {
namespace {

/// Query rows of one task, about: 64 rows of 64 numbers fit the first-level cache with a tile of
/// entries.
constexpr int64_t kTaskRows = 64;
/// Entries of one task while there are few tasks: enough that the merge costs nothing.
constexpr int64_t kTaskEntries = 1024;
/// From this many tasks on, entries are not split.
constexpr int64_t kEnoughTasks = 32;
/// Multiplications below which a second thread costs more than it brings.
constexpr int64_t kSerialWork = 1 << 18;

/// How a call is cut into tasks. Task index = (kv_head * token_blocks + token_block) * parts +
/// part.
struct Plan {
  int64_t group, new_tokens, kv_heads, tail_tokens;
  int64_t block_tokens, token_blocks, parts, part_entries;

  Plan(const at::Tensor& queries, const CacheLayer& cache)
      : group(queries.size(0) / cache.kv_heads()),
        new_tokens(queries.size(1)),
        kv_heads(cache.kv_heads()),
        tail_tokens(cache.tail_tokens()) {
    block_tokens = std::max<int64_t>(1, kTaskRows / group);
    token_blocks = divide_up(new_tokens, block_tokens);
    const int64_t* offsets = cache.prefix.offsets.const_data_ptr<int64_t>();
    int64_t longest = 0;
    for (int64_t k = 0; k < kv_heads; ++k) longest = std::max(longest, offsets[k + 1] - offsets[k]);
    const int64_t entries = longest + tail_tokens;
    const bool is_split = kv_heads * token_blocks < kEnoughTasks;
    part_entries = is_split ? std::min(kTaskEntries, entries) : entries;
    parts = divide_up(entries, part_entries);
  }

  int64_t tasks() const { return kv_heads * token_blocks * parts; }
  int64_t first_token(int64_t block) const { return block * block_tokens; }
  int64_t tokens_of(int64_t block) const {
    return std::min(block_tokens, new_tokens - first_token(block));
  }
};

using Attend = void (*)(const Entries&, Rows&);

Attend attend_for(at::ScalarType dtype, int64_t head_dim) {
  if (dtype == at::kFloat) return attend_f32;
  if (dtype == at::kHalf) return attend_f16;
  return has_bf16_products() && head_dim % 32 == 0 ? attend_bf16_pairs : attend_bf16;
}

/// Rows of a block are ordered head of the group, then token.
template <class T>
void load_queries(const at::Tensor& queries, int64_t first_head, int64_t first_token,
                  int64_t tokens, Rows& rows) {
  for (int64_t row = 0; row < rows.count(); ++row) {
    const T* from = queries.const_data_ptr<T>() + (first_head + row / tokens) * queries.stride(0) +
                    (first_token + row % tokens) * queries.stride(1);
    float* to = rows.queries(row);
    for (int64_t d = 0; d < rows.head_dim(); ++d) to[d] = static_cast<float>(from[d]);
  }
}

const void* at_row(const at::Tensor& tensor, int64_t element) {
  return static_cast<const char*>(tensor.const_data_ptr()) + element * tensor.element_size();
}

/// Entries begin .. end - 1 of the prefix of one KV head.
Entries prefix_part(const CompactLayer& prefix, int64_t kv_head, int64_t begin, int64_t end) {
  const int64_t* offsets = prefix.offsets.const_data_ptr<int64_t>();
  const int64_t count = std::min(end, offsets[kv_head + 1] - offsets[kv_head]) - begin;
  if (count <= 0) return {};
  const int64_t row = offsets[kv_head] + begin;
  const float* bias = prefix.bias.defined() ? prefix.bias.const_data_ptr<float>() + row : nullptr;
  if (prefix.rows.defined()) {
    return {prefix.keys.const_data_ptr(), prefix.values.const_data_ptr(), bias,
            prefix.rows.const_data_ptr<int32_t>() + row, count};
  }
  const int64_t element = row * prefix.keys.size(1);
  return {at_row(prefix.keys, element), at_row(prefix.values, element), bias, nullptr, count};
}

Entries tail_part(const CacheLayer& cache, int64_t kv_head, int64_t begin, int64_t end) {
  const int64_t count = std::min(end, cache.tail_tokens()) - begin;
  if (count <= 0) return {};
  const auto element = [&](const at::Tensor& t) {
    return kv_head * t.stride(0) + begin * t.stride(1);
  };
  return {at_row(cache.tail_keys, element(cache.tail_keys)),
          at_row(cache.tail_values, element(cache.tail_values)), nullptr, nullptr, count};
}

template <class T>
Rows run_task(const at::Tensor& queries, const CacheLayer& cache, float scale, const Plan& plan,
              int64_t task) {
  const int64_t part = task % plan.parts, block = task / plan.parts % plan.token_blocks;
  const int64_t kv_head = task / plan.parts / plan.token_blocks;
  const int64_t tokens = plan.tokens_of(block);
  Rows rows(plan.group, tokens, queries.size(2));
  load_queries<T>(queries, kv_head * plan.group, plan.first_token(block), tokens, rows);
  rows.scale = scale;

  const int64_t* offsets = cache.prefix.offsets.const_data_ptr<int64_t>();
  const int64_t kept = offsets[kv_head + 1] - offsets[kv_head];
  const int64_t begin = part * plan.part_entries, end = begin + plan.part_entries;
  const auto attend = attend_for(queries.scalar_type(), rows.head_dim());
  rows.first_visible = plan.part_entries;
  attend(prefix_part(cache.prefix, kv_head, begin, end), rows);

  // The tail follows the prefix: its part begins where the prefix of this KV head ends.
  const int64_t tail_begin = std::max<int64_t>(0, begin - kept);
  const int64_t before_new = plan.tail_tokens - plan.new_tokens;
  rows.first_visible = before_new + plan.first_token(block) + 1 - tail_begin;
  rows.more_a_token = 1;
  attend(tail_part(cache, kv_head, tail_begin, end - kept), rows);
  return rows;
}

/// output = sum_p exp(max_p - max) output_p / sum_p exp(max_p - max) sum_p over the parts of one
/// row.
/// @param merged  [padded_dim] room
template <class T>
void merge_row(std::span<const Rows> parts, int64_t row, std::span<float> merged, T* out) {
  float maximum = -std::numeric_limits<float>::infinity();
  for (const Rows& part : parts) maximum = std::max(maximum, part.maximum(row));
  std::ranges::fill(merged, 0.0F);
  float sum = 0;
  for (const Rows& part : parts) {
    if (part.sum(row) == 0) continue;  // saw nothing: its maximum is -inf
    const float rise = part.maximum(row) - maximum;
    const float weight = rise == 0 ? 1 : std::exp(rise);
    sum += weight * part.sum(row);
    const float* from = part.output(row);
    for (size_t d = 0; d < merged.size(); ++d) merged[d] += weight * from[d];
  }
  for (int64_t d = 0; d < parts.front().head_dim(); ++d) {
    out[d] = static_cast<T>(merged[static_cast<size_t>(d)] / sum);
  }
}

/// One sequence: what it asks, how it is cut, and the parts of its answer.
struct Call {
  const at::Tensor& queries;
  const CacheLayer& cache;
  Plan plan;
  std::vector<Rows> parts;

  Call(const at::Tensor& queries_, const CacheLayer& cache_)
      : queries(queries_),
        cache(cache_),
        plan(queries_, cache_),
        parts(static_cast<size_t>(plan.tasks()), Rows(0, 1, queries_.size(2))) {}

  int64_t work() const {
    return queries.numel() * (cache.prefix.total_kept() / plan.kv_heads + plan.tail_tokens);
  }
};

template <class T>
at::Tensor merge_parts(const Call& call) {
  const Plan& plan = call.plan;
  const int64_t new_tokens = call.queries.size(1), head_dim = call.queries.size(2);
  auto output = at::empty(call.queries.sizes(),
                          call.queries.options().memory_format(at::MemoryFormat::Contiguous));
  T* out = output.mutable_data_ptr<T>();
  std::vector<float> merged(static_cast<size_t>(call.parts.front().padded_dim()));
  for (int64_t block = 0; block < plan.kv_heads * plan.token_blocks; ++block) {
    const int64_t first_head = block / plan.token_blocks * plan.group;
    const int64_t first_token = plan.first_token(block % plan.token_blocks);
    const int64_t tokens = plan.tokens_of(block % plan.token_blocks);
    const auto parts =
        std::span(call.parts)
            .subspan(static_cast<size_t>(block * plan.parts), static_cast<size_t>(plan.parts));
    for (int64_t row = 0; row < plan.group * tokens; ++row) {
      const int64_t place = (first_head + row / tokens) * new_tokens + first_token + row % tokens;
      merge_row(parts, row, merged, out + place * head_dim);
    }
  }
  return output;
}

template <class T>
std::vector<at::Tensor> attend_all(std::span<const at::Tensor> queries,
                                   std::span<const CacheLayer> caches, double scale) {
  std::vector<Call> calls;
  std::vector<std::pair<size_t, int64_t>> tasks;  // call, task of it
  int64_t work = 0;
  calls.reserve(queries.size());
  for (size_t i = 0; i < queries.size(); ++i) {
    calls.emplace_back(queries[i], caches[i]);
    work += calls.back().work();
  }
  // By KV head first: variants of one prompt may refer to the same entries, and the second one
  // finds them in the processor's cache.
  for (int64_t k = 0; k < caches.front().kv_heads(); ++k) {
    for (size_t i = 0; i < calls.size(); ++i) {
      const int64_t of_head = calls[i].plan.tasks() / calls[i].plan.kv_heads;
      for (int64_t task = 0; task < of_head; ++task) tasks.emplace_back(i, k * of_head + task);
    }
  }
  const auto run = [&](int64_t index) {
    const auto [i, task] = tasks[static_cast<size_t>(index)];
    Call& call = calls[i];
    call.parts[static_cast<size_t>(task)] =
        run_task<T>(call.queries, call.cache, static_cast<float>(scale), call.plan, task);
  };
  const auto count = static_cast<int64_t>(tasks.size());
  if (work < kSerialWork) {
    for (int64_t index = 0; index < count; ++index) run(index);
  } else {
    parallel_tasks(count, run);
  }
  std::vector<at::Tensor> outputs;
  for (const Call& call : calls) outputs.push_back(merge_parts<T>(call));
  return outputs;
}

}  // namespace

std::vector<at::Tensor> ragged_attention(std::span<const at::Tensor> queries,
                                         std::span<const CacheLayer> caches, double scale) {
  if (queries.empty()) return {};
  const auto dtype = queries.front().scalar_type();
  if (dtype == at::kFloat) return attend_all<float>(queries, caches, scale);
  if (dtype == at::kBFloat16) return attend_all<at::BFloat16>(queries, caches, scale);
  return attend_all<at::Half>(queries, caches, scale);
}

}  // namespace kvcal::cpu
