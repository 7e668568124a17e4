#include "trace/masker.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <chrono>

#include "base/strings.hpp"
#include "trace/masker_oracle.hpp"
#include "trace/phrases.hpp"

namespace trace {
namespace {

std::string run(const std::vector<std::string>& phrases, const std::vector<std::string>& writes) {
  Masker masker(std::make_shared<const PhraseSet>(phrases));
  std::string out;
  for (const std::string& write : writes) masker.write(write, out);
  masker.finish(out);
  return out;
}

// `|` separates writes.
std::string masked(const std::vector<std::string>& phrases, const std::string& input) {
  return run(phrases, base::split(input, '|'));
}

TEST(Masker, GivesUpstreamsVectors) {
  EXPECT_EQ(masked({""}, "empty secrets have no effect"), "empty secrets have no effect");
  EXPECT_EQ(masked({}, "no escaping at all"), "no escaping at all");
  EXPECT_EQ(masked({"secrets"}, "secrets"), "[MASKED]");
  EXPECT_EQ(masked({"secrets"}, "secret|s"), "[MASKED]");
  EXPECT_EQ(masked({"secrets"}, "s|ecrets"), "[MASKED]");
  EXPECT_EQ(masked({"secrets"}, "secretssecrets"), "[MASKED][MASKED]");
  EXPECT_EQ(masked({"secrets"}, "ssecrets"), "s[MASKED]");
  EXPECT_EQ(masked({"secrets"}, "s|secrets"), "s[MASKED]");
  EXPECT_EQ(masked({"at"}, "at the start"), "[MASKED] the start");
  EXPECT_EQ(masked({"all", "values", "are", "masked"}, "all values are masked"), "[MASKED] [MASKED] [MASKED] [MASKED]");
  EXPECT_EQ(masked({"foo", "bar"}, "xfoox ybary ffoo barr ffooo bbarr"),
            "x[MASKED]x y[MASKED]y f[MASKED] [MASKED]r f[MASKED]o b[MASKED]r");
  EXPECT_EQ(masked({"foo", "bar"}, "prefix|ed, su|ffi|xed |and split|:| xfo|ox y|bary ffo|o ba|rr ffooo b|barr"),
            "prefixed, suffixed and split: x[MASKED]x y[MASKED]y f[MASKED] [MASKED]r f[MASKED]o b[MASKED]r");
  EXPECT_EQ(masked({"split", "all", "values", "are", "masked"}, "sp|lit al|l val|ues ar|e |mask|ed"),
            "[MASKED] [MASKED] [MASKED] [MASKED] [MASKED]");
  EXPECT_EQ(masked({"mask", "prefix_mask"}, "prefix_mask mask prefix_|mask prefix_ma|sk mas|k"),
            "[MASKED] [MASKED] [MASKED] [MASKED] [MASKED]");
  EXPECT_EQ(run({std::string(16000, '_')}, {"large: " + std::string(8000, '_'), std::string(8000, '_')}),
            "large: [MASKED]");
  EXPECT_EQ(masked({"this is the end", "en foobar", "en"}, "overlap: this is the en| foobar"),
            "overlap: this is the [MASKED]");
}

TEST(Masker, FindsWhatUpstreamMissesAfterAFailedMatchAcrossWrites) {
  EXPECT_EQ(masked({"aab"}, "aa|ab"), "a[MASKED]");
  EXPECT_EQ(masked({"ababc"}, "aba|babc"), "ab[MASKED]");
}

TEST(Masker, HidesOverlappingOccurrencesTogetherAndTouchingOnesEach) {
  EXPECT_EQ(masked({"abab"}, "ababab"), "[MASKED]");
  EXPECT_EQ(masked({"aa"}, "aaaa"), "[MASKED][MASKED]");
  EXPECT_EQ(masked({"aa"}, "a|a|a"), "[MASKED]");
  EXPECT_EQ(masked({"ssecret", "secrett"}, "ssecrett"), "[MASKED]");
  EXPECT_EQ(masked({"a", "b", "xaby"}, "xaby xab"), "[MASKED] x[MASKED][MASKED]");
}

TEST(Masker, FlushesAPartialMatchAtTheEnd) {
  EXPECT_EQ(masked({"secrets"}, "a secret"), "a secret");
  EXPECT_EQ(masked({"secrets", "cre"}, "a secret"), "a se[MASKED]t");
}

TEST(Masker, HoldsBackNothingButAPossibleMatch) {
  Masker masker(std::make_shared<const PhraseSet>(std::vector<std::string>{"secret", "secretary"}));
  std::string out;
  masker.write("password: ", out);
  EXPECT_EQ(out, "password: ");
  masker.write("sec", out);
  EXPECT_EQ(out, "password: ");
  EXPECT_EQ(masker.pending(), 3u);
  masker.write("ond ", out);
  EXPECT_EQ(out, "password: second ");
  masker.write("secret", out); // may yet become the longer one
  EXPECT_EQ(masker.pending(), 6u);
  masker.write(" secretary", out);
  EXPECT_EQ(out, "password: second [MASKED] [MASKED]");
  EXPECT_EQ(masker.pending(), 0u);
}

TEST(Masker, MasksBinaryPhrases) {
  EXPECT_EQ(run({std::string("\0\xff\0", 3)}, {std::string("a\0\xff", 3), std::string("\0b", 2)}), "a[MASKED]b");
}

TEST(Masker, LearnsASecretInTheMiddle) {
  std::vector<std::string> phrases{"abcdef"};
  Masker masker(std::make_shared<const PhraseSet>(phrases));
  std::string out;
  masker.write("xx abcd", out);
  phrases.push_back("cde");
  masker.rebind(std::make_shared<const PhraseSet>(phrases), out);
  masker.write("e abcdef cd", out);
  masker.finish(out);
  EXPECT_EQ(out, "xx ab[MASKED] [MASKED] cd");
}

// Few letters, so that everything overlaps with everything.
rc::Gen<std::string> small_text(std::size_t longest) {
  return rc::gen::mapcat(rc::gen::inRange<std::size_t>(0, longest + 1), [](std::size_t size) {
    return rc::gen::container<std::string>(size, rc::gen::elementOf(std::string("ab\nc")));
  });
}

std::vector<std::string> cut(const std::string& text) {
  std::vector<std::string> writes;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t size = *rc::gen::inRange<std::size_t>(1, 6);
    writes.push_back(text.substr(at, size));
    at += size;
  }
  return writes;
}

TEST(Masker, EqualsTheOracleHoweverTheTextIsCut) {
  bool ok = rc::check([] {
    auto phrases = *rc::gen::container<std::vector<std::string>>(*rc::gen::inRange<std::size_t>(0, 6), small_text(5));
    auto text = *small_text(60);
    std::string expected = oracle::mask(phrases, text);
    RC_ASSERT(run(phrases, {text}) == expected);
    RC_ASSERT(run(phrases, cut(text)) == expected);
  });
  EXPECT_TRUE(ok);
}

TEST(Masker, LeavesExactlyTheBytesOutsideOfAllOccurrences) {
  bool ok = rc::check([] {
    auto phrases = *rc::gen::container<std::vector<std::string>>(*rc::gen::inRange<std::size_t>(1, 5), small_text(6));
    auto text = *small_text(80);
    std::vector<bool> hidden = oracle::hidden_bytes(phrases, text);
    std::string visible;
    for (std::size_t i = 0; i < text.size(); ++i)
      if (!hidden[i]) visible += text[i];
    RC_ASSERT(base::replace_all(run(phrases, cut(text)), kMask, "") == visible);
  });
  EXPECT_TRUE(ok);
}

TEST(Masker, LearningInTheMiddleHidesAllThatIsNotYetOut) {
  bool ok = rc::check([] {
    auto first = *rc::gen::container<std::vector<std::string>>(*rc::gen::inRange<std::size_t>(0, 4), small_text(5));
    auto later = *small_text(5);
    auto before = *small_text(20);
    auto after = *small_text(20);
    Masker masker(std::make_shared<const PhraseSet>(first));
    std::string out;
    masker.write(before, out);
    std::size_t released = out.size();
    auto all = first;
    all.push_back(later);
    masker.rebind(std::make_shared<const PhraseSet>(all), out);
    masker.write(after, out);
    masker.finish(out);
    RC_ASSERT(base::replace_all(out, kMask, "").size() <= before.size() + after.size());
    if (released == 0) {
      std::string shown = base::replace_all(out, kMask, "");
      std::string visible;
      std::string text = before + after;
      std::vector<bool> hidden = oracle::hidden_bytes(all, text);
      for (std::size_t i = 0; i < text.size(); ++i)
        if (!hidden[i]) visible += text[i];
      RC_ASSERT(shown == visible);
    }
  });
  EXPECT_TRUE(ok);
}

// The bound is on operations, not on time: a quadratic matcher would need 10^10 of them here.
TEST(Masker, StaysLinearForManyAndForNastyPhrases) {
  std::vector<std::string> many;
  for (int i = 0; i < 50'000; ++i) many.push_back("secret-number-" + std::to_string(i) + "-end");
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "secret-number-" + std::to_string(i) + "-enx";
  EXPECT_EQ(run(many, {text}), text);

  std::string comb(100'000, 'a');
  std::vector<std::string> writes(300'000, "a");
  EXPECT_EQ(run({comb + "b", std::string(50'000, 'a') + "c"}, writes), std::string(300'000, 'a'));
  EXPECT_EQ(run({"a", "aa", std::string(1000, 'a') + "b"}, {comb}).size(), comb.size() / 2 * kMask.size());
}

} // namespace
} // namespace trace
