// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "needle/placement.hpp"

namespace kvcal {
namespace {

int64_t ssize(const std::vector<int64_t>& ids) {
  return static_cast<int64_t>(ids.size());
}

/// Token positions at which a sentence starts, the end of the text included.
std::vector<int64_t> find_sentence_starts(const Tokenizer& tokenizer,
                                          const std::vector<int64_t>& ids) {
  std::vector<int64_t> starts;
  std::string left = tokenizer.token_bytes(ids[0]);
  std::string text = left;  // what was read since the last sentence
  for (int64_t i = 1; i <= ssize(ids); ++i) {
    std::string right = i < ssize(ids) ? tokenizer.token_bytes(ids[i]) : std::string();
    if (is_sentence_end(left, right) && !ends_in_abbreviation(text)) {
      starts.push_back(i);
      text.clear();
    }
    text += right;
    left = std::move(right);
  }
  return starts;
}

void check_request(const NeedleContextRequest& request) {
  require(request.depth >= 0 && request.depth <= 1, Kind::config, "needle depth = {}, need 0 .. 1",
          request.depth);
  require(request.reserve_tokens >= 0, Kind::config, "reserve_tokens = {}, need >= 0",
          request.reserve_tokens);
  for (const PlacedText& other : request.others) {
    require(other.depth >= 0 && other.depth <= 1, Kind::config,
            "depth of a sentence beside the needle = {}, need 0 .. 1", other.depth);
  }
  require(request.start_token >= 0, Kind::config, "start_token = {}, need >= 0",
          request.start_token);
}

/// @return  tokens left for the haystack
int64_t room_for_haystack(const NeedleContextRequest& request, const Needle& needle,
                          int64_t needle_tokens) {
  const int64_t room = request.length_tokens - request.reserve_tokens - needle_tokens;
  require(
      room > 0, Kind::config,
      "a context of {} tokens, {} of them reserved, has no room for needle '{}' ({} tokens), need "
      "more than {} tokens",
      request.length_tokens, request.reserve_tokens, needle.id, needle_tokens,
      request.reserve_tokens + needle_tokens);
  return room;
}

/// `before needle after` with single spaces where the parts do not bring white space themselves.
std::string join_naturally(std::string before, const std::string& needle,
                           const std::string& after) {
  const auto is_white = [](char c) { return kWhitespace.find(c) != std::string_view::npos; };
  std::string text = std::move(before);
  if (!text.empty() && !is_white(text.back()) && !is_white(needle.front())) text += ' ';
  text += needle;
  if (!after.empty() && !is_white(text.back()) && !is_white(after.front())) text += ' ';
  return text + after;
}

std::string without_outer_whitespace(std::string text) {
  text.erase(0, std::min(text.find_first_not_of(kWhitespace), text.size()));
  text.erase(text.find_last_not_of(kWhitespace) + 1);
  return text;
}

/// CompressKV, generate_context and insert_needle, with its tokenizer round trips: where the
/// tokenizer adds BOS it stands in front of every piece and, decoded, in the text itself. Differs:
/// the haystack is repeated until this length is reached, not the largest of the run; the two can
/// differ only where a copy ends exactly at the cut.
std::string fill_compresskv(const Tokenizer& tokenizer, const std::string& haystack,
                            const Needle& needle, const NeedleContextRequest& request) {
  std::string text = haystack;
  std::vector<int64_t> context = tokenizer.encode(text);
  // Whole copies that are needed in any case, so that a small haystack is not encoded again for
  // each.
  for (int64_t copies = request.length_tokens / ssize(context); copies > 1; --copies)
    text += haystack;
  context = tokenizer.encode(text);
  while (ssize(context) < request.length_tokens) {
    text += haystack;
    context = tokenizer.encode(text);
  }
  if (ssize(context) > request.length_tokens) {
    context.resize(request.length_tokens);
    context = tokenizer.encode(tokenizer.decode(context, false));
  }
  const std::vector<int64_t> inserted = tokenizer.encode(needle.needle);
  const int64_t room = room_for_haystack(request, needle, ssize(inserted));
  if (ssize(context) > room) context.resize(room);
  const int64_t position = compresskv_insertion(context, request.depth, tokenizer.encode("."));
  context.insert(context.begin() + position, inserted.begin(), inserted.end());
  return tokenizer.decode(context, false);
}

/// A haystack read in a circle from a sentence start.
class CyclicReader {
 public:
  CyclicReader(const std::vector<int64_t>& ids, const std::vector<int64_t>& starts, int64_t wanted)
      : ids_(ids) {
    const auto next = std::lower_bound(starts.begin(), starts.end(), wanted % ssize(ids));
    first_ = wanted % ssize(ids) == 0 || next == starts.end() ? 0 : *next % ssize(ids);
    const auto split = std::upper_bound(starts.begin(), starts.end(), first_);
    for (auto it = split; it != starts.end(); ++it) boundaries_.push_back(*it - first_);
    for (auto it = starts.begin(); it != split; ++it)
      boundaries_.push_back(*it + ssize(ids) - first_);
  }

