// SPDX-License-Identifier: Apache-2.0
#include "shared/session.hpp"

#include <ATen/ATen.h>
#include <spdlog/spdlog.h>

namespace kvcal {

Session::Session(const SharedFlags& flags, const Launch& launch)
    : flags_(flags),
      device_(device_of(launch, flags.device)),
      config_(read_model_config(flags.model)),
      tokenizer_(Tokenizer::load(flags.model)),
      chat_(flags.chat_format.empty() ? ChatFormat::for_model(flags.model, config_)
                                      : ChatFormat::named(flags.chat_format)),
      identity_(identify_model(flags.model, config_)) {
  require(tokenizer_.vocab_size() <= config_.vocab, Kind::input,
          "{}: the tokenizer has ids up to {}, the model a vocabulary of {}", flags.model,
          tokenizer_.vocab_size() - 1, config_.vocab);
}

Profile Session::load_profile(const std::string& file) const {
  Profile profile = Profile::load(file);
  require_same_model(profile.model, identity_, file);
  return profile;
}

const Model& Session::model() {
  if (!model_) {
    model_.emplace(Model::load(flags_.model, {device_, flags_.dtype}));
    spdlog::debug("{}: {} layers, {} heads on {} KV heads, {} weights", config_.name,
                  config_.layers, config_.heads, config_.kv_heads, dtype_name());
  }
  return *model_;
}

int64_t Session::element_bytes() const {
  if (model_) return model_->element_bytes();
  return flags_.dtype == "f32" ? 4 : 2;
}

std::string Session::dtype_name() {
  switch (model().cache_options().dtype().toScalarType()) {
    case at::kFloat:
      return "f32";
    case at::kBFloat16:
      return "bf16";
    case at::kHalf:
      return "f16";
    default:
      return "unknown";
  }
}

}  // namespace kvcal
