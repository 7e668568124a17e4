#include "ci/parallel.hpp"

#include <fmt/format.h>

#include "base/strings.hpp"
#include "ci/tree.hpp"

namespace ci {
namespace {
constexpr std::size_t kMaxName = 255;

// What an instance copies of its configuration, about.
std::size_t weight_of(const Job& job) {
  std::size_t total = sizeof(JobConfig);
  for (const auto* script : {&job.before_script, &job.script, &job.after_script})
    for (const std::string& line : *script) total += sizeof(std::string) + line.size();
  for (const Variable& variable : job.variables)
    total += sizeof(Variable) + variable.key.size() + variable.value.size();
  return total;
}

void set_variable(Variables& variables, const std::string& key, const std::string& value) {
  for (Variable& variable : variables) {
    if (variable.key == key) {
      variable.value = value;
      variable.raw = false;
      return;
    }
  }
  variables.push_back({.key = key, .value = value, .is_public = true});
}

// $[[ matrix.KEY ]] in a selector: the value of the job that needs.
std::string interpolate(std::string_view text, const Permutation& own) {
  std::string out(text);
  for (std::size_t start = out.find("$[["); start != std::string::npos; start = out.find("$[[", start + 1)) {
    std::size_t end = out.find("]]", start);
    if (end == std::string::npos) break;
    std::string name(base::trim(std::string_view(out).substr(start + 3, end - start - 3)));
    if (!name.starts_with("matrix.")) continue;
    for (const auto& [key, value] : own) {
      if (key != name.substr(7)) continue;
      out.replace(start, end + 2 - start, value);
      break;
    }
  }
  return out;
}
} // namespace

std::vector<Permutation> permutations(const std::vector<MatrixEntry>& matrix) {
  std::vector<Permutation> all;
  for (const MatrixEntry& entry : matrix) {
    std::vector<Permutation> product{{}};
    for (const auto& [key, values] : entry) {
      if (values.empty()) continue;
      std::vector<Permutation> longer;
      for (const Permutation& prefix : product) {
        for (const std::string& value : values) {
          longer.push_back(prefix);
          longer.back().emplace_back(key, value);
        }
      }
      product = std::move(longer);
    }
    all.insert(all.end(), product.begin(), product.end());
  }
  return all;
}

std::string matrix_name(std::string_view base, const Permutation& permutation) {
  std::vector<std::string> values;
  for (const auto& [key, value] : permutation) values.push_back(value);
  return fmt::format("{}: [{}]", base, base::join(values, ", "));
}

Instances::Instances(std::vector<JobConfig> configured, Problems& problems) {
  for (JobConfig& job : configured) {
    if (problems.failed()) return;
    std::string base = job.job.name;
    if (job.parallel == 0 && job.matrix.empty()) {
      add(std::move(job), base, problems);
      continue;
    }
    auto matrix = permutations(job.matrix);
    int total = job.parallel != 0 ? job.parallel : static_cast<int>(matrix.size());
    for (int i = 1; i <= total && !problems.failed(); ++i) {
      JobConfig instance = job;
      instance.job.node_index = i;
      instance.job.node_total = total;
      if (job.parallel != 0) {
        instance.job.name = fmt::format("{} {}/{}", base, i, total);
      } else {
        instance.permutation = matrix[static_cast<std::size_t>(i) - 1];
        instance.job.name = matrix_name(base, instance.permutation);
        for (const auto& [key, value] : instance.permutation) set_variable(instance.job.variables, key, value);
      }
      add(std::move(instance), base, problems);
    }
  }
}

void Instances::add(JobConfig job, const std::string& base, Problems& problems) {
  const std::string& name = job.job.name;
  auto [slot, fresh] = index_.try_emplace(name, all_.size());
  if (!fresh) {
    // A matrix that lists a value twice means it once.
    if (!job.permutation.empty() && by_base_.contains(base)) return;
    return problems.error(job.mark, fmt::format("jobs:{} is the name of two jobs", name));
  }
  if (name.size() > kMaxName)
    problems.error(job.mark, fmt::format("jobs:{} name is too long (maximum is 255 characters)", name));
  weight_ += weight_of(job.job);
  if (weight_ > kMaxWeight) return problems.error(job.mark, "Total size of combined CI/CD configuration is too big");
  by_base_[base].push_back(all_.size());
  names_.push_back(name);
  all_.push_back(std::move(job));
}

const JobConfig* Instances::find(std::string_view name) const {
  auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &all_[found->second];
}

std::vector<std::string> Instances::named(const std::string& name) const {
  std::vector<std::string> names;
  if (auto found = by_base_.find(name); found != by_base_.end()) {
    for (std::size_t index : found->second) names.push_back(names_[index]);
  } else if (index_.contains(name)) {
    names.push_back(name);
  }
  return names;
}

std::vector<std::string> Instances::selected(const JobConfig& job, const NeedConfig& need) const {
  std::vector<MatrixEntry> matrix = need.matrix;
  for (MatrixEntry& entry : matrix)
    for (auto& [key, values] : entry)
      for (std::string& value : values) value = interpolate(value, job.permutation);
  auto found = by_base_.find(need.job);
  std::vector<std::string> names;
  for (Permutation& wanted : permutations(matrix)) {
    std::string name = matrix_name(need.job, wanted);
    std::sort(wanted.begin(), wanted.end());
    if (found != by_base_.end()) {
      for (std::size_t index : found->second) {
        Permutation have = all_[index].permutation;
        std::sort(have.begin(), have.end());
        if (have == wanted) name = names_[index];
      }
    }
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<Need> Instances::needs_of(const JobConfig& job, const std::vector<NeedConfig>& needs) const {
  std::vector<Need> out;
  for (const NeedConfig& need : needs) {
    auto names = need.matrix.empty() ? named(need.job) : selected(job, need);
    if (names.empty()) names.push_back(need.job);
    for (std::string& name : names) out.push_back({std::move(name), need.artifacts, need.optional});
  }
  return out;
}

} // namespace ci
