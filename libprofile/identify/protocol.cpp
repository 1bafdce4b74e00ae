// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/identify.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal {

IdentifyProtocol IdentifyProtocol::named(std::string_view name) {
  IdentifyProtocol protocol;
  if (name == "sound") {
    // The wording of the niah task: a small model answers it best (data/README.md).
    protocol.instruction =
        "\n\nAnswer the question based on the text above.\n\nQuestion: {question}\nAnswer:";
    return protocol;
  }
  require(name == "compresskv", Kind::config, "unknown protocol '{}' (known: sound, compresskv)",
          name);
  // The authors' semantic_retrieval_head_detection.py, after Wu et al.'s Retrieval_Head.
  protocol.placement = Placement::compresskv;
  protocol.uses_chat = false;
  protocol.counts_repeats = true;
  protocol.stops_at_model_stop = false;
  protocol.pairs_needle_and_haystack = true;
  protocol.instruction = "Based on the content of the book, Question: {question}\nAnswer:";
  return protocol;
}

std::vector<Trial> plan_trials(const IdentifyProtocol& protocol, std::span<const double> lengths,
                               std::span<const double> depths, size_t needles,
                               std::span<const HaystackTokens> haystacks, int64_t needles_per_cell,
                               uint64_t seed) {
  require(needles > 0 && !haystacks.empty(), Kind::input,
          "no needles or no haystacks to make trials of");
  require(!protocol.pairs_needle_and_haystack || needles <= haystacks.size(), Kind::input,
          "the compresskv protocol pairs needle i with haystack i: {} needles, {} haystacks",
          needles, haystacks.size());
  const auto per_cell =
      protocol.pairs_needle_and_haystack ? static_cast<int64_t>(needles) : needles_per_cell;
  std::vector<Trial> trials;
  for (double length : lengths) {
    for (double depth : depths) {
      for (int64_t i = 0; i < per_cell; ++i) {
        const size_t turn = trials.size();
        Trial trial{static_cast<int64_t>(length), depth, turn % needles, turn % haystacks.size(),
                    0};
        if (protocol.pairs_needle_and_haystack) {
          trial.needle = trial.haystack = static_cast<size_t>(i);
        } else {
          // With an even number of needles and two haystacks, each needle would meet one haystack
          // only.
          trial.haystack = (turn + turn / needles) % haystacks.size();
          const auto size = static_cast<uint64_t>(haystacks[trial.haystack].tokens());
          trial.start_token = static_cast<int64_t>(random_bits(seed, turn) % size);
        }
        trials.push_back(trial);
      }
    }
  }
  return trials;
}

}  // namespace kvcal
