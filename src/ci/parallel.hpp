// parallel: a configured job → its instances; names of configured jobs → names of instances. Internal to ci.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ci/config.hpp"
#include "ci/problems.hpp"

namespace ci {

// All jobs of a pipeline's configuration after expansion, in the order they were written.
class Instances {
 public:
  Instances(std::vector<JobConfig> configured, Problems& problems);

  std::vector<JobConfig>& all() { return all_; }
  const std::vector<JobConfig>& all() const { return all_; }
  // nullptr: no such instance.
  const JobConfig* find(std::string_view name) const;
  // Instances that a name stands for: all of a parallel job, or the one; empty: unknown.
  std::vector<std::string> named(const std::string& name) const;
  // What needs mean for this instance. Names that stand for nothing stay as written, for the checks to find.
  std::vector<Need> needs_of(const JobConfig& job, const std::vector<NeedConfig>& needs) const;

 private:
  void add(JobConfig job, const std::string& base, Problems& problems);
  std::vector<std::string> selected(const JobConfig& job, const NeedConfig& need) const;

  std::vector<JobConfig> all_;
  std::vector<std::string> names_;                     // of all_, also after a job has been moved into the pipeline
  std::unordered_map<std::string, std::size_t> index_; // instance name → all_
  std::unordered_map<std::string, std::vector<std::size_t>> by_base_; // configured name → all_
  std::size_t weight_ = 0;
};

// The Cartesian products of a matrix, last key fastest.
std::vector<Permutation> permutations(const std::vector<MatrixEntry>& matrix);
// "name: [a, b]"
std::string matrix_name(std::string_view base, const Permutation& permutation);

} // namespace ci
