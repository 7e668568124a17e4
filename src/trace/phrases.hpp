// Which byte strings must not appear in a job log, given the secret values of the job. Pure.
//
// Upstream masks a value as it stands. A job that prints `echo $KEY | base64`, a JSON dump or the second line of a
// private key would leak it, so forms that a reader turns back without a thought are phrases too.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace trace {

// Values and lines shorter than this get no derived forms: they would hide half of an ordinary log.
inline constexpr std::size_t kMinDerivedLength = 8;

// Trimmed, without empty ones and duplicates, shortest first (ties by bytes): the values and their derived forms.
std::vector<std::string> phrases_of(const std::vector<std::string>& values);

// Token prefixes whose following characters are masked: the payload's own, `glpat-`, and with `all_defaults`
// (FF_MASK_ALL_DEFAULT_TOKENS) every prefix that GitLab gives its tokens. No cap on their number.
std::vector<std::string> token_prefixes(const std::vector<std::string>& from_payload, bool all_defaults);

} // namespace trace
