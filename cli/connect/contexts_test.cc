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

TEST(DialTest, TlsNeedsCredentials) {
  const auto channel = Dial({.address = "machines.example.org:7676"});
  EXPECT_EQ(channel.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(channel.status().message().find("--tls-ca-cert"), absl::string_view::npos);
}

}  // namespace
}  // namespace machine::cli
