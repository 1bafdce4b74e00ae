// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/logits_file.hpp"

#include <ATen/ATen.h>

#include <vector>

#include "store/hdf5.hpp"

namespace kvcal {

void save_logits(const std::filesystem::path& file, std::span<const int64_t> ids,
                 const at::Tensor& logits) {
  Hdf5Writer writer(file);
  writer.write_attribute<std::string>("/", "format", "kvcal.logits/1");
  writer.write<int32_t>("/tokens", std::vector<int32_t>(ids.begin(), ids.end()),
                        {static_cast<int64_t>(ids.size())});
  const auto rows = logits.to(at::kCPU).contiguous();  // [tokens, vocab]
  writer.write<float>("/logits",
                      std::span(rows.const_data_ptr<float>(), static_cast<size_t>(rows.numel())),
                      {rows.size(0), rows.size(1)});
  writer.finish();
}

}  // namespace kvcal
