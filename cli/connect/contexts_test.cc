#include "cli/connect/contexts.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"

namespace machine::cli {
namespace {

class ContextsTest : public testing::Test {
 protected:
  ContextsTest()
      : folder_(absl::StrCat(testing::TempDir(), "/",
                             testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(folder_);
  }
  void Write(absl::string_view text, mode_t mode = 0600) {
    ASSERT_TRUE(common::WriteFileAtomically(folder_ + "/contexts.json", text, mode).ok());
  }

  const std::string folder_;
};

constexpr char kFile[] = R"({"current": "team", "contexts": [
  {"name": "other", "address": "a:1"},
  {"name": "team", "address": "b:2", "ca": "ca.pem", "cert": "/c/cert.pem", "key": "key.pem"}]})";

TEST_F(ContextsTest, NoFileMeansNoContext) {
  const auto context = CurrentContext(folder_);
  ASSERT_TRUE(context.ok());
  EXPECT_FALSE(context->has_value());
}

TEST_F(ContextsTest, ReadsTheCurrentOne) {
  Write(kFile);
  const auto context = CurrentContext(folder_);
  ASSERT_TRUE(context.ok() && context->has_value()) << context.status();
  EXPECT_EQ((*context)->address, "b:2");
  EXPECT_EQ((*context)->ca_file, folder_ + "/ca.pem");
  EXPECT_EQ((*context)->cert_file, "/c/cert.pem");
}

TEST_F(ContextsTest, FileThatOthersMayReadIsRefused) {
  Write(kFile, 0644);
  EXPECT_EQ(CurrentContext(folder_).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(ContextsTest, CorruptFileIsNotTakenForNoContext) {
  Write("{\"current\": ");
  EXPECT_EQ(CurrentContext(folder_).status().code(), absl::StatusCode::kDataLoss);
  Write(R"({"current": "gone", "contexts": []})");
  EXPECT_EQ(CurrentContext(folder_).status().code(), absl::StatusCode::kDataLoss);
}

TEST(DialTest, RefusesPlainTcpToOtherHostsAndAddressesThatAreNone) {
  EXPECT_FALSE(Dial({.address = "insecure://192.0.2.1:1"}).ok());
  EXPECT_FALSE(Dial({.address = "nonsense"}).ok());
  EXPECT_FALSE(Dial({.address = "https://a:1/x"}).ok());
}

TEST_F(ContextsTest, WhatIsWrittenIsReadAndIsForThisUserOnly) {
  const Contexts written{.current = "b",
                         .all = {{.name = "a", .address = "unix:/x"},
                                 {.name = "b",
                                  .address = "h:1",
                                  .ca_file = folder_ + "/contexts/b/ca.pem",
                                  .cert_file = "/elsewhere/cert.pem",
                                  .key_file = folder_ + "/contexts/b/key.pem"}}};
  ASSERT_TRUE(WriteContexts(folder_, written).ok());
  const auto permissions = std::filesystem::status(folder_ + "/contexts.json").permissions();
  EXPECT_EQ(permissions, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const auto read = ReadContexts(folder_);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->all.size(), 2u);
  const auto current = CurrentContext(folder_);
  ASSERT_TRUE(current.ok() && current->has_value());
  EXPECT_EQ((*current)->ca_file, written.all[1].ca_file);
  EXPECT_EQ((*current)->cert_file, "/elsewhere/cert.pem");
  EXPECT_EQ(NamedContext(folder_, "a")->address, "unix:/x");
  EXPECT_FALSE(NamedContext(folder_, "a")->uses_tls());
  EXPECT_EQ(NamedContext(folder_, "c").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ContextsTest, OneThatIsNotJoinedSaysHowToJoin) {
  const auto channel = Dial({.name = "team",
                             .address = "h:1",
                             .ca_file = folder_ + "/ca.pem",
                             .cert_file = folder_ + "/cert.pem",
                             .key_file = folder_ + "/key.pem"});
  EXPECT_EQ(channel.status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_NE(channel.status().message().find("docker-machine login --server team TOKEN"),
            absl::string_view::npos);
}

TEST(DialTest, AnAddressHasAHostAndAPort) {
  for (const char* good : {"a:1", "[::1]:7676", "tcp://a:1", "unix:/x", "insecure://127.0.0.1:1"}) {
    EXPECT_TRUE(CheckAddress(good).ok()) << good;
  }
  for (const char* bad : {"", "a", ":1", "a:", "unix:x", "https://a:1"}) {
    EXPECT_FALSE(CheckAddress(bad).ok()) << bad;
  }
}

TEST(DialTest, TlsNeedsCredentials) {
  const auto channel = Dial({.address = "machines.example.org:7676"});
  EXPECT_EQ(channel.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(channel.status().message().find("--tls-ca-cert"), absl::string_view::npos);
}

}  // namespace
}  // namespace machine::cli
