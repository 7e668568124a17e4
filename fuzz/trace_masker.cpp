// links: trace base
// The streaming masker against the naive one, over any phrases, any text and any cutting of it.
// Input: up to 8 phrases, each ended by a zero byte; then the sizes of writes, one byte each, up to a zero; then text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "trace/masker.hpp"
#include "trace/masker_oracle.hpp"

namespace {
std::string_view take(std::string_view& input) {
  std::size_t end = std::min(input.find('\0'), input.size());
  std::string_view part = input.substr(0, end);
  input.remove_prefix(std::min(end + 1, input.size()));
  return part;
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 2048));
  if (input.empty()) return 0;
  std::size_t count = static_cast<unsigned char>(input[0]) % 9;
  input.remove_prefix(1);
  std::vector<std::string> phrases;
  for (std::size_t i = 0; i < count; ++i) phrases.emplace_back(take(input));
  std::string_view sizes = take(input);

  trace::Masker masker(std::make_shared<const trace::PhraseSet>(phrases));
  std::string out;
  std::string_view rest = input;
  for (std::size_t i = 0; !rest.empty(); ++i) {
    std::size_t step = sizes.empty() ? rest.size() : static_cast<unsigned char>(sizes[i % sizes.size()]);
    masker.write(rest.substr(0, step), out);
    rest.remove_prefix(std::min(step, rest.size()));
  }
  masker.finish(out);
  if (out != trace::oracle::mask(phrases, input)) std::abort();
  return 0;
}
