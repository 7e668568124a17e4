// Quoting for shells: any bytes come out of the shell as they went in, but NUL, which no variable and no argument can
// hold: it is left out. Pure.
#pragma once

#include <string>
#include <string_view>

namespace script {

enum class Quoting {
  kAnsi,  // bash: $'…' with escapes, one line whatever the text holds
  kPosix, // every shell: '…'
};

// A single word. Plain words stay bare.
std::string escape(std::string_view text, Quoting quoting);

// A value for a git configuration file, in double quotes.
std::string git_config_quote(std::string_view text);

} // namespace script
