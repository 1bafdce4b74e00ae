// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/jieba_hmm.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kvcal/compress/error.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal::text {
namespace {

constexpr double kImpossible = -3.14e100;  // jieba's own

/// From which states each state is entered, alphabetically.
constexpr std::string_view kPredecessors[] = {/*B*/ "ES", /*E*/ "BM", /*M*/ "BM", /*S*/ "ES"};

bool is_letter_or_digit(char32_t c) {
  return (c >= U'0' && c <= U'9') || (c >= U'A' && c <= U'Z') || (c >= U'a' && c <= U'z');
}

/// Length of a match of `[a-zA-Z0-9]+(\.\d+)?%?` at the start of the text; 0 without one.
size_t number_length(std::u32string_view text) {
  const auto run_end = [&](size_t from, auto is_member) {
    while (from < text.size() && is_member(text[from])) ++from;
    return from;
  };
  size_t end = run_end(0, is_letter_or_digit);
  if (end == 0) return 0;
  if (end < text.size() && text[end] == U'.') {
    const size_t fraction = run_end(end + 1, is_digit);
    if (fraction > end + 1) end = fraction;
  }
  return end < text.size() && text[end] == U'%' ? end + 1 : end;
}

/// Numbers and words are tokens, and so is all that lies between two of them.
void cut_other(std::u32string_view text, std::vector<std::u32string>& tokens) {
  size_t between = 0;
  const auto finish = [&](size_t end) {
    if (end > between) tokens.emplace_back(text.substr(between, end - between));
  };
  for (size_t at = 0; at < text.size();) {
    const size_t length = number_length(text.substr(at));
    if (length == 0) {
      ++at;
      continue;
    }
    finish(at);
    tokens.emplace_back(text.substr(at, length));
    between = at += length;
  }
  finish(text.size());
}

}  // namespace

JiebaHmm::JiebaHmm(const std::filesystem::path& file) {
  unknown_.fill(kImpossible);
  transition_.fill(unknown_);
  std::ifstream stream(file, std::ios::binary);
  require(stream.good(), Kind::input, "{}: cannot be read, need jieba's tables", file.string());
  try {
    const auto json = nlohmann::json::parse(stream);
    for (size_t i = 0; i < kStates.size(); ++i) {
      const std::string state(1, kStates[i]);
      start_[i] = json.at("start").at(state).get<double>();
      for (const auto& [to, value] : json.at("trans").at(state).items()) {
        transition_[i].at(kStates.find(to)) = value.get<double>();
      }
      for (const auto& [character, value] : json.at("emit").at(state).items()) {
        const char32_t c = code_points(character).at(0);
        emission_.try_emplace(c, unknown_).first->second[i] = value.get<double>();
      }
    }
  } catch (const std::exception& error) {  // JSON's own, or a state that there is not.
    fail(Kind::input, "{}: not jieba's tables: {}", file.string(), error.what());
  }
}

const JiebaHmm::PerState& JiebaHmm::emission(char32_t c) const {
  const auto found = emission_.find(c);
  return found == emission_.end() ? unknown_ : found->second;
}

/// Viterbi.
std::string JiebaHmm::best_states(std::u32string_view run) const {
  std::vector<PerState> score(run.size());                             // [characters][states]
  std::vector<std::array<size_t, kStates.size()>> origin(run.size());  // the state before
  for (size_t s = 0; s < kStates.size(); ++s) score[0][s] = start_[s] + emission(run[0])[s];
  for (size_t i = 1; i < run.size(); ++i) {
    const PerState& emitted = emission(run[i]);
    for (size_t s = 0; s < kStates.size(); ++s) {
      bool is_first = true;
      for (char predecessor : kPredecessors[s]) {
        const size_t p = kStates.find(predecessor);
        const double sum = score[i - 1][p] + transition_[p][s] + emitted[s];
        if (is_first || sum >= score[i][s]) {
          score[i][s] = sum;
          origin[i][s] = p;
        }
        is_first = false;
      }
    }
  }
  const size_t end = kStates.find('E'), single = kStates.find('S');
  size_t state = score.back()[single] >= score.back()[end] ? single : end;
  std::string states(run.size(), ' ');
  for (size_t i = run.size(); i-- > 0; state = origin[i][state]) states[i] = kStates[state];
  return states;
}

void JiebaHmm::cut_han(std::u32string_view run, std::vector<std::u32string>& tokens) const {
  const std::string states = best_states(run);
  size_t begin = 0, next = 0;
  for (size_t i = 0; i < run.size(); ++i) {
    if (states[i] == 'B') begin = i;
    if (states[i] != 'E' && states[i] != 'S') continue;
    const size_t first = states[i] == 'S' ? i : begin;
    tokens.emplace_back(run.substr(first, i + 1 - first));
    next = i + 1;
  }
  if (next < run.size()) tokens.emplace_back(run.substr(next));
}

void JiebaHmm::cut(std::u32string_view run, std::vector<std::u32string>& tokens) const {
  for (size_t begin = 0; begin < run.size();) {
    const bool is_chinese = is_han(run[begin]);
    size_t end = begin + 1;
    while (end < run.size() && is_han(run[end]) == is_chinese) ++end;
    const auto piece = run.substr(begin, end - begin);
    if (is_chinese) {
      cut_han(piece, tokens);
    } else {
      cut_other(piece, tokens);
    }
    begin = end;
  }
}

}  // namespace kvcal::text
