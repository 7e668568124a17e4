// What a push means: rights per ref before it is taken, pipelines after. Called by the thread that serves the push.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "coordinator/api.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/runner_api/work.hpp"

namespace coordinator::git {

struct Push {
  std::shared_ptr<Work> work;
  model::Project project;
  Identity identity;
  Access access;
};

struct RefUpdate {
  std::string before;
  std::string after;
  std::string ref;     // refs/heads/main
  bool forced = false; // drops commits that the branch had; known only before the push is taken
};

struct HookAnswer {
  bool allowed = true;
  std::vector<std::string> lines; // for the pusher
};

HookAnswer pre_receive(const Push& push, const std::vector<RefUpdate>& updates);
HookAnswer post_receive(const Push& push, const std::vector<RefUpdate>& updates,
                        const std::vector<std::string>& options);

} // namespace coordinator::git
