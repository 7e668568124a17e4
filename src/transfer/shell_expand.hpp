// Variables in artifact names and paths, expanded as in the body of an unquoted here-document.
//
// ${NAME} with the POSIX operators, substrings, replacement and case, ${#NAME}, $((arithmetic)). Quotes are literal.
// Command substitution is an error: these texts come from the project and nothing here ever runs a program.
#pragma once

#include <string>
#include <string_view>

#include "base/expand.hpp"
#include "base/result.hpp"

namespace transfer {

base::Result<std::string> shell_expand(std::string_view text, const base::Lookup& lookup);

} // namespace transfer
