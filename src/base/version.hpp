// What this build calls itself.
#pragma once

#include <string>
#include <string_view>

namespace base {

inline constexpr std::string_view kProgramName = "forerunner";
std::string_view version();      // "0.1.0"
std::string_view revision();     // 8 hex digits of the commit, "HEAD" when unknown
std::string_view branch();       // "HEAD" when unknown
std::string_view platform();     // Go's GOOS names: "linux"
std::string_view architecture(); // Go's GOARCH names: "amd64", "arm64", …
// "<program> <version> (<branch>; <toolchain>; <os>/<arch>)", sent with every request.
std::string user_agent();

} // namespace base
