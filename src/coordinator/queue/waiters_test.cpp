// Who waits, found by what they may take: against the plain rules, and whose turn it is.

#include "coordinator/queue/waiters.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

namespace coordinator::queue {
namespace {

Waiter waiter(std::int64_t runner) {
  Waiter out;
  out.runner_id = runner;
  out.until = 1000;
  return out;
}

// Small numbers, so that things meet.
std::vector<std::string> draw_tags() {
  auto tags =
      *rc::gen::resize(3, rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>("a", "b", "c")));
  std::ranges::sort(tags);
  tags.erase(std::ranges::unique(tags).begin(), tags.end());
  return tags;
}
std::int64_t draw_id() { return *rc::gen::inRange<std::int64_t>(1, 4); }

Reach draw_reach() {
  Reach reach;
  reach.type = *rc::gen::element(RunnerType::kInstance, RunnerType::kGroup, RunnerType::kProject);
  if (reach.type == RunnerType::kGroup) reach.owners = {draw_id()};
  if (reach.type == RunnerType::kProject) {
    for (std::int64_t id : {1, 2, 3})
      if (*rc::gen::arbitrary<bool>()) reach.owners.push_back(id);
  }
  reach.active = *rc::gen::weightedElement<bool>({{5, true}, {1, false}});
  reach.run_untagged = *rc::gen::arbitrary<bool>();
  reach.ref_protected = *rc::gen::arbitrary<bool>();
  reach.tags = draw_tags();
  return reach;
}

std::set<std::uint64_t> tickets_of(const std::vector<const Line*>& lines) {
  std::set<std::uint64_t> out;
  for (const Line* line : lines)
    for (std::uint64_t ticket : line->tickets) RC_ASSERT(out.insert(ticket).second); // nobody stands twice
  return out;
}

TEST(Waiters, FoundByTheRules) {
  rc::check([] {
    Waiters waiters;
    std::map<std::uint64_t, Reach> present;
    std::map<std::uint64_t, std::int64_t> runner_of;
    int steps = *rc::gen::inRange(1, 30);
    for (int step = 0; step < steps; ++step) {
      int what = *rc::gen::inRange(0, 4);
      if (what < 2 || present.empty()) {
        std::int64_t runner = draw_id();
        Reach reach = draw_reach();
        std::uint64_t ticket = waiters.add(waiter(runner), reach);
        bool later = present.empty() || ticket > present.rbegin()->first;
        RC_ASSERT(later);
        present[ticket] = reach;
        runner_of[ticket] = runner;
      } else {
        auto at = present.begin();
        std::advance(at, *rc::gen::inRange<std::size_t>(0, present.size()));
        if (what == 2) {
          RC_ASSERT(waiters.take(at->first)->runner_id == runner_of[at->first]);
          RC_ASSERT(!waiters.take(at->first));
          present.erase(at);
        } else {
          at->second = draw_reach();
          waiters.move(at->first, at->second);
        }
      }
    }
    RC_ASSERT(waiters.size() == present.size());
    for (std::int64_t id : {1, 2, 3}) {
      std::vector<std::uint64_t> expected;
      for (const auto& [ticket, reach] : present)
        if (runner_of[ticket] == id) expected.push_back(ticket);
      RC_ASSERT(waiters.of_runner(id) == expected);
    }

    Place place{.project_id = draw_id(), .own = *rc::gen::arbitrary<bool>(), .instance = false, .groups = {}};
    if (place.own) place.instance = *rc::gen::arbitrary<bool>();
    for (std::int64_t id : {1, 2, 3})
      if (place.own && *rc::gen::arbitrary<bool>()) place.groups.push_back(id);
    bool is_protected = *rc::gen::arbitrary<bool>();
    auto tags = draw_tags();
    std::set<std::uint64_t> expected;
    bool anybody = false;
    for (const auto& [ticket, reach] : present) {
      if (!reach.accepts(is_protected, tags)) continue;
      anybody = true;
      if (serves(reach, place)) expected.insert(ticket);
    }
    RC_ASSERT(waiters.wanted(is_protected, tags) == anybody);
    RC_ASSERT(tickets_of(waiters.lines_for(place, is_protected, tags)) == expected);
  });
}

TEST(Waiters, EqualReachStandsInOneLine) {
  Waiters waiters;
  Reach reach{.tags = {"a", "b"}};
  for (int i = 0; i < 1000; ++i) waiters.add(waiter(i), reach);
  Place place{.project_id = 1, .own = true, .instance = true, .groups = {}};
  auto lines = waiters.lines_for(place, false, {"b"});
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]->tickets.size(), 1000u);
  // Tags hold anything: these two runners are not the same.
  EXPECT_NE((Reach{.tags = {"a 1:b"}}).key(), (Reach{.tags = {"a", "b"}}).key());
  EXPECT_NE((Reach{.type = RunnerType::kProject, .owners = {1, 2}}).key(),
            (Reach{.type = RunnerType::kProject, .owners = {12}}).key());
}

} // namespace
} // namespace coordinator::queue
