// SPDX-License-Identifier: Apache-2.0
/// Needle in a haystack: one strange sentence in a long text, one question about it. Beside it may
/// stand decoys, which say the like about something else, and other needles, which may be asked
/// too.
///
/// Source   G. Kamradt's tester (lengths x depths, needle at a sentence end); CompressKV's variant
///          with `placement: compresskv`, `reference: needle`, `chat: false`.
/// Samples  needles_per_cell for each length x depth. The first length x depth samples visit each
///          cell once, so that any prefix of the task covers the grid. They read the haystack from
///          the same sentence, the deepest needle first, so that the engine prefills what two
///          neighbours share once; the next length x depth samples start elsewhere. Decoys and
///          other needles keep their places, and the needle is one for a length, so that this
///          holds with them too.
/// Differs  the score is the recall of the answer's words, not of the whole needle's. The needle is
///          a paragraph of its own, since a small model finds it there and the question is what
///          compression loses, not what the model cannot do. Haystacks and needles are ours.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <span>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/metric.hpp"
#include "kvcal/profile/needle.hpp"
#include "kvcal/profile/resources.hpp"
#include "kvcal/profile/statistics.hpp"
#include "kvcal/profile/task.hpp"

namespace kvcal {
namespace {

constexpr std::string_view kQuestionMark = "{question}";

struct NiahParams {
  std::vector<double> lengths = {1000, 2000, 4000};
  std::vector<double> depths = {0.1, 0.3, 0.5, 0.7, 0.9};
  int64_t needles_per_cell = 2;
  std::string needles = "data/needles/evaluation.jsonl";
  std::string haystack = "data/haystacks/evaluation";
  std::string question = "lexical";
  std::string reference = "answer";
  std::string metric = "niah_rouge1_recall";
  int64_t decoys = 0;
  int64_t needles_per_context = 1;
  int64_t asked_needles = 1;
  std::string placement = "sound";
  bool is_set_apart = true;
  std::string preamble;
  std::string instruction =
      "\n\nAnswer the question based on the text above.\n\nQuestion: {question}\nAnswer:";
  int64_t max_new_tokens = 48;
  int64_t reserve_tokens = 200;
  bool chat = true;

  template <class Visitor>
  void visit(Visitor& v) {
    v.field("lengths", lengths, at_least(1), "nominal prompt lengths in tokens");
    v.field("depths", depths, between(0, 1), "where the needle stands; 0 = start, 1 = end");
    v.field("needles_per_cell", needles_per_cell, at_least(1), "samples for each length and depth");
    v.field("needles", needles, any(), "JSONL of needles");
    v.field("haystack", haystack, any(), "folder of haystacks (.txt files)");
    v.field("question", question, one_of({"lexical", "paraphrased"}),
            "asks in the needle's words or in others");
    v.field("reference", reference, one_of({"answer", "needle"}), "what a full score repeats");
    v.field("metric", metric, any(), "name of a metric");
    v.field("decoys", decoys, at_least(0), "decoys of the needle, beside it (placement sound)");
    v.field("needles_per_context", needles_per_context, at_least(1),
            "needles in a haystack (placement sound)");
    v.field("asked_needles", asked_needles, at_least(1),
            "how many of them are asked at once; the reference is all their answers in one");
    v.field("placement", placement, one_of({"sound", "compresskv"}), "rule that places the needle");
    v.field("is_set_apart", is_set_apart, any(),
            "the needle is a paragraph of its own (placement sound)");
    v.field("preamble", preamble, any(), "text before the context");
    v.field("instruction", instruction, any(), "text after the context, with {question} in it");
    v.field("max_new_tokens", max_new_tokens, at_least(1), "longest reply");
    v.field("reserve_tokens", reserve_tokens, at_least(0),
            "part of the length that is kept free for question and reply");
    v.field("chat", chat, any(), "wrap in the model's chat format");
  }
};

void require_distinct(std::vector<double> values, std::string_view name) {
  std::sort(values.begin(), values.end());
  const auto twice = std::adjacent_find(values.begin(), values.end());
  require(twice == values.end(), Kind::config, "{} lists {} twice, need distinct values", name,
          *twice);
}

class Niah : public Task {
 public:
  Niah(const TaskContext& context, const NiahParams& params)
      : context_(context),
        params_(params),
        depths_(params.depths),
        needles_(load_needles(existing_or_resource(params.needles))) {
    check_params();
    std::sort(depths_.begin(), depths_.end(), std::greater<>());
    for (Haystack& haystack : load_haystacks(existing_or_resource(params.haystack))) {
      haystacks_.emplace_back(context.tokenizer, std::move(haystack));
    }
    check_fits_model();
  }

