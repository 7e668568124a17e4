// Where a job log's finished bytes go: a file (spool.hpp), a string in tests.
#pragma once

#include <string>
#include <string_view>

namespace trace {

class Sink {
 public:
  virtual ~Sink() = default;
  // Never fails towards the caller: a sink that loses bytes remembers it and says so itself.
  virtual void append(std::string_view bytes) = 0;
};

class StringSink final : public Sink {
 public:
  void append(std::string_view bytes) override { text_ += bytes; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

} // namespace trace
