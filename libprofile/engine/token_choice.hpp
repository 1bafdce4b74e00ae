// SPDX-License-Identifier: Apache-2.0
// The greedy choice that all ways of decoding share.
#pragma once

#include "kvcal/profile/engine.hpp"

namespace kvcal {

/// Takes the next token: the one with the highest logit, equal ones by the lower id.
/// @param logits  of one row, f32
/// @return  false when the sequence has ended
bool take_token(Continuation& sequence, const at::Tensor& logits, const StopRule& stop);

}  // namespace kvcal