  int64_t size() const override { return cells() * params_.needles_per_cell; }

  Sample sample(int64_t index) const override {
    require(index >= 0 && index < size(), Kind::internal, "niah sample {}, need 0 .. {}", index,
            size() - 1);
    const int64_t cell = index % cells();
    const auto depth_count = static_cast<int64_t>(params_.depths.size());
    const double length = params_.lengths[cell / depth_count];
    const double depth = depths_[cell % depth_count];
    const int64_t repeat = index / cells();
    const auto needles = needles_of(cell, repeat);

    Sample sample;
    sample.id = fmt::format("l{:g}-d{:g}-{}", length, 100 * depth, needles.front()->id);
    sample.context = params_.preamble + context_text(repeat, needles, length, depth);
    const auto asked = std::span(needles).first(static_cast<size_t>(params_.asked_needles));
    sample.question = question_text(asked);
    sample.references = {reference_text(asked)};
    sample.metric = params_.metric;
    sample.max_new_tokens = params_.max_new_tokens;
    sample.chat = params_.chat;
    sample.length = length;
    sample.depth = depth;
    return sample;
  }

 private:
  int64_t cells() const {
    return static_cast<int64_t>(params_.lengths.size() * params_.depths.size());
  }

  void check_params() const {
    find_metric(params_.metric);
    require_distinct(params_.lengths, "niah: lengths");
    require_distinct(params_.depths, "niah: depths");
    for (double length : params_.lengths) {
      require(length == std::floor(length) && length < 1e9, Kind::config,
              "niah: lengths lists {}, need whole numbers of tokens below 1e9", length);
    }
    require(params_.instruction.find(kQuestionMark) != std::string::npos, Kind::config,
            "niah: instruction = '{}', need {} somewhere in it", params_.instruction,
            kQuestionMark);
    const auto count = static_cast<int64_t>(needles_.size());
    require(params_.needles_per_cell <= count, Kind::config,
            "niah: needles_per_cell = {}, but {} has only {} needles", params_.needles_per_cell,
            params_.needles, count);
    check_others(count);
    if (params_.question == "lexical") return;
    for (const Needle& needle : needles_) {
      require(!needle.paraphrased_question.empty(), Kind::input,
              "{}: needle '{}' has no paraphrased_question, need one for question: paraphrased",
              params_.needles, needle.id);
    }
  }

  void check_others(int64_t count) const {
    require(params_.needles_per_context <= count, Kind::config,
            "niah: needles_per_context = {}, but {} has only {} needles",
            params_.needles_per_context, params_.needles, count);
    require(params_.asked_needles <= params_.needles_per_context, Kind::config,
            "niah: asked_needles = {}, need 1 .. {} (needles_per_context)", params_.asked_needles,
            params_.needles_per_context);
    require(params_.placement == "sound" || !has_others(), Kind::config,
            "niah: placement = compresskv places one needle, need decoys = 0 and "
            "needles_per_context = 1");
    for (const Needle& needle : needles_) {
      const auto decoys = static_cast<int64_t>(needle.decoys.size());
      require(decoys >= params_.decoys, Kind::input,
              "{}: needle '{}' has {} decoys, need {} for decoys: {}", params_.needles, needle.id,
              decoys, params_.decoys, params_.decoys);
    }
  }

  bool has_others() const { return params_.decoys > 0 || params_.needles_per_context > 1; }

  /// The longest prompt of the grid and its reply must fit, before anything is run.
  void check_fits_model() const {
    const double longest = *std::max_element(params_.lengths.begin(), params_.lengths.end());
    int64_t around = 0;  // What stands around the context.
    for (size_t first = 0; first < needles_.size(); ++first) {
      const auto asked = needles_from(first, params_.asked_needles);
      std::string text = params_.preamble + question_text(asked);
      if (params_.chat) text = context_.chat.prefix() + text + context_.chat.suffix();
      around = std::max(around, static_cast<int64_t>(context_.tokenizer.encode(text).size()));
    }
    const int64_t context = static_cast<int64_t>(longest) - params_.reserve_tokens;
    const int64_t needed = context + around + params_.max_new_tokens;
    require(needed <= context_.max_tokens, Kind::config,
            "niah: length {} needs {} tokens with question, chat format and {} new tokens, but the "
            "model takes {}",
            longest, needed, params_.max_new_tokens, context_.max_tokens);
  }

