// SPDX-License-Identifier: Apache-2.0
// ChatFormat: how a model family wraps a user turn, read from configs/models/<family>.yaml.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "kvcal/profile/model.hpp"

namespace kvcal {

class ChatFormat {
 public:
  /// @throws Error{config} unknown key, missing key, not YAML, with the place
  static ChatFormat load(const std::filesystem::path& yaml);

  /// The format in configs/models whose `match` fits the model: architecture and, where several share
  /// one, a substring of the model's chat template or name.
  /// @throws Error{config} none fits; lists the known ones
  static ChatFormat for_model(const std::filesystem::path& model_directory, const ModelConfig& config);

  const std::string& name() const { return name_; }
  /// Text before and after the user's message; the whole prompt is prefix + message + suffix.
  const std::string& prefix() const { return prefix_; }
  const std::string& suffix() const { return suffix_; }
  std::string wrap(std::string_view message) const;

 private:
  std::string name_, prefix_, suffix_;
};

}  // namespace kvcal
