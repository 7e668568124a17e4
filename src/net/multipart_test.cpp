#include "net/multipart.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "sys/files.hpp"

namespace net {
namespace {

const char* const kType = "multipart/form-data; boundary=XX";
const std::string kBody =
    "--XX\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nabc\r\n"
    "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\\\"b.zip\"\r\n"
    "Content-Type: application/octet-stream\r\n\r\nPK\r\n--X\r\n\r\ndata\r\n"
    "--XX\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--XX--\r\nepilogue";

TEST(Multipart, ValuesAndFileRegions) {
  auto parts = parse_multipart(kBody, kType);
  ASSERT_TRUE(parts) << parts.error().message();
  ASSERT_EQ(parts->size(), 3u);
  EXPECT_EQ((*parts)[0].header.name, "token");
  EXPECT_EQ((*parts)[0].value, "abc");
  EXPECT_EQ((*parts)[1].header.filename, "a\"b.zip");
  EXPECT_EQ((*parts)[1].header.content_type, "application/octet-stream");
  EXPECT_EQ(kBody.substr((*parts)[1].offset, (*parts)[1].size), "PK\r\n--X\r\n\r\ndata");
  EXPECT_EQ((*parts)[2].size, 0u);
  EXPECT_EQ((*parts)[2].header.name, "empty");
}

TEST(Multipart, AnyChunkingGivesTheSame) {
  rc::check("chunking does not matter", [] {
    std::string text;
    MultipartParser parser("XX", {.on_part =
                                      [&](const PartHeader& header) {
                                        text += "<" + header.name + ">";
                                        return base::Status{};
                                      },
                                  .on_data =
                                      [&](std::string_view bytes, std::uint64_t offset) {
                                        RC_ASSERT(kBody.substr(offset, bytes.size()) == bytes);
                                        text += bytes;
                                        return base::Status{};
                                      },
                                  .on_part_end =
                                      [&] {
                                        text += "|";
                                        return base::Status{};
                                      }});
    for (std::size_t at = 0; at < kBody.size();) {
      auto size = *rc::gen::inRange<std::size_t>(1, 12);
      RC_ASSERT(parser.feed(std::string_view(kBody).substr(at, size)).has_value());
      at += size;
    }
    RC_ASSERT(parser.finish().has_value());
    RC_ASSERT(text == "<token>abc|<file>PK\r\n--X\r\n\r\ndata|<empty>|");
  });
}

TEST(Multipart, LimitsCountAlikeInOnePieceAndInMany) {
  const auto accepted = [](const std::string& body, std::size_t step) {
    MultipartParser parser("XX", {.on_part = {}, .on_data = {}, .on_part_end = {}});
    for (std::size_t at = 0; at < body.size(); at += step) {
      if (!parser.feed(std::string_view(body).substr(at, step))) return false;
    }
    return parser.finish().has_value();
  };
  const auto padded = [](std::size_t blanks) {
    return "--XX" + std::string(blanks, ' ') + "\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--XX--";
  };
  const auto headed = [](std::size_t size) {
    return "--XX\r\nA:" + std::string(size - 4, 'x') + "\r\n\r\nb\r\n--XX--"; // with the line end before it
  };
  for (const std::size_t step : {1u, 7u, 1u << 20}) {
    EXPECT_TRUE(accepted(padded(128), step)) << step;
    EXPECT_FALSE(accepted(padded(129), step)) << step;
    EXPECT_TRUE(accepted(headed(16u << 10), step)) << step;
    EXPECT_FALSE(accepted(headed((16u << 10) + 1), step)) << step;
  }
}

TEST(Multipart, MalformedBodies) {
  EXPECT_FALSE(parse_multipart("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nabc", kType));
  EXPECT_FALSE(parse_multipart("", kType));
  EXPECT_FALSE(parse_multipart("--XXgarbage\r\n\r\n", kType));
  EXPECT_FALSE(parse_multipart(kBody, "text/plain"));
  EXPECT_EQ(parse_multipart("--XX\r\n" + std::string(100'000, 'a'), kType).error().kind(), base::ErrorKind::kLimit);
  rc::check("any bytes are survived", [](const std::string& text) { (void)parse_multipart("--XX\r\n" + text, kType); });
}

TEST(Multipart, FrameRoundTrip) {
  auto frame = multipart_file_frame("file", "we\"ird\\.zip");
  auto directory = sys::TempDir::create();
  ASSERT_TRUE(directory);
  std::string content(1 << 20, 'x');
  ASSERT_TRUE(sys::write_file(directory->path("body"), frame.head + content + frame.tail));
  auto parts = parse_multipart_file(directory->path("body"), frame.content_type);
  ASSERT_TRUE(parts) << parts.error().message();
  ASSERT_EQ(parts->size(), 1u);
  EXPECT_EQ(parts->front().header.filename, "we\"ird\\.zip");
  EXPECT_EQ(parts->front().offset, frame.head.size());
  EXPECT_EQ(parts->front().size, content.size());
}

} // namespace
} // namespace net
