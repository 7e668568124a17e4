// For the tests of this module: a project tree in memory and a Context with every fact filled in.
#pragma once

#include <map>
#include <string>

#include "ci/context.hpp"

namespace ci {

class MemoryFiles final : public ProjectFiles {
 public:
  std::map<std::string, std::string, std::less<>> files;
  std::map<std::string, std::vector<std::string>, std::less<>> changed; // by ref

  base::Result<std::string> read(std::string_view path) override {
    auto found = files.find(path);
    if (found == files.end()) return base::fail(base::ErrorKind::kNotFound, "no such file");
    return found->second;
  }
  base::Result<std::vector<std::string>> list() override {
    std::vector<std::string> all;
    for (const auto& [path, text] : files) all.push_back(path);
    return all;
  }
  // As git makes it.
  base::Result<std::optional<std::string>> blob_id(std::string_view path) override;
  base::Result<std::optional<std::string>> last_commit(std::string_view path) override {
    if (!files.contains(path)) return std::nullopt;
    return "c0ffee" + std::string(path);
  }
  base::Result<std::vector<std::string>> changed_since(std::string_view ref) override {
    auto found = changed.find(ref);
    if (found == changed.end()) return base::fail(base::ErrorKind::kNotFound, "no such ref");
    return found->second;
  }
};

inline Context test_context() {
  Context context;
  context.server = {.url = "https://ci.example.com:8443", .version = "18.1.0", .revision = "abcdef"};
  context.project = {.id = 7, .full_path = "group/sub/app", .namespace_id = 3};
  context.commit = {.sha = "0123456789abcdef0123456789abcdef01234567",
                    .before_sha = "fedcba9876543210fedcba9876543210fedcba98",
                    .message = "Title of it\n\nBody.\n",
                    .author = "Ann <ann@example.com>",
                    .timestamp = "2026-01-02T03:04:05Z"};
  context.user = {.id = 1, .login = "ann", .name = "Ann", .email = "ann@example.com"};
  context.pipeline.ref = "main";
  return context;
}

} // namespace ci
