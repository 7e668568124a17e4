#include "base/hash.hpp"

#include <gtest/gtest.h>

#include "base/strings.hpp"

using namespace base;

TEST(Hash, KnownVectors) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(crc32("123456789"), 0xcbf43926u);
  EXPECT_EQ(crc32("6789", crc32("12345")), 0xcbf43926u);
  // The system id of a machine id, from the protocol digest.
  EXPECT_EQ(hex_encode(hmac_sha256("0123456789abcdef0123456789abcdef", "gitlab-runner")).substr(0, 12), "ee3af03959fe");
  Sha256 parts;
  parts.update("a");
  parts.update("bc");
  EXPECT_EQ(parts.hex(), sha256_hex("abc"));
}

TEST(Hash, RandomTextHasItsAlphabet) {
  EXPECT_EQ(random_token(20).size(), 20u);
  EXPECT_EQ(random_token(500).find_first_of("lIO0"), std::string::npos);
  EXPECT_EQ(random_request_id().size(), 32u);
  EXPECT_NE(random_request_id(), random_request_id());
  EXPECT_EQ(random_hex(5).size(), 5u);
}
