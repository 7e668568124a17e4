#include "coordinator/git/turns.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace coordinator::git {
namespace {

using Held = std::vector<std::shared_ptr<Turns::Turn>>;

TEST(Turns, SoManyAtOnceAndTheOthersInTheirOrder) {
  std::vector<std::function<void()>> started;
  auto turns = std::make_shared<Turns>([&](std::function<void()> work) { return started.push_back(work), true; }, 2);
  Held held;
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(Turns::take(turns, [&, i](std::shared_ptr<Turns::Turn> turn) {
      order.push_back(i);
      held.push_back(std::move(turn));
    }));
  }
  EXPECT_EQ(order, (std::vector<int>{0, 1}));
  for (std::size_t next = 2; next < 5; ++next) {
    held.erase(held.begin());
    ASSERT_EQ(started.size(), 1u); // not on the thread where a turn ended
    started.front()();
    started.clear();
    EXPECT_EQ(order.back(), static_cast<int>(next));
  }
  held.clear();
  EXPECT_TRUE(started.empty());
}

TEST(Turns, TheLineHasAnEnd) {
  auto turns = std::make_shared<Turns>([](const std::function<void()>&) { return false; }, 1);
  Held held;
  int refused = 0;
  for (int i = 0; i < 1100; ++i) {
    refused += !Turns::take(turns, [&](std::shared_ptr<Turns::Turn> turn) { held.push_back(std::move(turn)); });
  }
  EXPECT_EQ(refused, 99);
  held.clear(); // nobody is started any more: the line just ends
  EXPECT_TRUE(Turns::take(turns, [&](std::shared_ptr<Turns::Turn> turn) { held.push_back(std::move(turn)); }));
  EXPECT_EQ(held.size(), 1u);
}

} // namespace
} // namespace coordinator::git
