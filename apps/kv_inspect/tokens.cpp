// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <iostream>
#include <iterator>

#include "kv_inspect/commands.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/tokenizer.hpp"
#include "shared/app.hpp"

namespace kvcal {
namespace {

struct TokensFlags {
  std::string directory;
  bool is_decode = false;
  bool has_special_tokens = true;
};

std::vector<int64_t> parse_ids(const std::string& text, int64_t vocab_size) {
  std::vector<int64_t> ids;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    while (at != end && std::isspace(static_cast<unsigned char>(*at)) != 0) ++at;
    if (at == end) return ids;
    int64_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    require(error == std::errc() && id >= 0 && id < vocab_size, Kind::input,
            "stdin: '{}' is not a token id, need 0 .. {}",
            std::string(at, std::find_if(
                                at, end, [](unsigned char c) { return std::isspace(c) != 0; })),
            vocab_size - 1);
    ids.push_back(id);
    at = next;
  }
}

int show_tokens(const TokensFlags& flags) {
  const auto tokenizer = Tokenizer::load(flags.directory);
  const auto input = read_stdin();
  if (flags.is_decode) {
    print_result(
        tokenizer.decode(parse_ids(input, tokenizer.vocab_size()), !flags.has_special_tokens));
    return kDone;
  }
  std::string text;
  for (int64_t id : tokenizer.encode(input, flags.has_special_tokens))
    text += fmt::format("{}\n", id);
  print_result(text);
  return kDone;
}

}  // namespace

std::string read_stdin() {
  return {std::istreambuf_iterator<char>(std::cin), {}};
}

void add_tokens_command(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("tokens", "token ids of the text on stdin, one a line");
  auto flags = std::make_shared<TokensFlags>();
  command->add_option("DIR", flags->directory, "model directory or tokenizer.json")->required();
  command->add_flag("--decode", flags->is_decode, "the other way: ids on stdin, text on stdout");
  command->add_flag("!--no-special-tokens", flags->has_special_tokens,
                    "add no special tokens; with --decode: drop them");
  command->callback([&chosen, flags] { chosen = [flags] { return show_tokens(*flags); }; });
}

}  // namespace kvcal
