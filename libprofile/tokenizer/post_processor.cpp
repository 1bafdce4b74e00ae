// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/post_processor.hpp"

#include "tokenizer/normalizer.hpp"

namespace kvcal {
namespace {

std::vector<int64_t> ids_of(const JsonPart& part, const std::string& name) {
  const JsonPart ids = part.object("special_tokens").object(name).array("ids");
  std::vector<int64_t> result;
  for (const auto& id : ids.value()) {
    require(id.is_number_integer() && id.get<int64_t>() >= 0 && id.get<int64_t>() < (1 << 24),
            Kind::input, "{}[{}] is no token id", ids.where(), result.size());
    result.push_back(id.get<int64_t>());
  }
  return result;
}

}  // namespace

void PostProcessor::add(const JsonPart& part, int depth) {
  require_shallow(part, depth);
  const std::string type = part.text("type");
  if (type == "ByteLevel") return;  // moves offsets only
  if (type == "Sequence") {
    for (const JsonPart& item : part.items("processors")) add(item, depth + 1);
    return;
  }
  if (type != "TemplateProcessing") {
    part.unsupported("post-processor", type, "TemplateProcessing, ByteLevel, Sequence");
  }
  Frame frame;
  int texts = 0;
  for (const JsonPart& item : part.items("single")) {
    if (item.has("Sequence")) {
      ++texts;
      continue;
    }
    auto& side = texts == 0 ? frame.before : frame.behind;
    for (int64_t id : ids_of(part, item.object("SpecialToken").text("id"))) side.push_back(id);
  }
  require(texts == 1, Kind::input, "{}.single has the text {} times, need once", part.where(),
          texts);
  frames_.push_back(std::move(frame));
}

std::vector<int64_t> PostProcessor::apply(std::vector<int64_t> ids) const {
  for (const Frame& frame : frames_) {
    ids.insert(ids.begin(), frame.before.begin(), frame.before.end());
    ids.insert(ids.end(), frame.behind.begin(), frame.behind.end());
  }
  return ids;
}

}  // namespace kvcal
