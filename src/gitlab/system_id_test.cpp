#include "gitlab/system_id.hpp"

#include <gtest/gtest.h>

#include "sys/files.hpp"

namespace gitlab {
namespace {

TEST(SystemId, Generation) {
  EXPECT_EQ(generate_system_id("0123456789abcdef0123456789abcdef"), "s_ee3af03959fe");
  const std::string random = generate_system_id(std::nullopt);
  EXPECT_TRUE(random.starts_with("r_"));
  EXPECT_TRUE(is_valid_system_id(random));
  EXPECT_NE(random, generate_system_id(""));
}

TEST(SystemId, Format) {
  EXPECT_TRUE(is_valid_system_id("s_0123456789aZ"));
  for (const char* bad :
       {"", "x_0123456789aZ", "s_0123456789a", "s_0123456789aZZ", "s-0123456789aZ", "s_01234-6789aZ"}) {
    EXPECT_FALSE(is_valid_system_id(bad)) << bad;
  }
}

TEST(SystemId, KeepsAValidFileAndReplacesAnInvalidOne) {
  const auto dir = sys::TempDir::create();
  ASSERT_TRUE(dir);
  const std::string config = dir->path("sub/config.toml");
  const auto first = load_system_id(config);
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(sys::read_file(dir->path("sub/.runner_system_id")).value(), *first);
  EXPECT_EQ(load_system_id(config).value(), *first);

  ASSERT_TRUE(sys::write_file(dir->path("sub/.runner_system_id"), "r_abcdefghijkl\n"));
  EXPECT_EQ(load_system_id(config).value(), "r_abcdefghijkl");
  ASSERT_TRUE(sys::write_file(dir->path("sub/.runner_system_id"), "garbage"));
  EXPECT_TRUE(is_valid_system_id(load_system_id(config).value()));
  EXPECT_NE(sys::read_file(dir->path("sub/.runner_system_id")).value(), "garbage");
}

} // namespace
} // namespace gitlab
