// The S3 client against a server that plays what services do wrong; tests/objects has real ones.

#include "storage/s3_store.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "storage/test_s3.hpp"
#include "storage/xml.hpp"
#include "sys/files.hpp"

namespace storage {
namespace {

class S3 : public ::testing::Test {
 public:
  std::unique_ptr<S3Store> store(const std::string& more = "") {
    auto location = S3Location::parse(service.location(more));
    EXPECT_TRUE(location) << location.error().message();
    return std::make_unique<S3Store>(*location,
                                     S3Tuning{.part_size = 1000, .first_wait = std::chrono::milliseconds(2)});
  }
  FakeS3 service;
};

TEST_F(S3, SmallObjectsAreOnePut) {
  auto store = this->store("&sse=AES256");
  ASSERT_TRUE(put(*store, "a b/c+d", "content"));
  ASSERT_EQ(service.seen.size(), 1u);
  EXPECT_EQ(service.seen[0].method, "PUT");
  EXPECT_EQ(service.seen[0].path, "/bkt/pre/a%20b/c%2Bd");
  EXPECT_EQ(service.seen[0].headers.get("X-Amz-Server-Side-Encryption"), "AES256");
  EXPECT_TRUE(service.seen[0].headers.get("Authorization").starts_with("AWS4-HMAC-SHA256 Credential=AK/"));
  EXPECT_EQ(*store->read("a b/c+d", 2, 3), "nte");
  EXPECT_EQ(store->info("a b/c+d")->size, 7u);
  auto missing = store->read("none", 0, 5);
  EXPECT_EQ(missing.error().kind(), base::ErrorKind::kNotFound);
  EXPECT_NE(missing.error().message().find("NoSuchKey: gone & away"), std::string::npos) << missing.error().message();
  EXPECT_TRUE(store->remove("none"));
}

TEST_F(S3, LargeObjectsGoInParts) {
  auto store = this->store();
  std::string content(2500, 'x');
  content[1000] = 'y';
  ASSERT_TRUE(put(*store, "big", content));
  EXPECT_EQ(service.objects["pre/big"], content);
  ASSERT_EQ(service.seen.size(), 5u);
  EXPECT_EQ(service.seen[1].query, "partNumber=1&uploadId=u%261");
  EXPECT_NE(service.seen[4].body.find("<PartNumber>3</PartNumber><ETag>\"e500\"</ETag>"), std::string::npos);
  service.seen.clear();
  {
    auto writer = store->create("dropped");
    ASSERT_TRUE((*writer)->write(std::string(1500, 'z')));
  }
  EXPECT_EQ(service.seen.back().method, "DELETE");
  EXPECT_EQ(service.seen.back().query, "uploadId=u%261");
}

TEST_F(S3, WhatPassesIsTriedAgain) {
  auto store = this->store();
  service.faults = {{.status = 503, .body = "<Error><Code>SlowDown</Code></Error>"}, {.status = 500}, {.status = 429}};
  ASSERT_TRUE(put(*store, "k", "v"));
  EXPECT_EQ(service.seen.size(), 4u);
  service.seen.clear();
  service.faults.assign(20, {.status = 503});
  EXPECT_EQ(put(*store, "k", "v").error().kind(), base::ErrorKind::kUnavailable);
  EXPECT_EQ(service.seen.size(), 5u);
  service.faults = {{.status = 403, .body = "<Error><Code>AccessDenied</Code></Error>"}};
  service.seen.clear();
  auto refused = put(*store, "k", "v");
  EXPECT_EQ(refused.error().kind(), base::ErrorKind::kForbidden);
  EXPECT_EQ(refused.error().message().find("secret"), std::string::npos);
  EXPECT_EQ(service.seen.size(), 1u);
}

TEST_F(S3, AnotherRegionAndAnotherClockAreLearnt) {
  auto store = this->store();
  service.faults = {
      {.status = 400, .body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-north-1</Region></Error>"},
      {.status = 403,
       .headers = {{"Date", "Thu, 01 Jan 2032 00:00:00 GMT"}},
       .body = "<Error><Code>RequestTimeTooSkewed</Code></Error>"}};
  ASSERT_TRUE(put(*store, "k", "v"));
  EXPECT_NE(service.seen[1].headers.get("Authorization").find("/eu-north-1/s3/"), std::string::npos);
  // The server of this test sets its own Date; what matters is that a further try was made with the answer's clock.
  EXPECT_EQ(service.seen.size(), 3u);
}

TEST_F(S3, ALostAnswerToTheLastStepIsNoFailure) {
  auto store = this->store();
  // The parts are joined, but the answer is a 200 with an error in it.
  service.faults = {{.status = 0}, {.status = 0}, {.status = 0}};
  service.objects["pre/k"] = std::string(1500, 'q'); // as if it had been joined before
  service.faults.push_back({.status = 200, .body = "<?xml?><Error><Code>InternalError</Code></Error>"});
  EXPECT_TRUE(put(*store, "k", std::string(1500, 'q')));
  service.objects.clear();
  service.faults = {{.status = 0}, {.status = 0}, {.status = 0}};
  service.faults.push_back({.status = 200, .body = "<?xml?><Error><Code>InternalError</Code></Error>"});
  EXPECT_EQ(put(*store, "k", std::string(1500, 'q')).error().kind(), base::ErrorKind::kUnavailable);
}

TEST_F(S3, ListingIsReadPageByPage) {
  auto store = this->store();
  service.faults = {
      {.body = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>n/1</NextContinuationToken>"
               "<Contents><Key>pre/a/1&amp;</Key><Size>5</Size><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
               "</Contents><Contents><Key>other/x</Key><Size>1</Size></Contents></ListBucketResult>"},
      {.body = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>pre/a/2</Key><Size>7</Size>"
               "</Contents><Contents><Key>pre/a/</Key><Size>0</Size></Contents></ListBucketResult>"}};
  std::vector<ObjectInfo> found;
  ASSERT_TRUE(store->list("a/", [&](const ObjectInfo& info) -> base::Status {
    found.push_back(info);
    return {};
  }));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].key, "a/1&");
  EXPECT_EQ(found[0].size, 5u);
  EXPECT_EQ(found[0].modified, 1767323045);
  EXPECT_EQ(found[1].key, "a/2");
  EXPECT_NE(service.seen[1].query.find("continuation-token=n%2F1"), std::string::npos);
  EXPECT_NE(service.seen[0].query.find("prefix=pre%2Fa%2F"), std::string::npos);
}

TEST_F(S3, UrlsForOthers) {
  auto store = this->store();
  auto url =
      store->url("a/b", {.valid = std::chrono::seconds(60), .content_disposition = "attachment; filename=\"x y\""});
  ASSERT_TRUE(url && *url);
  EXPECT_TRUE(
      (*url)->starts_with("http://127.0.0.1:" + std::to_string(service.port) + "/bkt/pre/a/b?X-Amz-Algorithm="));
  EXPECT_NE((*url)->find("response-content-disposition=attachment%3B%20filename%3D%22x%20y%22"), std::string::npos);
  EXPECT_EQ((*url)->find("secret"), std::string::npos);
  EXPECT_FALSE(*this->store("&direct_download=false")->url("a/b", {}));
}

TEST(S3Locations, AreTakenApart) {
  auto aws = S3Location::parse("s3://my-bucket/some/dir/?region=eu-central-1");
  ASSERT_TRUE(aws);
  EXPECT_EQ(aws->host_in(aws->region), "my-bucket.s3.eu-central-1.amazonaws.com");
  EXPECT_EQ(aws->host_in("cn-north-1"), "my-bucket.s3.cn-north-1.amazonaws.com.cn");
  EXPECT_FALSE(aws->path_style);
  EXPECT_EQ(aws->prefix, "some/dir/");
  EXPECT_TRUE(S3Location::parse("s3://my.bucket")->path_style);
  auto own = S3Location::parse("s3://bkt?endpoint=https%3A%2F%2Fminio.example:443&path_style=false&sse=KMS");
  EXPECT_EQ(own->host, "minio.example");
  EXPECT_FALSE(own->path_style);
  EXPECT_EQ(own->encryption, "aws:kms");
  EXPECT_EQ(S3Location::parse("s3://bkt?endpoint=minio:9000")->host, "minio:9000");
  for (const char* bad : {"s3://", "s3://b", "s3://UP CASE/x", "s3://key:hush@bkt/x", "s3://bkt/a/../b",
                          "s3://bkt?secret_key=hush", "s3://bkt?endpoint=ftp://x", "s3://bkt?endpoint=http://u:hush@x",
                          "s3://bkt?sse=rot13", "s3://bkt?path_style=perhaps", "s3://bkt?endpoint=http://x/path"}) {
    auto location = S3Location::parse(bad);
    ASSERT_FALSE(location) << bad;
    EXPECT_EQ(location.error().kind(), base::ErrorKind::kInvalidInput);
    EXPECT_EQ(location.error().message().find("hush"), std::string::npos);
  }
}

TEST(AwsCredentialFiles, ProfilesAndRotation) {
  auto dir = sys::TempDir::create();
  std::string file = dir->path("credentials");
  ASSERT_TRUE(sys::write_file(file,
                              "# c\n[default]\naws_access_key_id = A\naws_secret_access_key=S\n\n[ci]\n"
                              "aws_access_key_id=B\naws_secret_access_key=T\naws_session_token=tok=en\n"));
  AwsCredentialSource first(file, "");
  EXPECT_EQ(first.get()->access_key, "A");
  AwsCredentialSource ci(file, "ci");
  EXPECT_EQ(ci.get()->secret_key.reveal(), "T");
  EXPECT_EQ(ci.get()->session_token.reveal(), "tok=en");
  ASSERT_TRUE(sys::atomic_write_file(file, "[ci]\naws_access_key_id=C\naws_secret_access_key=U\n"));
  EXPECT_EQ(ci.get()->access_key, "C");
  EXPECT_EQ(first.get().error().kind(), base::ErrorKind::kUnauthorized);
  EXPECT_EQ(AwsCredentialSource(dir->path("none"), "").get().error().kind(), base::ErrorKind::kUnauthorized);
}

TEST(Xml, ElementsAndEntities) {
  constexpr std::string_view text = "<a x=\"1\"><Key>1 &lt; 2 &amp;&amp; &#39;&quot;</Key><Keys/><Key></Key></a>";
  EXPECT_EQ(xml_text(text, "Key"), "1 < 2 && '\"");
  EXPECT_EQ(xml_all(text, "Key").size(), 2u);
  EXPECT_EQ(xml_text(text, "Keys"), "");
  EXPECT_EQ(xml_text("<Key>open", "Key"), "");
  EXPECT_EQ(xml_text("<Key>&bogus; &", "Key"), "");
  EXPECT_EQ(xml_text("<Key>&bogus; &</Key>", "Key"), "&bogus; &");
  EXPECT_EQ(xml_text("<Key><![CDATA[a & <b>]]></Key>", "Key"), "a & <b>");
  EXPECT_EQ(xml_encode("a<b>&"), "a&lt;b&gt;&amp;");
}

} // namespace
} // namespace storage
