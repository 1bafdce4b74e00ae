// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include "kv_inspect/commands.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/logits_file.hpp"
#include "kvcal/profile/model.hpp"
#include "kvcal/profile/tokenizer.hpp"
#include "shared/app.hpp"
#include "shared/table.hpp"

namespace kvcal {
namespace {

struct LogitsFlags {
  std::string directory, output;
  std::string dtype = "auto", device = "cpu";
  bool is_force = false;
};

int write_logits(const LogitsFlags& flags) {
  require(flags.is_force || !std::filesystem::exists(flags.output), Kind::config,
          "{} exists: --force replaces it", flags.output);
  const auto tokenizer = Tokenizer::load(flags.directory);
  const auto ids = tokenizer.encode(read_stdin());
  require(!ids.empty(), Kind::input, "stdin: no text");
  const auto model = Model::load(flags.directory, {flags.device, flags.dtype});
  auto cache = model.make_cache(static_cast<int64_t>(ids.size()));
  const auto logits = model.forward(ids, cache, LogitsWanted::all);  // [tokens, vocab]
  save_logits(flags.output, ids, logits);
  print_result(fmt::format("{} tokens, logits [{}, {}] f32 ({}) in {}\n", ids.size(),
                           logits.size(0), logits.size(1),
                           format_bytes(static_cast<double>(logits.nbytes())), flags.output));
  return kDone;
}

}  // namespace

void add_logits_command(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("logits", "full-cache logits of the text on stdin, to HDF5");
  auto flags = std::make_shared<LogitsFlags>();
  command->add_option("DIR", flags->directory, "model directory")->required();
  command->add_option("--output", flags->output, "HDF5 file: /tokens, /logits")->required();
  command->add_option("--dtype", flags->dtype, "auto, f32, bf16 or f16")
      ->check(CLI::IsMember({"auto", "f32", "bf16", "f16"}))
      ->capture_default_str();
  command->add_option("--device", flags->device, "cpu or cuda:N")->capture_default_str();
  command->add_flag("--force", flags->is_force, "replace an existing file");
  command->callback([&chosen, flags] { chosen = [flags] { return write_logits(*flags); }; });
}

}  // namespace kvcal
