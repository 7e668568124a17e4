#include "base/result.hpp"

#include <cerrno>
#include <cstring>

namespace base {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidInput:
      return "invalid input";
    case ErrorKind::kNotFound:
      return "not found";
    case ErrorKind::kConflict:
      return "conflict";
    case ErrorKind::kUnauthorized:
      return "unauthorized";
    case ErrorKind::kForbidden:
      return "forbidden";
    case ErrorKind::kUnavailable:
      return "unavailable";
    case ErrorKind::kTimeout:
      return "timeout";
    case ErrorKind::kCanceled:
      return "canceled";
    case ErrorKind::kLimit:
      return "limit exceeded";
    case ErrorKind::kIo:
      return "I/O error";
    case ErrorKind::kChildFailed:
      return "child failed";
    case ErrorKind::kSystem:
      return "system error";
    case ErrorKind::kInternal:
      return "internal error";
  }
  return "unknown";
}

std::string Error::message() const {
  std::string text = message_;
  for (const Error* inner = cause_.get(); inner != nullptr; inner = inner->cause_.get()) text += ": " + inner->message_;
  return text;
}

Error Error::context(std::string outer) && {
  Error wrapped(kind_, std::move(outer), errno_);
  wrapped.cause_ = std::make_shared<const Error>(std::move(*this));
  return wrapped;
}

std::unexpected<Error> fail_errno(std::string what, int sys_errno) {
  ErrorKind kind = ErrorKind::kIo;
  if (sys_errno == ENOENT) kind = ErrorKind::kNotFound;
  if (sys_errno == EEXIST) kind = ErrorKind::kConflict;
  if (sys_errno == EACCES || sys_errno == EPERM) kind = ErrorKind::kForbidden;
  what += ": ";
  what += std::strerror(sys_errno);
  return std::unexpected(Error(kind, std::move(what), sys_errno));
}

std::unexpected<Error> fail_context(std::string outer, Error error) {
  return std::unexpected(std::move(error).context(std::move(outer)));
}

} // namespace base
