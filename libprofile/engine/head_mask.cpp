// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/head_mask.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal {
namespace {

/// Heads that CompressKV's random masks leave out: the best of its score file.
constexpr int64_t kBestHeads = 100;

struct MaskSpec {
  std::string kind;
  int64_t count = 0;
  HeadMask::Kind silence = HeadMask::Kind::uniform;
};

MaskSpec parse(std::string_view spec) {
  const auto refuse = [&] {
    fail(Kind::config, "mask '{}', need KIND:COUNT or KIND:COUNT:zero, e.g. srh:10", spec);
  };
  const size_t colon = spec.find(':');
  if (colon == std::string_view::npos || colon == 0) refuse();
  MaskSpec parsed;
  parsed.kind = std::string(spec.substr(0, colon));
  std::string_view rest = spec.substr(colon + 1);
  if (const size_t second = rest.find(':'); second != std::string_view::npos) {
    const auto silence = rest.substr(second + 1);
    if (silence != "zero" && silence != "uniform") refuse();
    if (silence == "zero") parsed.silence = HeadMask::Kind::zero;
    rest = rest.substr(0, second);
  }
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), parsed.count);
  if (error != std::errc() || end != rest.data() + rest.size() || parsed.count < 1) refuse();
  return parsed;
}

/// All heads that are not among the best, in an order that the seed gives.
std::vector<int64_t> shuffle_others(const Profile& profile, const ModelConfig& model,
                                    uint64_t seed) {
  const int64_t all = model.layers * model.heads;
  std::vector<int64_t> others(static_cast<size_t>(all));
  std::iota(others.begin(), others.end(), int64_t{0});
  const auto semantic = profile.heads.find("semantic");
  if (semantic != profile.heads.end()) {
    others = semantic->second.model_ranking();
    others.erase(others.begin(), others.begin() + std::min(kBestHeads, all / 2));
  }
  for (size_t i = others.size(); i > 1; --i) {
    std::swap(others[i - 1], others[random_bits(seed, i) % i]);
  }
  return others;
}

}  // namespace

NamedMask make_head_mask(std::string_view spec, const Profile& profile, const ModelConfig& model,
                         uint64_t seed) {
  const MaskSpec parsed = parse(spec);
  std::vector<int64_t> heads;
  if (parsed.kind == "random") {
    heads = shuffle_others(profile, model, seed);
  } else {
    const std::string kind = parsed.kind == "srh" ? "semantic" : parsed.kind;
    const auto found = profile.heads.find(kind);
    require(found != profile.heads.end(), Kind::config,
            "mask '{}' needs {} head scores: give --profile with what srh-identify --kind {} wrote",
            spec, kind, kind);
    heads = found->second.model_ranking();
  }
  require(parsed.count <= static_cast<int64_t>(heads.size()), Kind::config,
          "mask '{}' silences {} heads, there are {} to take from", spec, parsed.count,
          heads.size());
  NamedMask named{std::string(spec), {parsed.silence, {}}};
  named.mask.heads.resize(static_cast<size_t>(model.layers));
  for (int64_t i = 0; i < parsed.count; ++i) {
    const int64_t head = heads[static_cast<size_t>(i)];
    named.mask.heads[static_cast<size_t>(head / model.heads)].push_back(head % model.heads);
  }
  return named;
}

}  // namespace kvcal
