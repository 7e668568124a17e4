// The two pattern maskers, the chain and the choice of phrases.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/strings.hpp"
#include "trace/mask_chain.hpp"
#include "trace/phrases.hpp"

namespace trace {
namespace {

// `|` separates writes.
std::string urls(const std::string& input) {
  UrlMasker masker;
  std::string out, scratch;
  for (const std::string& write : base::split(input, '|')) out += masker.filter(write, scratch);
  return out;
}
std::string tokens(const std::string& input, const std::vector<std::string>& prefixes = {}) {
  TokenMasker masker(std::make_shared<const PhraseSet>(token_prefixes(prefixes, true)));
  std::string out, scratch;
  for (const std::string& write : base::split(input, '|')) out += masker.filter(write, scratch);
  masker.finish(out);
  return out;
}

TEST(UrlMasker, GivesUpstreamsVectors) {
  EXPECT_EQ(urls("http://example.org/?test=foobar"), "http://example.org/?test=foobar");
  EXPECT_EQ(urls("&private_token=hello &?x-amz-security-token=hello ?x-amz-security?x-amz-security-token=hello"),
            "&private_token=[MASKED] &?x-amz-security-token=[MASKED] ?x-amz-security?x-amz-security-token=[MASKED]");
  EXPECT_EQ(urls("/?this-is-a-really-really-long-key-name=foobar"), "/?this-is-a-really-really-long-key-name=foobar");
  EXPECT_EQ(urls("/?X-AMZ-sigNATure=deadbeef with"), "/?X-AMZ-sigNATure=[MASKED] with");
  EXPECT_EQ(urls("/?rss_token=hide&x-amz-credential=deadbeef both"),
            "/?rss_token=[MASKED]&x-amz-credential=[MASKED] both");
  EXPECT_EQ(urls("/?x-amz-credential=" + std::string(8192, '0') + " still"), "/?x-amz-credential=[MASKED] still");
  EXPECT_EQ(urls("spl|it /?x-amz-cred|ential=abcdefghij|klmno"), "split /?x-amz-credential=[MASKED]");
  EXPECT_EQ(urls("?x-amz-credential=abc\nhttp://e/?x-amz-credential=abc"),
            "?x-amz-credential=[MASKED]\nhttp://e/?x-amz-credential=[MASKED]");
  EXPECT_EQ(urls("?x-amz-credential=abc\bx"), "?x-amz-credential=[MASKED]\bx");
  EXPECT_EQ(urls("rss_token=notmasked /?rss_token=!@#$A&test=test"),
            "rss_token=notmasked /?rss_token=[MASKED]&test=test");
  EXPECT_EQ(urls("?rss_token="), "?rss_token=[MASKED]");
}

TEST(UrlMasker, EndsAValueAtBlanksBeyondAscii) {
  EXPECT_EQ(urls("?rss_token=a\xc2|\xa0rest"), "?rss_token=[MASKED]\xc2\xa0rest");
  EXPECT_EQ(urls("?rss_token=a\xe2|\x80|\xa8rest"), "?rss_token=[MASKED]\xe2\x80\xa8rest");
  EXPECT_EQ(urls("?rss_token=\xc3\xa4\xe2\x82\xac\xe2\xc2 x"), "?rss_token=[MASKED] x");
}

TEST(TokenMasker, GivesUpstreamsVectors) {
  EXPECT_EQ(tokens("commodo glpat-imperdiet in"), "commodo glpat-[MASKED] in");
  EXPECT_EQ(tokens("esseglpat-imperdiet=_-. end"), "esseglpat-[MASKED] end");
  EXPECT_EQ(tokens("glpat-impglpat-erdiet Lorem"), "glpat-[MASKED] Lorem");
  EXPECT_EQ(tokens("glpat|-imperdiet Lorem gl|pat-imperdiet in"), "glpat-[MASKED] Lorem glpat-[MASKED] in");
  EXPECT_EQ(tokens("glpat| -imperdiet"), "glpat -imperdiet");
  EXPECT_EQ(tokens("Lorglpat- ipsu glpat-"), "Lorglpat- ipsu glpat-");
  EXPECT_EQ(
      tokens("Lortok-ipsu amt|ok-t, cons-ctg|lpat-tur stok-|d gltok-test t|tok-mpor _gitlab_session=0a1 x", {"tok-"}),
      "Lortok-[MASKED] amtok-[MASKED], cons-ctglpat-[MASKED] stok-[MASKED] gltok-[MASKED] ttok-[MASKED] "
      "_gitlab_session=[MASKED] x");
}

TEST(TokenMasker, HasNoCapOnPrefixes) {
  std::vector<std::string> prefixes;
  for (int i = 1; i <= 40; ++i) prefixes.push_back("mask" + std::to_string(i) + "-");
  EXPECT_EQ(tokens("mask11-d mask40-x glffct-y glrtr-z", prefixes),
            "mask11-[MASKED] mask40-[MASKED] glffct-[MASKED] glrtr-[MASKED]");
}

TEST(TokenMasker, TreatsAMaskInsideATokenAsPartOfIt) {
  EXPECT_EQ(tokens("glpat-abc[MASKED]def ghi"), "glpat-[MASKED] ghi");
  EXPECT_EQ(tokens("glpat-[MASK|ED] ghi"), "glpat-[MASKED] ghi");
  EXPECT_EQ(tokens("glpat-[MASK ghi"), "glpat-[MASK ghi");
  EXPECT_EQ(tokens("glpat-a[MAS"), "glpat-[MASKED][MAS");
  EXPECT_EQ(tokens("glpat-[glpat-x"), "glpat-[glpat-[MASKED]");
}

TEST(TokenMasker, FollowsAPrefixThatContinuesAnother) {
  EXPECT_EQ(tokens("key:pub:abc key:x", {"key", "key:pub:"}), "key:pub:[MASKED] key:x");
}

TEST(MaskChain, DoesNotDependOnHowTheTextIsCut) {
  static const std::vector<std::string> kPieces = {
      "glpat-", "glp",        "token", "[MASKED]",  "[MAS", "?",        "&",       "private_token", "=",
      " ",      "rss_token=", "hush",  "hu",        "sh",   "\xc2",     "\xa0",    "\xe2",          "\x80",
      "\xa8",   "\n",         "gl",    "Rss_Token", "x",    "hushhush", "glrt-t1_"};
  MaskRules rules{std::make_shared<const PhraseSet>(phrases_of({"hush", "token=x", "sh glp"})),
                  std::make_shared<const PhraseSet>(token_prefixes({}, true))};
  bool ok = rc::check([&] {
    std::string text;
    for (const std::string& piece : *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kPieces)))
      text += piece;
    std::string whole = mask_text(rules, text);
    RC_ASSERT(whole.find("hush") == std::string::npos);
    MaskChain chain(rules);
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t size = *rc::gen::inRange<std::size_t>(1, 5);
      out += chain.filter(std::string_view(text).substr(at, size));
      at += size;
    }
    out += chain.finish();
    RC_ASSERT(out == whole);
  });
  EXPECT_TRUE(ok);
}

