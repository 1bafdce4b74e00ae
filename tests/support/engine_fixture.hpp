// SPDX-License-Identifier: Apache-2.0
// An engine on the tiny model, and prompts for it.
#pragma once

#include <string>
#include <utility>

#include "support/tiny_model_fixture.hpp"

namespace kvcal::test {

class EngineFixture : public TinyModelFixture {
 protected:
  const Method full_ = load_method("full");
  const Method snapkv_ = load_method("snapkv");
  const Method random_ = load_method("random");
  const Budget small_ = Budget::parse("16");
  const Budget huge_ = Budget::parse("900");

  Engine engine(ProfileFacts facts = {}) const {
    return {model_, tokenizer_, chat_, std::move(facts), {.seed = 7}};
  }

  Sample sample(const std::string& id, int64_t repeats) const {
    Sample sample;
    sample.id = id;
    sample.context = boats(repeats);
    sample.question = "Which boat left?";
    sample.references = {"boat"};
    sample.metric = "qa_f1_score";
    sample.max_new_tokens = 6;
    return sample;
  }

  static Needs window(int64_t tokens) {
    Needs needs;
    needs.window_tokens = tokens;
    return needs;
  }
};

}  // namespace kvcal::test