  /// The needles of a context, the one at the cell's depth first. Neighbouring cells ask about
  /// different needles, with others beside them neighbouring lengths; inside a cell all differ.
  std::vector<const Needle*> needles_of(int64_t cell, int64_t repeat) const {
    const int64_t place = has_others() ? cell / static_cast<int64_t>(params_.depths.size()) : cell;
    const auto first = static_cast<uint64_t>(place * params_.needles_per_cell + repeat) +
                       context_.seed % needles_.size();
    return needles_from(first, params_.needles_per_context);
  }

  /// `count` needles from number `first` on, round and round.
  std::vector<const Needle*> needles_from(uint64_t first, int64_t count) const {
    std::vector<const Needle*> needles;
    for (uint64_t i = 0; i < static_cast<uint64_t>(count); ++i) {
      needles.push_back(&needles_[(first + i) % needles_.size()]);
    }
    return needles;
  }

  std::string set_apart(const std::string& sentence) const {
    const bool is_apart = params_.is_set_apart && params_.placement == "sound";
    return is_apart ? "\n\n" + sentence + "\n\n" : sentence;
  }

  /// What stands beside the first needle, at depths drawn for it: the same in all cells of a
  /// length.
  std::vector<PlacedText> others_of(const std::vector<const Needle*>& needles) const {
    std::vector<PlacedText> others;
    const auto add = [&](const std::string& sentence) {
      const uint64_t bits =
          random_bits(stable_hash(needles.front()->id, context_.seed), others.size());
      others.push_back({set_apart(sentence), static_cast<double>(bits % 1000) / 1000});
    };
    for (size_t i = 1; i < needles.size(); ++i) add(needles[i]->needle);
    for (int64_t i = 0; i < params_.decoys; ++i) {
      add(needles.front()->decoys[static_cast<size_t>(i)]);
    }
    return others;
  }

  std::string context_text(int64_t repeat, const std::vector<const Needle*>& needles, double length,
                           double depth) const {
    const HaystackTokens& haystack = haystacks_[repeat % static_cast<int64_t>(haystacks_.size())];
    NeedleContextRequest request;
    request.length_tokens = static_cast<int64_t>(length);
    request.reserve_tokens = params_.reserve_tokens;
    request.depth = depth;
    request.start_token =
        static_cast<int64_t>(random_bits(context_.seed, static_cast<uint64_t>(repeat)) %
                             static_cast<uint64_t>(haystack.tokens()));
    request.placement = params_.placement == "sound" ? Placement::sound : Placement::compresskv;
    request.others = others_of(needles);
    Needle placed = *needles.front();
    placed.needle = set_apart(placed.needle);
    return haystack.fill(placed, request);
  }

  std::string question_text(std::span<const Needle* const> asked) const {
    const bool is_lexical = params_.question == "lexical";
    std::string questions, text = params_.instruction;
    for (const Needle* needle : asked) {
      if (!questions.empty()) questions += ' ';
      questions += is_lexical ? needle->question : needle->paraphrased_question;
    }
    return text.replace(text.find(kQuestionMark), kQuestionMark.size(), questions);
  }

  std::string reference_text(std::span<const Needle* const> asked) const {
    std::string text;
    for (const Needle* needle : asked) {
      if (!text.empty()) text += '\n';
      text += params_.reference == "needle" ? needle->needle : needle->answer;
    }
    return text;
  }

  TaskContext context_;
  NiahParams params_;
  std::vector<double> depths_;  // the deepest first
  std::vector<Needle> needles_;
  std::vector<HaystackTokens> haystacks_;
};

std::unique_ptr<Task> make(const TaskContext& context, const std::string& argument,
                           const ParamMap& params) {
  require(argument.empty(), Kind::config, "task niah takes no argument, got '{}'", argument);
  return std::make_unique<Niah>(context, read_params<NiahParams>(params));
}

}  // namespace

extern const TaskInfo task_niah = {"niah", "needle in a haystack: lengths x depths", make,
                                   list_fields<NiahParams>};

}  // namespace kvcal
