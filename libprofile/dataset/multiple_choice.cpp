// SPDX-License-Identifier: Apache-2.0
#include "dataset/multiple_choice.hpp"

namespace kvcal {

Sample choice_sample(const ChoiceQuestion& question, const ChoiceParams& params) {
  Sample sample;
  sample.id = question.id;
  sample.question = "\n\n";
  if (!question.preamble.empty()) sample.question += question.preamble + "\n\n";
  sample.question += question.text + "\n\n";
  for (size_t i = 0; i < question.options.size(); ++i) {
    const std::string letter(1, static_cast<char>('A' + i));
    sample.all_classes.push_back(letter);
    sample.question += fmt::format("{}. {}\n", letter, question.options[i]);
  }
  sample.question += "\n" + params.instruction;
  sample.references = {sample.all_classes[question.gold]};
  sample.metric = "parse_choice";
  sample.max_new_tokens = params.max_new_tokens;
  sample.chat = params.chat;
  return sample;
}

}  // namespace kvcal
