// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/profile_difference.hpp"

#include <gtest/gtest.h>

namespace kvcal {
namespace {

Profile two_layers() {
  Profile profile;
  profile.model = {"tiny", "c0", "w0", "t0", 2, 2, 2, 8};
  profile.provenance = {"srh-identify 0.1.0", "srh-identify", "seed: 1\n", "cpu", "f32", 1, ""};
  profile.heads["semantic"] = {2, 2, {4, 3, 2, 1}, 1, {4, 3, 2, 1}};
  profile.layer_errors["niah"] = {{1, 3}, 10};
  profile.budgets["layer_error"][8] = {9, 9, 7, 7};
  profile.prompts = {{"d0", "srh-identify"}, {"d1", "srh-identify"}};
  return profile;
}

/// "part: first | second | agreement"
std::vector<std::string> lines(const Profile& a, const Profile& b) {
  std::vector<std::string> lines;
  for (const auto& d : differences(a, b)) {
    lines.push_back(fmt::format("{}: {} | {} | {}{}", d.part, d.first, d.second, d.agreement,
                                d.is_content ? "" : " (no content)"));
  }
  return lines;
}

using Lines = std::vector<std::string>;

TEST(ProfileDifference, AProfileIsEqualToItself) {
  EXPECT_EQ(lines(two_layers(), two_layers()), Lines());
}

TEST(ProfileDifference, PartsThatDifferAreNamedWithWhatBothHaveAndHowFarTheyAgree) {
  const Profile a = two_layers();
  Profile b = a;
  b.heads["semantic"] = {2, 2, {4, 3, 1, 2}, 2, std::vector<float>(8, 1)};
  b.layer_errors["niah"].count = 11;
  b.budgets["layer_error"][8] = {10, 8, 7, 7};
  b.budgets["uniform"][8] = {8, 8, 8, 8};
  b.prune_table = {1, {0, 0, 0, 0}};
  b.prompts[1].sha256 = "d2";
  EXPECT_EQ(lines(a, b),
            (Lines{"heads semantic: 1 prompts | 2 prompts | Spearman 0.800, top 4 share 4",
                   "layer errors niah: 10 steps | 11 steps | Spearman 1.000",
                   "budgets layer_error@8: 7 .. 9 | 7 .. 10 | up to 1 entries apart",
                   "budgets uniform@8: - | 8 .. 8 | ", "prune table: - | 1 steps | ",
                   "prompts: 2 | 2 | 1 in both"}));
}

TEST(ProfileDifference, HowAFileWasMadeIsNoContent) {
  const Profile a = two_layers();
  Profile b = a;
  b.model.name = "renamed";
  b.provenance.resolved_config = "seed: 2\nother: 1\n";
  b.history.push_back(a.provenance);
  EXPECT_EQ(lines(a, b), (Lines{"model model_name: tiny | renamed |  (no content)",
                                "made by: resolved_config: seed: 1 | seed: 2 |  (no content)",
                                "history: 0 stages | 1 stages |  (no content)"}));
}

TEST(ProfileDifference, ProfilesOfOtherModelsAreComparedToo) {
  const Profile a = two_layers();
  Profile b = a;
  b.model.layers = 1;
  b.heads["semantic"] = {1, 2, {4, 3}, 1, {4, 3}};
  b.layer_errors["niah"].sum = {1};
  EXPECT_EQ(lines(a, b),
            (Lines{"model layers: 2 | 1 | ", "heads semantic: 1 prompts | 1 prompts | other shapes",
                   "layer errors niah: 10 steps | 10 steps | other shapes"}));
}

}  // namespace
}  // namespace kvcal
