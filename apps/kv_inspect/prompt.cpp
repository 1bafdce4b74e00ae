// SPDX-License-Identifier: Apache-2.0
#include "kv_inspect/commands.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/engine.hpp"
#include "shared/app.hpp"
#include "shared/flags.hpp"

namespace kvcal {
namespace {

struct PromptFlags {
  std::string directory, task;
  std::vector<std::string> task_params;
  int64_t sample = 1;
  int64_t seed = 0;
};

int show_prompt(const PromptFlags& flags) {
  const auto config = read_model_config(flags.directory);
  const auto tokenizer = Tokenizer::load(flags.directory);
  const auto chat = ChatFormat::for_model(flags.directory, config);
  const auto task =
      open_task(flags.task, {tokenizer, chat, config.max_tokens, static_cast<uint64_t>(flags.seed)},
                parse_task_params(flags.task_params));
  require(flags.sample >= 1 && flags.sample <= task->size(), Kind::config,
          "--sample {}, but {} has samples 1 .. {}", flags.sample, flags.task, task->size());
  const Sample sample = task->sample(flags.sample - 1);
  const auto tokens = tokenize_prompt(sample, chat, tokenizer, Visibility::aware).total();
  std::string text =
      fmt::format("{} '{}', {} of {}: {} prompt tokens, at most {} new ones, {}, scored by {}\n",
                  flags.task, sample.id, flags.sample, task->size(), tokens, sample.max_new_tokens,
                  sample.chat ? "chat format " + chat.name() : "bare text", sample.metric);
  const auto add = [&text](std::string_view part, const std::string& content) {
    if (!content.empty()) text += fmt::format("-- {}\n{}\n", part, content);
  };
  add("context", sample.context);
  add("question", sample.question);
  add("start of the reply", sample.answer_prefix);
  for (const auto& reference : sample.references) add("reference", reference);
  print_result(text);
  return kDone;
}

}  // namespace

void add_prompt_command(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("prompt", "a prompt of a task, in its parts");
  auto flags = std::make_shared<PromptFlags>();
  command->add_option("DIR", flags->directory, "model directory")->required();
  command->add_option("TASK", flags->task, "as --tasks of kv-eval")->required();
  command->add_option("--sample", flags->sample, "its number")->capture_default_str();
  command->add_option("--task-param", flags->task_params, "key=value for the task");
  command->add_option("--seed", flags->seed, "of everything that is drawn")->capture_default_str();
  command->callback([&chosen, flags] { chosen = [flags] { return show_prompt(*flags); }; });
}

}  // namespace kvcal
