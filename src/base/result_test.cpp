#include "base/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>

using namespace base;

namespace {
Result<int> half(int number) {
  if (number % 2 != 0) return fail(ErrorKind::kInvalidInput, "odd");
  return number / 2;
}
Result<int> quarter(int number) {
  int once = FR_TRY(half(number));
  return FR_TRY(half(once));
}
Status check(int number) {
  FR_CHECK(quarter(number));
  return {};
}
} // namespace

TEST(Result, TryPassesErrorsOn) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().kind(), ErrorKind::kInvalidInput);
  EXPECT_TRUE(check(4));
  EXPECT_FALSE(check(3));
}

TEST(Result, ContextChains) {
  Error error = Error(ErrorKind::kIo, "inner", EIO).context("outer");
  EXPECT_EQ(error.message(), "outer: inner");
  EXPECT_EQ(error.kind(), ErrorKind::kIo);
  EXPECT_EQ(error.sys_errno(), EIO);
  EXPECT_EQ(error.cause()->own_message(), "inner");
}

TEST(Result, ErrnoGivesTheKind) {
  EXPECT_EQ(fail_errno("open x", ENOENT).error().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(fail_errno("open x", EACCES).error().kind(), ErrorKind::kForbidden);
  EXPECT_EQ(fail_errno("open x", ENOSPC).error().message(), "open x: No space left on device");
}
