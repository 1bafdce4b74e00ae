// SPDX-License-Identifier: Apache-2.0
// ChatFormat: how a model family wraps a user turn, read from configs/models/<family>.yaml:
//
//   name: smollm2
//   match:                       all that is given must hold, except that either `contains`
//   suffices
//     model_type: llama          of config.json
//     template_contains: SmolLM  part of the model's own chat template
//     template_lacks: tools      what that template does not have
//     name_contains: SmolLM2     part of the directory's name
//     has_template: false        the model brings no chat template (base models)
//   prefix: "<|im_start|>user\n"
//   suffix: "<|im_end|>\n<|im_start|>assistant\n"
//   adds_special_tokens: false   default; true where prefix does not spell the BOS token itself
//   trims_message: false         default; true where the template strips white space around it
//
// A format that names more conditions wins over one that names fewer.
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

  /// The format in configs/models whose `match` fits the model.
  /// @throws Error{config} none fits, or two fit equally; lists the known ones
  static ChatFormat for_model(const std::filesystem::path& model_directory,
                              const ModelConfig& config);

  /// @param spec  name in configs/models, or a path ending in .yaml
  /// @throws Error{config} unknown name (lists the known ones and the nearest), or as `load`
  static ChatFormat named(std::string_view spec);

  const std::string& name() const { return name_; }
  /// Text before and after the user's message.
  const std::string& prefix() const { return prefix_; }
  const std::string& suffix() const { return suffix_; }
  /// The whole prompt: prefix, message (trimmed, if so the format), suffix.
  std::string wrap(std::string_view message) const;
  /// The same for a message in two parts, neither of them blank: wrap(a + b) = open(a) + close(b).
  std::string open(std::string_view start_of_message) const;
  std::string close(std::string_view end_of_message) const;
  /// What Tokenizer::encode must be told for a wrapped prompt, so that no BOS comes twice.
  bool adds_special_tokens() const { return adds_special_tokens_; }

 private:
  std::string name_, prefix_, suffix_;
  bool adds_special_tokens_ = false, trims_message_ = false;
};

}  // namespace kvcal
