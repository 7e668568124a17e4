// Variable expansion as the runner and the server do it: $NAME, ${NAME}, $$ (job-execution digest §4.3).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace base {

// nullopt: not defined (expands to nothing).
using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

// Go's os.Expand: one pass, results are not expanded again. Special parameters ($1 $? $* …) are looked up by their
// single character; `$` before anything else, or at the end, stays; `${}` and an unclosed `${` are eaten. `$$` gives
// what lookup says for "$", or "$" when it says nothing.
std::string expand(std::string_view text, const Lookup& lookup);

} // namespace base
