// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "kvcal/profile/identify.hpp"
#include "store/hdf5.hpp"

namespace kvcal {

void write_trial(Hdf5Writer& file, const TrialResult& result, int64_t layers, int64_t heads) {
  file.write_scalar<std::string>("/prompt_sha256", result.prompt_sha256);
  file.write_scalar<std::string>("/reply", result.reply);
  file.write_scalar<int64_t>("/prompt_tokens", result.prompt_tokens);
  file.write_scalar<double>("/recall", result.recall);
  file.write_scalar<int32_t>("/has_passed", result.has_passed);
  file.write_scalar<int32_t>("/has_span", result.has_span);
  for (const auto& [kind, scores] : result.scores) {
    file.write<float>("/scores/" + kind, scores, {layers, heads});
  }
}

TrialResult read_trial(const Hdf5Reader& file, int64_t layers, int64_t heads) {
  TrialResult result;
  result.prompt_sha256 = file.read_scalar<std::string>("/prompt_sha256");
  result.reply = file.read_scalar<std::string>("/reply");
  result.prompt_tokens = file.read_scalar<int64_t>("/prompt_tokens");
  result.recall = file.read_scalar<double>("/recall");
  result.has_passed = file.read_scalar<int32_t>("/has_passed") != 0;
  result.has_span = file.read_scalar<int32_t>("/has_span") != 0;
  for (const auto kind : kHeadKinds) {
    result.scores[std::string(kind)] =
        file.read<float>(fmt::format("/scores/{}", kind), {layers, heads});
  }
  return result;
}

}  // namespace kvcal
