#include <gtest/gtest.h>

#include "executor/executor.hpp"

namespace executor {
namespace {

TEST(Registry, MakesWhatIsBuiltAndNamesWhatIsNot) {
  EXPECT_TRUE(create("shell"));
  EXPECT_TRUE(available("shell"));
  EXPECT_EQ(create("kubernetes").error().message(),
            "executor \"kubernetes\" is not supported by this version of forerunner yet");
  EXPECT_FALSE(available("docker"));
  EXPECT_EQ(create("dokcer").error().message(), "executor not found: \"dokcer\"");
  EXPECT_EQ(create("").error().kind(), base::ErrorKind::kInvalidInput);
  EXPECT_EQ(known_names().size(), 11u);
}

} // namespace
} // namespace executor
