// SPDX-License-Identifier: Apache-2.0
// Masking ablation: which heads are silenced, as a user writes it ("srh:10", "random:10:zero").
#pragma once

#include <string_view>
#include <vector>

#include "kvcal/profile/engine.hpp"
#include "kvcal/profile/profile.hpp"

namespace kvcal {

/// A mask of the `count` best heads of the whole model, as CompressKV's
/// needle_in_haystack_with_mask.py takes them: by mean score, ties to the lower layer and head.
///
/// @param spec  KIND:COUNT or KIND:COUNT:zero; KIND is srh (semantic), another kind of the profile
///              (traditional), or random: drawn from the heads that are not among the 100 best
///              semantic ones (the worse half where the model has fewer than 200)
/// @param seed  of random; the same heads in every sample
/// @throws Error{config} not of that form, a kind that the profile lacks, more heads than there are
NamedMask make_head_mask(std::string_view spec, const Profile& profile, const ModelConfig& model,
                         uint64_t seed);

}  // namespace kvcal
