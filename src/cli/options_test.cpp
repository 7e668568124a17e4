#include "cli/options.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "cli/runner_options.hpp"
#include "config/schema.hpp"

namespace cli {
namespace {

struct Values {
  std::string text = "default";
  bool flag = false;
  std::int64_t number = 7;
  std::chrono::nanoseconds duration{0};
  std::vector<std::string> list;
  std::vector<std::string> rest;
  std::string error;
};

Values parse(const std::vector<std::string>& arguments) {
  Values v;
  Options options;
  options.text("t,text", "FR_OPT_TEXT", "a text", &v.text);
  options.flag("f,flag", "FR_OPT_FLAG", "a flag", &v.flag);
  options.integer("number", "FR_OPT_NUMBER", "a number", &v.number);
  options.duration("duration", "", "a duration", &v.duration);
  options.list("list", "FR_OPT_LIST", "a list", &v.list);
  auto rest = options.parse(arguments);
  if (rest) {
    v.rest = *rest;
  } else {
    v.error = rest.error().message();
  }
  return v;
}

TEST(Options, OneDashOrTwo) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--text", "x"}, {"-text", "x"}, {"-t", "x"}, {"--t", "x"}, {"--text=x"}, {"-t=x"}}) {
    EXPECT_EQ(parse(arguments).text, "x");
  }
}

TEST(Options, Booleans) {
  EXPECT_TRUE(parse({"--flag"}).flag);
  EXPECT_TRUE(parse({"-f=1"}).flag);
  EXPECT_FALSE(parse({"--flag", "--flag=F"}).flag);
  EXPECT_TRUE(parse({"--flag", "true", "rest"}).flag);
  EXPECT_EQ(parse({"--flag", "true", "rest"}).rest, (std::vector<std::string>{"rest"}));
  EXPECT_FALSE(parse({"--flag", "false"}).flag);
  EXPECT_EQ(parse({"--flag", "other"}).rest, (std::vector<std::string>{"other"}));
  EXPECT_EQ(parse({"--flag=maybe"}).error, "invalid value \"maybe\" for flag -flag: expected true or false");
}

TEST(Options, ArgumentsAndOptionsMix) {
  const Values v = parse({"a", "--text", "x", "b", "--", "--flag", "-"});
  EXPECT_EQ(v.text, "x");
  EXPECT_FALSE(v.flag);
  EXPECT_EQ(v.rest, (std::vector<std::string>{"a", "b", "--flag", "-"}));
}

TEST(Options, Errors) {
  EXPECT_EQ(parse({"--nonsense"}).error, "flag provided but not defined: -nonsense");
  EXPECT_EQ(parse({"--text"}).error, "flag needs an argument: -text");
  EXPECT_EQ(parse({"---text"}).error, "bad flag syntax: ---text");
  EXPECT_EQ(parse({"--=x"}).error, "bad flag syntax: --=x");
  EXPECT_EQ(parse({"--number", "x"}).error, "invalid value \"x\" for flag -number: expected an integer");
  EXPECT_EQ(parse({"--duration", "1"}).error, "invalid value \"1\" for flag -duration: expected a duration like 1h30m");
  EXPECT_EQ(parse({"-h"}).error, "help requested");
}

TEST(Options, NumbersListsDurations) {
  EXPECT_EQ(parse({"--number", "0x10"}).number, 16);
  EXPECT_EQ(parse({"--number", "-3"}).number, -3);
  EXPECT_EQ(parse({"--duration", "90s"}).duration, std::chrono::seconds(90));
  EXPECT_EQ(parse({"--list", "a,b", "--list=c"}).list, (std::vector<std::string>{"a,b", "c"}));
  EXPECT_EQ(parse({"--text=a=b"}).text, "a=b");
}

TEST(Options, TheEnvironmentComesFirst) {
  setenv("FR_OPT_TEXT", "env", 1);
  setenv("FR_OPT_LIST", "e1,e2", 1);
  setenv("FR_OPT_FLAG", "true", 1);
  setenv("FR_OPT_NUMBER", "", 1);
  const Values v = parse({"--list", "a", "--flag=false"});
  EXPECT_EQ(v.text, "env");
  EXPECT_EQ(v.list, (std::vector<std::string>{"e1,e2", "a"}));
  EXPECT_FALSE(v.flag);
  EXPECT_EQ(v.number, 7) << "an empty variable is no variable";
  EXPECT_EQ(parse({"--text", "flag"}).text, "flag");
  setenv("FR_OPT_NUMBER", "x", 1);
  EXPECT_EQ(parse({}).error, "invalid value \"x\" of FR_OPT_NUMBER for flag -number: expected an integer");
  for (const char* name : {"FR_OPT_TEXT", "FR_OPT_LIST", "FR_OPT_FLAG", "FR_OPT_NUMBER"}) unsetenv(name);
}

TEST(RunnerOptions, FillTheTree) {
  RunnerOptions runner;
  Options options;
  add_runner_options(options, &runner);
  const auto rest = options.parse({"--env",
                                   "A=1",
                                   "--env",
                                   "B=2",
                                   "--docker-image",
                                   "alpine",
                                   "--docker-privileged",
                                   "--feature-flags",
                                   "FF_A:true",
                                   "--feature-flags",
                                   "FF_B:false",
                                   "--docker-pull-policy",
                                   "always,never",
                                   "--custom_build_dir-enabled=true",
                                   "--kubernetes-namespace_per_job",
                                   "--description",
                                   "d",
                                   "-u",
                                   "http://h",
                                   "--cache-s3-insecure"});
  ASSERT_TRUE(rest) << rest.error().message();
  EXPECT_EQ(runner.tree["environment"].dump(), R"(["A=1","B=2"])");
  EXPECT_EQ(runner.tree["docker"].dump(), R"({"image":"alpine","privileged":true,"pull_policy":["always","never"]})");
  EXPECT_EQ(runner.tree["feature_flags"].dump(), R"({"FF_A":true,"FF_B":false})");
  EXPECT_EQ(runner.tree["name"].as_string(), "d");
  EXPECT_EQ(runner.tree["url"].as_string(), "http://h");
  EXPECT_TRUE(config::at_path(runner.tree, "cache.s3.Insecure").as_bool());
  EXPECT_TRUE(runner.given.contains("custom_build_dir.enabled"));
}

} // namespace
} // namespace cli
