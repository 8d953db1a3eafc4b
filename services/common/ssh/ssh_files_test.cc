// Files to and from a real server, by sftp and without it.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/ssh/ssh.h"
#include "services/common/ssh/sshd_for_test.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr absl::Duration kLong = absl::Seconds(60);

struct FilesCase {
  absl::string_view label;
  std::vector<std::string> config;
};

class SshFilesTest : public testing::TestWithParam<FilesCase> {
 protected:
  void SetUp() override {
    auto sshd = SshdForTest::Start(GetParam().config);
    ASSERT_TRUE(sshd.ok()) << sshd.status();
    sshd_ = *std::move(sshd);
    auto connection = loop_.Connect(sshd_->target(), Limits());
    ASSERT_TRUE(connection.ok()) << connection.status();
    ssh_ = *std::move(connection);
    folder_ = sshd_->dir() + "/files";
    std::filesystem::create_directory(folder_);
  }

  static CallLimits Limits() { return {.deadline = absl::Now() + kLong}; }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  SshLoop loop_;
  std::unique_ptr<SshdForTest> sshd_;
  std::shared_ptr<SshConnection> ssh_;
  std::string folder_;
};

TEST_P(SshFilesTest, UploadHasTheModeAndTheContents) {
  std::string contents(1 << 20, '\0');
  for (size_t i = 0; i < contents.size(); ++i) contents[i] = static_cast<char>(i * 7 + i / 253);
  for (const mode_t mode : {0600, 0644, 0755, 0666}) {
    const std::string path = absl::StrCat(folder_, "/it's a file");
    const absl::Status status = ssh_->Upload(path, mode, contents, Limits());
    ASSERT_TRUE(status.ok()) << status;
    struct stat info = {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, mode);
    EXPECT_TRUE(ReadFileForTest(path) == contents);
    const auto back = ssh_->Download(path, contents.size(), Limits());
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_TRUE(*back == contents);
    contents.resize(contents.size() / 3);  // Replacing it leaves nothing of the longer one.
  }
  EXPECT_EQ(Names(), std::vector<std::string>{"it's a file"});
}

TEST_P(SshFilesTest, AnEmptyFileIsAFileToo) {
  const std::string path = folder_ + "/empty";
  ASSERT_EQ(ssh_->Upload(path, 0600, "", Limits()), absl::OkStatus());
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_EQ(ssh_->Download(path, 0, Limits()).value(), "");
}

TEST_P(SshFilesTest, ReplacingKeepsTheOldFileForThoseWhoHaveItOpen) {
  const std::string path = folder_ + "/file";
  ASSERT_EQ(ssh_->Upload(path, 0600, "old", Limits()), absl::OkStatus());
  std::filesystem::create_hard_link(path, folder_ + "/kept");
  ASSERT_EQ(ssh_->Upload(path, 0600, "new", Limits()), absl::OkStatus());
  EXPECT_EQ(ReadFileForTest(folder_ + "/kept"), "old");
  EXPECT_EQ(ReadFileForTest(path), "new");
}

TEST_P(SshFilesTest, AMissingFolderIsNotFoundAndTheConnectionGoesOn) {
  const std::string path = folder_ + "/missing/file";
  const absl::Status missing = ssh_->Upload(path, 0600, "x", Limits());
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound) << missing;
  const absl::Status status = ssh_->Download(path, 10, Limits()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), path)) << status;
  EXPECT_EQ(ssh_->Upload(folder_ + "/file", 0600, "x", Limits()), absl::OkStatus());
}

TEST_P(SshFilesTest, AFolderInTheWayLeavesNothingBehind) {
  const std::string path = folder_ + "/taken";
  std::filesystem::create_directories(path + "/full");
  EXPECT_EQ(ssh_->Upload(path, 0600, "x", Limits()).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Names(), std::vector<std::string>{"taken"});
  EXPECT_TRUE(std::filesystem::is_directory(path + "/full"));
  std::filesystem::remove(path + "/full");
  EXPECT_TRUE(std::filesystem::is_empty(path));
}

TEST_P(SshFilesTest, AFileThatIsTooLargeIsNotRead) {
  const std::string path = folder_ + "/file";
  ASSERT_EQ(ssh_->Upload(path, 0600, "0123456789", Limits()), absl::OkStatus());
  EXPECT_EQ(ssh_->Download(path, 10, Limits()).value(), "0123456789");
  EXPECT_EQ(ssh_->Download(path, 9, Limits()).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_P(SshFilesTest, ManyAtOnceDoNotMix) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this, i] {
      const std::string contents(200'000, static_cast<char>('a' + i));
      EXPECT_EQ(ssh_->Upload(absl::StrCat(folder_, "/", i), 0600, contents, Limits()),
                absl::OkStatus());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(ReadFileForTest(absl::StrCat(folder_, "/", i)),
              std::string(200'000, static_cast<char>('a' + i)));
  }
}

TEST_P(SshFilesTest, CancelledTransfersStop) {
  EXPECT_EQ(ssh_->Upload(folder_ + "/file", 0600, "x", {.cancelled = [] { return true; }}).code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(ssh_->Upload(folder_ + "/file", 0600, "x", Limits()), absl::OkStatus());
}

INSTANTIATE_TEST_SUITE_P(
    Servers, SshFilesTest,
    testing::ValuesIn<FilesCase>({
        {"WithSftp", {}},
        {"WithSftpAsAProgram", {"Subsystem sftp /usr/lib/openssh/sftp-server"}},
        {"WithoutThePosixRename", {"Subsystem sftp internal-sftp -P posix-rename"}},
        {"WithoutSftp", {"Subsystem sftp /nonexistent/sftp-server"}},
    }),
    [](const auto& info) { return std::string(info.param.label); });

class SftpUseTest : public SshFilesTest {};

TEST_P(SftpUseTest, OneSftpSessionServesAllTransfersInTurn) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(ssh_->Upload(folder_ + "/file", 0600, "x", Limits()), absl::OkStatus());
  }
  EXPECT_EQ(ssh_->commands_run(), 1);
}

INSTANTIATE_TEST_SUITE_P(Servers, SftpUseTest, testing::ValuesIn<FilesCase>({{"WithSftp", {}}}),
                         [](const auto& info) { return std::string(info.param.label); });

}  // namespace
}  // namespace machine::common
