#include "coordinator/vault.hpp"

#include <gtest/gtest.h>

#include "sys/files.hpp"

namespace coordinator {
namespace {

TEST(Vault, SealsAndRefusesForeignKeys) {
  auto dir = sys::TempDir::create();
  ASSERT_TRUE(dir);
  auto vault = Vault::open(dir->path());
  ASSERT_TRUE(vault) << vault.error().message();
  const auto sealed = vault->seal("GR1348941secret");
  EXPECT_EQ(sealed.find("secret"), std::string::npos);
  EXPECT_NE(sealed, vault->seal("GR1348941secret"));
  EXPECT_EQ(*Vault::open(dir->path())->unseal(sealed), "GR1348941secret");
  EXPECT_EQ(*vault->unseal(vault->seal("")), "");
  EXPECT_FALSE(Vault(base::Secret(std::string(32, 'k'))).unseal(sealed));
  EXPECT_FALSE(vault->unseal("AAAA"));
}

TEST(Vault, Passwords) {
  const auto hash = hash_password("correct horse");
  ASSERT_TRUE(hash);
  EXPECT_TRUE(hash->starts_with("$argon2id$"));
  EXPECT_TRUE(verify_password(*hash, "correct horse"));
  EXPECT_FALSE(verify_password(*hash, "correct hors"));
  EXPECT_FALSE(verify_password("", "x"));
}

} // namespace
} // namespace coordinator
