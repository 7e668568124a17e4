#include "coordinator/model/releases.hpp"

#include <compare>
#include <iterator>

#include "base/strings.hpp"
#include "base/version.hpp"
#include "coordinator/app.hpp"

namespace coordinator::model {
namespace {

struct Version {
  int major = 0;
  int minor = 0;
  int patch = 0;
  bool preview = false; // of that version: older than it
  friend auto operator<=>(const Version& a, const Version& b) {
    if (const auto order = a.major <=> b.major; order != 0) return order;
    if (const auto order = a.minor <=> b.minor; order != 0) return order;
    if (const auto order = a.patch <=> b.patch; order != 0) return order;
    return static_cast<int>(b.preview) <=> static_cast<int>(a.preview);
  }
};

// The last patch of each minor version of GitLab Runner that was known when this list was made. Newest last.
constexpr Version kReleases[] = {
    {13, 12, 0}, {14, 0, 0},  {14, 1, 0},  {14, 2, 0}, {14, 3, 0},  {14, 4, 0},  {14, 5, 2}, {14, 6, 0},  {14, 7, 0},
    {14, 8, 0},  {14, 9, 0},  {14, 10, 1}, {15, 0, 0}, {15, 1, 0},  {15, 2, 0},  {15, 3, 3}, {15, 4, 2},  {15, 5, 1},
    {15, 6, 3},  {15, 7, 3},  {15, 8, 0},  {15, 9, 1}, {15, 10, 0}, {15, 11, 1}, {16, 0, 2}, {16, 1, 0},  {16, 2, 0},
    {16, 3, 1},  {16, 4, 0},  {16, 5, 0},  {16, 6, 2}, {16, 7, 0},  {16, 8, 0},  {16, 9, 1}, {16, 10, 1}, {16, 11, 4},
    {17, 0, 3},  {17, 1, 2},  {17, 2, 3},  {17, 3, 3}, {17, 4, 2},  {17, 5, 5},  {17, 6, 1}, {17, 7, 1},  {17, 8, 4},
    {17, 9, 2},  {17, 10, 2}, {17, 11, 3}, {18, 0, 3}, {18, 1, 0},  {18, 2, 2},  {18, 3, 1}, {19, 4, 0}};

std::optional<Version> parse(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  const auto end = text.find_first_not_of("0123456789.");
  const auto parts = base::split(text.substr(0, end), '.');
  if (parts.size() != 3) return std::nullopt;
  int numbers[3] = {};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto number = parts[i].size() <= 6 ? base::parse_int(parts[i]) : std::nullopt;
    if (!number) return std::nullopt;
    numbers[i] = static_cast<int>(*number);
  }
  const auto rest = end == std::string_view::npos ? std::string_view() : text.substr(end);
  if (!rest.empty() && rest.front() != '~' && rest.front() != '-' && rest.front() != '+') return std::nullopt;
  return Version{numbers[0], numbers[1], numbers[2], rest.starts_with('~') || rest.starts_with('-')};
}

} // namespace

std::string_view to_string(Upgrade upgrade) {
  switch (upgrade) {
    case Upgrade::kInvalid:
      return "invalid";
    case Upgrade::kNotAvailable:
      return "not_available";
    case Upgrade::kAvailable:
      return "available";
    case Upgrade::kRecommended:
      return "recommended";
  }
  return "";
}

Upgrade upgrade_of(std::string_view text) {
  const auto version = parse(text);
  if (!version) return Upgrade::kInvalid;
  if (version->major == 0) {
    const auto ours = parse(base::version());
    if (!ours || *version >= *ours) return Upgrade::kNotAvailable;
    return version->minor == ours->minor || ours->major > 0 ? Upgrade::kRecommended : Upgrade::kAvailable;
  }
  if (version->major < parse(kEmulatedVersion)->major) return Upgrade::kRecommended;
  for (const auto& release : kReleases) {
    if (release.major == version->major && release.minor == version->minor && release > *version) {
      return Upgrade::kRecommended;
    }
  }
  return *version < *std::prev(std::end(kReleases)) ? Upgrade::kAvailable : Upgrade::kNotAvailable;
}

} // namespace coordinator::model
