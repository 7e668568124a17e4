// links: trace base
// How fast a job's output becomes a log, on lines as builds print them; and what adversarial secrets do to that.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "trace/job_log.hpp"
#include "trace/masker.hpp"
#include "trace/phrases.hpp"
#include "trace/spool.hpp"

namespace {

constexpr std::size_t kTextSize = 16u << 20;
constexpr std::size_t kWriteSize = 32u << 10; // what is read from a pipe at once

const std::string& build_output() {
  static const std::string text = [] {
    std::string out;
    std::uint32_t random = 1;
    for (int line = 0; out.size() < kTextSize; ++line) {
      out += "[" + std::to_string(line) + "/9999] Building CXX object src/trace/CMakeFiles/trace.dir/";
      for (int i = 0; i < 5; ++i) {
        random = random * 1664525u + 1013904223u;
        out += "file" + std::to_string(random >> 20) + (random % 7 == 0 ? " -Dkey=value" : "_");
      }
      out += ".cpp.o\n";
    }
    return out;
  }();
  return text;
}

std::vector<std::string> secrets(std::int64_t count) {
  std::vector<std::string> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back("s3cr3t-Value-" + std::to_string(i * 7919) + "/x+y=");
  return values;
}

class NullSink final : public trace::Sink {
 public:
  void append(std::string_view bytes) override { benchmark::DoNotOptimize(bytes.data()); }
};

void masker(benchmark::State& state) {
  auto set = std::make_shared<const trace::PhraseSet>(trace::phrases_of(secrets(state.range(0))));
  for (auto _ : state) {
    trace::Masker masker(set);
    std::string out;
    for (std::size_t at = 0; at < build_output().size(); at += kWriteSize) {
      out.clear();
      masker.write(std::string_view(build_output()).substr(at, kWriteSize), out);
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * build_output().size()));
}
BENCHMARK(masker)->Arg(0)->Arg(1)->Arg(5)->Arg(100)->Arg(10'000)->Unit(benchmark::kMillisecond);

void job_log(benchmark::State& state) {
  for (auto _ : state) {
    NullSink sink;
    trace::JobLogOptions options;
    options.masks = secrets(state.range(0));
    options.timestamps = state.range(1) != 0;
    options.limit = 1u << 30;
    trace::JobLog log(sink, options);
    for (std::size_t at = 0; at < build_output().size(); at += kWriteSize)
      log.write(trace::kStageOut, std::string_view(build_output()).substr(at, kWriteSize));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * build_output().size()));
}
BENCHMARK(job_log)->ArgNames({"masks", "stamps"})->ArgsProduct({{0, 5}, {0, 1}})->Unit(benchmark::kMillisecond);

void job_log_to_file(benchmark::State& state) {
  std::string path = "/tmp/forerunner-trace-bench." + std::to_string(::getpid());
  for (auto _ : state) {
    auto spool = trace::FileSpool::open(path).value();
    trace::JobLogOptions options;
    options.masks = secrets(state.range(0));
    options.limit = 1u << 30;
    {
      trace::JobLog log(*spool, options);
      for (std::size_t at = 0; at < build_output().size(); at += kWriteSize)
        log.write(trace::kStageOut, std::string_view(build_output()).substr(at, kWriteSize));
    }
    spool.reset();
    std::remove(path.c_str());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * build_output().size()));
}
BENCHMARK(job_log_to_file)->ArgNames({"masks"})->Arg(0)->Arg(5)->Unit(benchmark::kMillisecond);

// One-character secrets and secrets that the text keeps beginning.
void nasty(benchmark::State& state) {
  std::vector<std::string> values = state.range(0) == 0
                                        ? std::vector<std::string>{"e"}
                                        : std::vector<std::string>{"Building CXX object src/trace/CMakeFiles/x",
                                                                   "file1", "_file2", "trace.dir/file3"};
  auto set = std::make_shared<const trace::PhraseSet>(values);
  for (auto _ : state) {
    trace::Masker masker(set);
    std::string out;
    for (std::size_t at = 0; at < build_output().size(); at += kWriteSize) {
      out.clear();
      masker.write(std::string_view(build_output()).substr(at, kWriteSize), out);
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * build_output().size()));
}
BENCHMARK(nasty)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void compile_phrases(benchmark::State& state) {
  auto values = secrets(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(trace::PhraseSet(trace::phrases_of(values)));
}
BENCHMARK(compile_phrases)->Arg(5)->Arg(100)->Arg(10'000)->Unit(benchmark::kMillisecond);

} // namespace

BENCHMARK_MAIN();
