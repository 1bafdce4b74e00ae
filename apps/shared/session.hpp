// SPDX-License-Identifier: Apache-2.0
// The model, its tokenizer and chat format, opened together and checked against a profile.
#pragma once

#include <optional>
#include <string>

#include "kvcal/profile/chat_format.hpp"
#include "kvcal/profile/launch.hpp"
#include "kvcal/profile/model.hpp"
#include "kvcal/profile/profile.hpp"
#include "kvcal/profile/tokenizer.hpp"
#include "shared/flags.hpp"

namespace kvcal {

/// Cheap parts first: a wrong path or profile is told before the weights are read.
class Session {
 public:
  /// @param launch  says which device `cuda` is
  Session(const SharedFlags& flags, const Launch& launch);

  const ModelConfig& config() const { return config_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  const ChatFormat& chat() const { return chat_; }
  const ModelIdentity& identity() const { return identity_; }

  /// @throws Error{input} the profile is of another model
  Profile load_profile(const std::string& file) const;

  /// Loads the weights on first use.
  const Model& model();
  std::string dtype_name();
  /// Of a number in weights and KV entries, as --dtype says; `auto` counts as two before the
  /// weights are loaded.
  int64_t element_bytes() const;

 private:
  const SharedFlags& flags_;
  std::string device_;
  ModelConfig config_;
  Tokenizer tokenizer_;
  ChatFormat chat_;
  ModelIdentity identity_;
  std::optional<Model> model_;
};

}  // namespace kvcal
