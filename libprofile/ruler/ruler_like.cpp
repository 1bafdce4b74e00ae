// SPDX-License-Identifier: Apache-2.0
#include "ruler/ruler_like.hpp"

#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/engine.hpp"
#include "kvcal/profile/metric.hpp"

namespace kvcal::ruler {
namespace {

class RulerLike : public Task {
 public:
  RulerLike(const TaskContext& context, std::string_view name, const Sizing& sizing,
            std::string_view metric, std::unique_ptr<Writer> writer)
      : context_(context),
        name_(name),
        sizing_(sizing),
        metric_(metric),
        writer_(std::move(writer)),
        least_(writer_->least_size()) {
    find_metric(metric_);
    require(sizing.length_tokens <= context.max_tokens, Kind::config,
            "{}: length_tokens = {}, but the model takes {}", name_, sizing.length_tokens,
            context.max_tokens);
    size_ = largest_size();
  }

  int64_t size() const override { return sizing_.samples; }

  Sample sample(int64_t index) const override {
    require(index >= 0 && index < size(), Kind::internal, "{} sample {}, need 0 .. {}", name_,
            index, size() - 1);
    Sample sample = make(index, size_);
    for (int64_t smaller = size_ - 1; tokens(sample) > sizing_.length_tokens; --smaller) {
      require_room(smaller >= least_, sample);
      sample = make(index, smaller);
    }
    return sample;
  }

 private:
  /// The largest size whose first sample fits.
  int64_t largest_size() const {
    const auto fits = [&](int64_t size) { return tokens(make(0, size)) <= sizing_.length_tokens; };
    require_room(fits(least_), make(0, least_));
    int64_t step = 1;
    while (fits(least_ + step)) step *= 2;
    int64_t low = least_ + step / 2, high = least_ + step;  // low fits, high does not
    while (high - low > 1) {
      const int64_t middle = low + (high - low) / 2;
      (fits(middle) ? low : high) = middle;
    }
    return low;
  }

  void require_room(bool has_room, const Sample& smallest) const {
    if (has_room) return;
    fail(Kind::config, "{}: length_tokens = {}, need {} at least for sample {}, {} of them new",
         name_, sizing_.length_tokens, tokens(smallest), smallest.id, sizing_.max_new_tokens);
  }

  Sample make(int64_t index, int64_t size) const {
    Dice dice(stable_hash(fmt::format("{}#{}", name_, index), context_.seed));
    Prompt prompt = writer_->write(dice, index, size);
    Sample sample;
    sample.id = fmt::format("{}", index);
    sample.context = std::move(prompt.context);
    sample.question = std::move(prompt.question);
    sample.answer_prefix = std::move(prompt.answer_prefix);
    sample.references = std::move(prompt.references);
    sample.metric = metric_;
    sample.max_new_tokens = sizing_.max_new_tokens;
    sample.chat = sizing_.chat;
    sample.length = static_cast<double>(sizing_.length_tokens);
    return sample;
  }

  /// Of prompt and reply. A cut before the question can cost a token or two.
  int64_t tokens(const Sample& sample) const {
    int64_t longest = 0;
    for (const Visibility visibility : {Visibility::aware, Visibility::agnostic}) {
      const auto prompt = tokenize_prompt(sample, context_.chat, context_.tokenizer, visibility);
      longest = std::max(longest, prompt.total());
    }
    return longest + sample.max_new_tokens;
  }

  TaskContext context_;
  std::string name_;
  Sizing sizing_;
  std::string metric_;
  std::unique_ptr<Writer> writer_;
  int64_t least_, size_ = 0;
};

}  // namespace

std::unique_ptr<Task> make_task(const TaskContext& context, std::string_view name,
                                const Sizing& sizing, std::string_view metric,
                                std::unique_ptr<Writer> writer) {
  return std::make_unique<RulerLike>(context, name, sizing, metric, std::move(writer));
}

}  // namespace kvcal::ruler
