#include "base/secret.hpp"

#include <sodium.h>

namespace base {
Secret::~Secret() { sodium_memzero(value_.data(), value_.size()); }
} // namespace base
