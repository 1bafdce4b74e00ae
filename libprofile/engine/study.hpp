// SPDX-License-Identifier: Apache-2.0
// Self-study (Attention Matching, arXiv:2602.16284; the authors' `compaction/query_generation`):
// the model is asked things about the prompt, and answers; the queries of request and answer stand
// for those of questions to come.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kvcal/profile/engine.hpp"

namespace kvcal {

/// What is asked. A YAML file:
///
///   name: default
///   requests:                   each is a turn of its own
///     summary: Summarise the text above.
///   questions: Write three questions.     optional: each line of the answer is asked in turn
///   most_questions: 3
///   answer_tokens: 128          at most
struct StudyPlan {
  std::vector<std::string> requests;
  std::string questions;  ///< empty: none are made up
  int64_t most_questions = 0;
  int64_t answer_tokens = 0;

  /// @throws Error{config} unknown key, missing key, not YAML, with the place
  static StudyPlan load(const std::filesystem::path& yaml);
};

/// The questions of a model's answer: its lines, without numbering and blank ones.
std::vector<std::string> split_questions(const std::string& answer, int64_t most);

/// Fills study_queries of a prefilled prompt, if `needs` asks for them, by the plan in
/// configs/study/default.yaml. Greedy, so the same each time.
///
/// @param is_chat  the prompt is the open user's turn of the chat format
/// @throws Error{input} the model has no room behind the prompt
void study(const Model& model, const Tokenizer& tokenizer, const ChatFormat& chat, bool is_chat,
           const Needs& needs, Prefilled& prompt);
/// By another plan.
void study(const Model& model, const Tokenizer& tokenizer, const ChatFormat& chat,
           const StudyPlan& plan, bool is_chat, const Needs& needs, Prefilled& prompt);

}  // namespace kvcal
