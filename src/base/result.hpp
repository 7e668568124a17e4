// Result<T> and Error: how every module reports what a caller may meet.
//
// A kind is chosen by what callers do about it; the message is for the user (lower case, no trailing dot, says what,
// with which value, and what to do). Causes chain with context(). Exceptions are for what cannot happen.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace base {

enum class ErrorKind {
  kInvalidInput, // the caller or the user gave something wrong
  kNotFound,     // does not exist
  kConflict,     // exists already, or somebody else holds it
  kUnauthorized, // no or wrong credentials
  kForbidden,    // credentials known, right missing
  kUnavailable,  // the other side cannot be reached or says "later"
  kTimeout,      // a deadline passed
  kCanceled,     // a cancel token was raised
  kLimit,        // a limit (size, count, depth) was exceeded
  kIo,           // a file or socket operation failed
  kChildFailed,  // a child process ended with an error
  kSystem,       // the operating system refused
  kInternal,     // a bug of ours
};

std::string_view to_string(ErrorKind kind);

class Error {
 public:
  Error(ErrorKind kind, std::string message, int sys_errno = 0)
      : kind_(kind), message_(std::move(message)), errno_(sys_errno) {}

  ErrorKind kind() const { return kind_; }
  // The message of this error alone.
  const std::string& own_message() const { return message_; }
  // "outer: inner: innermost", for the user, printed once.
  std::string message() const;
  // errno of the failed call, 0 if there was none.
  int sys_errno() const { return errno_; }
  const Error* cause() const { return cause_.get(); }

  // The same kind and errno with a sentence in front.
  Error context(std::string outer) &&;

 private:
  ErrorKind kind_;
  std::string message_;
  int errno_;
  std::shared_ptr<const Error> cause_;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return std::unexpected(Error(kind, std::move(message)));
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }
// kIo (kNotFound for ENOENT, kConflict for EEXIST, kForbidden for EACCES/EPERM): "<what>: <strerror>".
std::unexpected<Error> fail_errno(std::string what, int sys_errno);
// fail(std::move(error).context(outer))
std::unexpected<Error> fail_context(std::string outer, Error error);

} // namespace base

#define FR_CONCAT_INNER(a, b) a##b
#define FR_CONCAT(a, b) FR_CONCAT_INNER(a, b)
#define FR_TRY_AS(name, expression)                            \
  ({                                                           \
    auto name = (expression);                                  \
    if (!name) return ::base::fail(std::move((name).error())); \
    std::move(*name);                                          \
  })
// Runs an expression that yields a Result; returns its error from the enclosing function, else evaluates to the value.
// May be nested.
#define FR_TRY(expression) FR_TRY_AS(FR_CONCAT(fr_try_, __COUNTER__), expression)
// The same for a Status.
#define FR_CHECK(expression)                                   \
  do {                                                         \
    if (auto fr_check_result = (expression); !fr_check_result) \
      return ::base::fail(std::move(fr_check_result.error())); \
  } while (false)
