#include "base/version.hpp"

#ifndef FORERUNNER_VERSION
#error "FORERUNNER_VERSION must be defined by the build"
#endif

namespace base {

std::string_view version() { return FORERUNNER_VERSION; }
std::string_view revision() { return FORERUNNER_REVISION; }
std::string_view branch() { return FORERUNNER_BRANCH; }
std::string_view platform() { return "linux"; }

std::string_view architecture() {
#if defined(__x86_64__)
  return "amd64";
#elif defined(__aarch64__)
  return "arm64";
#elif defined(__riscv)
  return "riscv64";
#elif defined(__s390x__)
  return "s390x";
#elif defined(__powerpc64__)
  return "ppc64le";
#elif defined(__arm__)
  return "arm";
#else
  return "386";
#endif
}

std::string user_agent() {
  std::string text(kProgramName);
  text += ' ';
  text += version();
  text += " (";
  text += branch();
  text += "; clang" + std::to_string(__clang_major__) + "; ";
  text += platform();
  text += '/';
  text += architecture();
  text += ')';
  return text;
}

} // namespace base
