// SPDX-License-Identifier: Apache-2.0
// Where sentences end, token by token.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "kvcal/profile/tokenizer.hpp"

namespace kvcal {

/// A sentence ends with a token that holds a line break or one of .!? (or their CJK forms) where
/// white space, a closing mark or nothing follows.
///
/// @return  [tokens] i64: number of the sentence that each token is in, from 0 upwards
at::Tensor number_sentences(const Tokenizer& tokenizer, std::span<const int64_t> ids);

}  // namespace kvcal
