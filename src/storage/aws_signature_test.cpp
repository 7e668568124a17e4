// Against the vectors that AWS publishes: the examples of the S3 documentation and the signature test suite.

#include "storage/aws_signature.hpp"

#include <gtest/gtest.h>

#include "base/hash.hpp"

namespace storage {
namespace {

const AwsCredentials kExample = {"AKIAIOSFODNN7EXAMPLE", base::Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), {}};
const AwsScope kS3 = {.region = "us-east-1", .service = "s3", .time = 1369353600}; // 2013-05-24
const AwsCredentials kSuite = {"AKIDEXAMPLE", base::Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), {}};
const AwsScope kService = {.region = "us-east-1", .service = "service", .time = 1440938160}; // 2015-08-30 12:36

std::string header(const AwsRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers)
    if (key == name) return value;
  return "";
}

std::string signature(const AwsRequest& request) {
  std::string text = header(request, "Authorization");
  return text.substr(text.find("Signature=") + 10);
}

std::string signed_s3(AwsRequest request, std::string_view body = "") {
  request.host = "examplebucket.s3.amazonaws.com";
  aws_sign(request, kExample, kS3, base::sha256_hex(body));
  return signature(request);
}

TEST(AwsSignature, ExamplesOfTheS3Documentation) {
  EXPECT_EQ(signed_s3({.path = "/test.txt", .headers = {{"Range", "bytes=0-9"}}}),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(
      signed_s3({.method = "PUT",
                 .path = aws_encode_path("/test$file.text"),
                 .headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}},
                "Welcome to Amazon S3."),
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  EXPECT_EQ(signed_s3({.query = {{"lifecycle", ""}}}),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  EXPECT_EQ(signed_s3({.query = {{"prefix", "J"}, {"max-keys", "2"}}}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(AwsSignature, ExampleOfAUrl) {
  AwsRequest request{.host = "examplebucket.s3.amazonaws.com", .path = "/test.txt"};
  aws_presign(request, kExample, kS3, std::chrono::hours(24));
  EXPECT_EQ(request.query_string(),
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
            "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&"
            "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404&"
            "X-Amz-SignedHeaders=host");
}

TEST(AwsSignature, TestSuite) {
  auto sign = [](AwsRequest request) {
    request.host = "example.amazonaws.com";
    aws_sign(request, kSuite, kService, base::sha256_hex(""));
    return signature(request);
  };
  EXPECT_EQ(sign({}), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"); // get-vanilla
  EXPECT_EQ(sign({.query = {{"Param2", "value2"}, {"Param1", "value1"}}}),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"); // get-vanilla-query-order-key-case
  EXPECT_EQ(sign({.method = "POST"}), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

TEST(AwsSignature, CanonicalForm) {
  AwsRequest request{.method = "PUT",
                     .host = "h:9000",
                     .path = aws_encode_path("/b/a b+c%d/\xc3\xa4~"),
                     .query = {{"b", "x y"}, {"a", "1"}, {"a", "0"}, {"uploads", ""}},
                     .headers = {{"X-B", "  one   two "}, {"x-a", "1"}, {"X-A", "2"}}};
  EXPECT_EQ(aws_canonical_request(request, "hash"),
            "PUT\n/b/a%20b%2Bc%25d/%C3%A4~\na=0&a=1&b=x%20y&uploads=\nhost:h:9000\nx-a:1,2\nx-b:one two\n\n"
            "host;x-a;x-b\nhash");
}

TEST(AwsSignature, ASessionTokenIsSigned) {
  AwsCredentials temporary = kExample;
  temporary.session_token = base::Secret("token/+=");
  AwsRequest request{.host = "h"};
  aws_sign(request, temporary, kS3, base::sha256_hex(""));
  EXPECT_EQ(header(request, "X-Amz-Security-Token"), "token/+=");
  EXPECT_NE(header(request, "Authorization").find("x-amz-date;x-amz-security-token,"), std::string::npos);
  AwsRequest url{.host = "h"};
  aws_presign(url, temporary, kS3, std::chrono::seconds(60));
  EXPECT_NE(url.query_string().find("X-Amz-Security-Token=token%2F%2B%3D&"), std::string::npos);
}

} // namespace
} // namespace storage