bool has(const std::vector<std::string>& phrases, const std::string& wanted) {
  return std::ranges::find(phrases, wanted) != phrases.end();
}

TEST(Phrases, AreTrimmedUniqueAndNotEmpty) {
  EXPECT_EQ(phrases_of({" b ", "", "b", "\n", "aa"}), (std::vector<std::string>{"b", "aa"}));
}

TEST(Phrases, ShortValuesHaveNoDerivedForms) {
  EXPECT_EQ(phrases_of({"a\"b&c=d"}), (std::vector<std::string>{"a\"b&c=d"}));
}

TEST(Phrases, CoverLinesOfAKeyButNotItsFrame) {
  auto phrases = phrases_of({"-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\r\nshort\nAoIBAQDHyJ0bbb==\n-----END KEY-----\n"});
  EXPECT_TRUE(has(phrases, "MIIEpAIBAAKCAQEA"));
  EXPECT_TRUE(has(phrases, "AoIBAQDHyJ0bbb=="));
  EXPECT_FALSE(has(phrases, "short"));
  EXPECT_FALSE(has(phrases, "-----BEGIN KEY-----"));
  EXPECT_TRUE(
      has(phrases, "-----BEGIN KEY-----\r\nMIIEpAIBAAKCAQEA\r\nshort\r\nAoIBAQDHyJ0bbb==\r\n-----END KEY-----"));
  EXPECT_TRUE(has(phrases, "-----BEGIN KEY-----\\nMIIEpAIBAAKCAQEA\\r\\nshort\\nAoIBAQDHyJ0bbb==\\n-----END KEY-----"));
}

TEST(Phrases, CoverEncodedForms) {
  auto phrases = phrases_of({"p&ss/\"w<rd\\"});
  EXPECT_TRUE(has(phrases, "p%26ss%2F%22w%3Crd%5C"));
  EXPECT_TRUE(has(phrases, "p%26ss%2f%22w%3crd%5c"));
  EXPECT_TRUE(has(phrases, "p&ss/\\\"w<rd\\\\"));
  EXPECT_TRUE(has(phrases, "p\\u0026ss/\\\"w\\u003crd\\\\"));
  EXPECT_TRUE(has(phrases, "p&ss\\/\\\"w<rd\\\\"));
}

TEST(Phrases, CoverBase64AtEveryOffsetAndInEveryWrapping) {
  std::string value;
  for (int i = 0; i < 100; ++i) value += static_cast<char>('!' + i * 7 % 90);
  MaskRules rules{std::make_shared<const PhraseSet>(phrases_of({value})), std::make_shared<const PhraseSet>()};
  for (std::size_t before = 0; before < 6; ++before) {
    for (std::size_t after = 0; after < 4; ++after) {
      std::string plain = std::string(before, 'u') + value + std::string(after, 'z');
      for (const std::string& encoded : {base::base64_encode(plain), base::base64url_encode(plain)}) {
        std::string out = mask_text(rules, encoded);
        EXPECT_NE(out.find(kMask), std::string::npos);
        EXPECT_LE(base::replace_all(out, kMask, "").size(), (before + after) * 4 / 3 + 5) << out;
      }
    }
  }
  for (std::size_t width : {76u, 64u}) {
    std::string encoded = base::base64_encode(value + "\n");
    for (std::size_t at = width; at < encoded.size(); at += width + 1) encoded.insert(at, "\n");
    EXPECT_LE(base::replace_all(mask_text(rules, encoded), kMask, "").size(), 4u);
  }
}

} // namespace
} // namespace trace
