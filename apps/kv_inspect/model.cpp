// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "kv_inspect/commands.hpp"
#include "kv_inspect/prediction.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/chat_format.hpp"
#include "kvcal/profile/memory.hpp"
#include "kvcal/profile/profile.hpp"
#include "kvcal/profile/tokenizer.hpp"
#include "shared/app.hpp"
#include "shared/flags.hpp"
#include "shared/table.hpp"

namespace kvcal {
namespace {

/// What the directory holds beside config.json, which alone suffices for a prediction.
void add_files(const PredictionFlags& flags, const ModelConfig& config, Table& facts) {
  const std::filesystem::path directory = flags.directory;
  const auto has = [&](const char* file) { return std::filesystem::exists(directory / file); };
  const bool has_tokenizer = has("tokenizer.json");
  const bool has_weights = has("model.safetensors") || has("model.safetensors.index.json");
  if (has_tokenizer) {
    facts.add({"tokenizer", fmt::format("{} ids", Tokenizer::load(directory).vocab_size())});
    facts.add({"chat format", ChatFormat::for_model(directory, config).name()});
  }
  if (has_tokenizer && has_weights)
    facts.add({"sha256 of weights", identify_model(directory, config).weights_sha256});
  if (!has_tokenizer || !has_weights)
    facts.add({"not here", has_tokenizer ? "weights"
                           : has_weights ? "tokenizer"
                                         : "tokenizer, weights"});
}

std::string fact_table(const PredictionFlags& flags, const ModelConfig& config) {
  Table facts({"<", "<"});
  const auto add = [&](const std::string& name, const std::string& value) {
    facts.add({name, value});
  };
  const int64_t parameters = parameter_count(config);
  const int64_t entry = config.layers * config.kv_heads * config.entry_bytes(flags.element_bytes());
  add("name", config.name);
  add("architecture", config.architecture);
  add("layers", std::to_string(config.layers));
  add("heads", fmt::format("{} on {} KV heads (group of {})", config.heads, config.kv_heads,
                           config.group()));
  add("head_dim", std::to_string(config.head_dim));
  add("hidden, intermediate", fmt::format("{}, {}", config.hidden, config.intermediate));
  add("vocabulary", std::to_string(config.vocab));
  add("embeddings", config.has_tied_embedding ? "tied" : "untied");
  add("parameters",
      fmt::format("{:.3f} G, {} in {}", 1e-9 * static_cast<double>(parameters),
                  format_bytes(static_cast<double>(parameters * flags.element_bytes())),
                  flags.dtype));
  add("a token's KV entries",
      fmt::format("{} in {}", format_bytes(static_cast<double>(entry)), flags.dtype));
  add("longest sequence",
      fmt::format("{} tokens{}", config.max_tokens,
                  config.max_tokens == config.sliding_window ? ", its sliding window" : ""));
  add("rope theta", fmt::format("{}", config.rope_theta));
  add("stop ids", fmt::format("{}", fmt::join(config.stop_ids, ", ")));
  add_files(flags, config, facts);
  return facts.text().substr(1);
}

/// Without --length: a few that the model takes.
void check_lengths(const ModelConfig& config, PredictionFlags& flags) {
  if (flags.lengths.empty()) {
    flags.new_tokens = std::min(flags.new_tokens, config.max_tokens / 2);
    for (const int64_t tokens : {int64_t{1024}, int64_t{4096}}) {
      if (tokens < config.max_tokens) flags.lengths.push_back(tokens);
    }
    flags.lengths.push_back(config.max_tokens);
  }
  for (const int64_t tokens : flags.lengths) {
    require(tokens > flags.new_tokens && tokens <= config.max_tokens, Kind::config,
            "--length {}: need {} .. {}, the new tokens and what the model takes", tokens,
            flags.new_tokens + 1, config.max_tokens);
  }
}

int show_model(PredictionFlags flags) {
  const auto config = read_model_config(flags.directory);
  check_lengths(config, flags);
  print_result(fact_table(flags, config) + "\n" + prediction_table(flags, config));
  return kDone;
}

}  // namespace

void add_model_command(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand(
      "model", "geometry, tokenizer and chat format of a model; what it takes at some lengths");
  auto flags = std::make_shared<PredictionFlags>();
  command->add_option("DIR", flags->directory, "model directory; config.json alone will do")
      ->required();
  command
      ->add_option("--length", flags->lengths,
                   "tokens to predict for, new ones included, e.g. 32768,131072")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  command->add_option("--device", flags->device,
                      "predict times as well: cpu (this machine, measured now), a name in "
                      "configs/devices, or a YAML file");
  command->add_option("--dtype", flags->dtype, "of weights and entries")
      ->check(CLI::IsMember({"bf16", "f16", "f32"}))
      ->capture_default_str();
  add_list(*command, "--methods", flags->methods, "of the sweep");
  command->add_option("--budgets", flags->budgets, "of the sweep")->capture_default_str();
  command->add_option("--new-tokens", flags->new_tokens, "decoded by each variant")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->callback([&chosen, flags] { chosen = [flags] { return show_model(*flags); }; });
}

}  // namespace kvcal
