// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include "kv_inspect/commands.hpp"
#include "kvcal/profile/chat_format.hpp"
#include "kvcal/profile/profile.hpp"
#include "kvcal/profile/tokenizer.hpp"
#include "shared/app.hpp"
#include "shared/table.hpp"

namespace kvcal {
namespace {

int show_model(const std::string& directory) {
  const auto config = read_model_config(directory);
  const auto tokenizer = Tokenizer::load(directory);
  const auto chat = ChatFormat::for_model(directory, config);
  const auto identity = identify_model(directory, config);
  Table facts({"<", "<"});
  const auto add = [&](const std::string& name, const std::string& value) {
    facts.add({name, value});
  };
  add("name", config.name);
  add("architecture", config.architecture);
  add("layers", std::to_string(config.layers));
  add("heads", fmt::format("{} on {} KV heads (group of {})", config.heads, config.kv_heads,
                           config.group()));
  add("head_dim", std::to_string(config.head_dim));
  add("hidden, intermediate", fmt::format("{}, {}", config.hidden, config.intermediate));
  add("vocabulary", fmt::format("{} (tokenizer {})", config.vocab, tokenizer.vocab_size()));
  add("longest sequence", fmt::format("{} tokens", config.max_tokens));
  add("rope theta", fmt::format("{}", config.rope_theta));
  add("embeddings", config.has_tied_embedding ? "tied" : "untied");
  add("stop ids", fmt::format("{}", fmt::join(config.stop_ids, ", ")));
  add("chat format", chat.name());
  add("sha256 of weights", identity.weights_sha256);

  Table memory({"tokens", "KV cache in bf16", "in f32"});
  for (int64_t tokens : {int64_t{1024}, int64_t{4096}, config.max_tokens}) {
    const auto entries = static_cast<double>(tokens * config.layers * config.kv_heads);
    memory.add({std::to_string(tokens),
                format_bytes(entries * static_cast<double>(config.entry_bytes(2))),
                format_bytes(entries * static_cast<double>(config.entry_bytes(4)))});
  }
  print_result(facts.text().substr(1) + "\n" + memory.text());
  return kDone;
}

}  // namespace

void add_model_command(CLI::App& app, Command& chosen) {
  auto* command =
      app.add_subcommand("model", "geometry, tokenizer, chat format and cache size of a model");
  auto directory = std::make_shared<std::string>();
  command->add_option("DIR", *directory, "model directory")->required();
  command->callback(
      [&chosen, directory] { chosen = [directory] { return show_model(*directory); }; });
}

}  // namespace kvcal