  std::vector<int64_t> read(int64_t begin, int64_t end) const {
    std::vector<int64_t> piece(end - begin);
    for (int64_t i = begin; i < end; ++i) piece[i - begin] = ids_[(first_ + i) % ssize(ids_)];
    return piece;
  }

  /// The last sentence boundary at or before `position` (positions count on over the laps); 0 if
  /// none.
  int64_t boundary(int64_t position) const {
    if (boundaries_.empty()) return 0;
    const int64_t lap = position / ssize(ids_) * ssize(ids_);
    const int64_t in_lap = boundary_at_or_before(boundaries_, position - lap);
    if (in_lap > 0 || lap == 0) return lap + in_lap;
    return lap - ssize(ids_) + boundaries_.back();
  }

 private:
  const std::vector<int64_t>& ids_;
  int64_t first_ = 0;
  std::vector<int64_t> boundaries_;  // of one lap, ascending, in 1 .. ids
};

/// A sentence and the token of the haystack that it stands before.
struct Insertion {
  int64_t position;
  std::string text;
};

/// The first `end` tokens of the reader with the insertions, which are sorted by position.
std::string compose(const Tokenizer& tokenizer, const CyclicReader& reader, int64_t end,
                    const std::vector<Insertion>& insertions) {
  std::string text = tokenizer.decode(reader.read(0, insertions.front().position));
  text.erase(0, std::min(text.find_first_not_of(kWhitespace), text.size()));
  for (size_t i = 0; i < insertions.size(); ++i) {
    const int64_t next = i + 1 < insertions.size() ? insertions[i + 1].position : end;
    const std::string after = tokenizer.decode(reader.read(insertions[i].position, next));
    text = join_naturally(std::move(text), insertions[i].text, after);
  }
  return without_outer_whitespace(std::move(text));
}

/// Where the needle and the others stand in the first `end` tokens.
/// @param room  tokens that places of the others count from: the same for every depth of the needle
std::vector<Insertion> place_all(const CyclicReader& reader, int64_t end, int64_t room,
                                 const std::string& needle, const NeedleContextRequest& request) {
  const auto place = [&](double depth, int64_t of) {
    if (depth >= 1) return end;
    return reader.boundary(std::min(end, static_cast<int64_t>(static_cast<double>(of) * depth)));
  };
  std::vector<Insertion> insertions = {{place(request.depth, end), needle}};
  for (const PlacedText& other : request.others) {
    insertions.push_back({place(other.depth, room), other.text});
  }
  std::stable_sort(insertions.begin(), insertions.end(),
                   [](const auto& a, const auto& b) { return a.position < b.position; });
  return insertions;
}

}  // namespace

HaystackTokens::HaystackTokens(const Tokenizer& tokenizer, Haystack haystack)
    : tokenizer_(&tokenizer), name_(std::move(haystack.name)), text_(std::move(haystack.text)) {
  const std::string text = without_outer_whitespace(text_);
  require(!text.empty(), Kind::input, "haystack '{}' has no text", name_);
  // The blank line is what stands between the end and the beginning when the text is read again.
  ids_ = tokenizer.encode(text + "\n\n", false);
  require(!ids_.empty(), Kind::input, "haystack '{}' has no tokens", name_);
  sentence_starts_ = find_sentence_starts(tokenizer, ids_);
}

std::string HaystackTokens::fill(const Needle& needle, const NeedleContextRequest& request) const {
  check_request(request);
  require(!needle.needle.empty(), Kind::input, "needle '{}' is empty", needle.id);
  if (request.placement == Placement::compresskv) {
    return fill_compresskv(*tokenizer_, text_, needle, request);
  }
  int64_t inserted = ssize(tokenizer_->encode(" " + needle.needle, false));
  for (const PlacedText& other : request.others) {
    inserted += ssize(tokenizer_->encode(" " + other.text, false));
  }
  const int64_t room = room_for_haystack(request, needle, inserted);
  const int64_t most = request.length_tokens - request.reserve_tokens;
  int64_t count = room;
  const CyclicReader reader(ids_, sentence_starts_, request.start_token);
  // Encoding the joined text again can give a few tokens more than its pieces had.
  while (true) {
    const int64_t last = reader.boundary(count);
    const int64_t end = last > 0 ? last : count;  // A text without sentences is cut in one.
    std::string text =
        compose(*tokenizer_, reader, end, place_all(reader, end, room, needle.needle, request));
    const int64_t excess = ssize(tokenizer_->encode(text, false)) - most;
    if (excess <= 0) return text;
    require(excess < count, Kind::config,
            "needle '{}' in a context of {} tokens, {} of them reserved, leaves no haystack",
            needle.id, request.length_tokens, request.reserve_tokens);
    count -= excess;
  }
}

}  // namespace kvcal
