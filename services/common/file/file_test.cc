#include "services/common/file/file.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace machine::common {
namespace {

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/file.XXXXXX");
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    path_ = absl::StrCat(folder_, "/f");
  }

  static mode_t ModeOf(const std::string& path) {
    struct stat info = {};
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    DIR* dir = opendir(folder_.c_str());
    while (const dirent* entry = readdir(dir)) {
      if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    }
    closedir(dir);
    return names;
  }

  std::string folder_;
  std::string path_;
};

TEST_F(FileTest, WritesAndReplacesWithExactlyTheModeAndLeavesNothingElse) {
  const mode_t umask_before = umask(077);
  const absl::Status first = WriteFileAtomically(path_, "one", 0644);
  umask(umask_before);
  ASSERT_TRUE(first.ok()) << first;
  EXPECT_EQ(ModeOf(path_), 0644u);
  EXPECT_EQ(ReadFile(path_).value(), "one");
  const std::string with_zeros("a\0b", 3);
  ASSERT_TRUE(WriteFileAtomically(path_, with_zeros, 0600, {.fsync = false}).ok());
  EXPECT_EQ(ModeOf(path_), 0600u);
  EXPECT_EQ(ReadFile(path_).value(), with_zeros);
  EXPECT_EQ(Names(), std::vector<std::string>{"f"});
}

TEST_F(FileTest, AReaderOfTheOldFileKeepsIt) {
  ASSERT_TRUE(WriteFileAtomically(path_, "old", 0600).ok());
  FILE* reader = fopen(path_.c_str(), "r");
  ASSERT_TRUE(WriteFileAtomically(path_, "new", 0600).ok());
  char text[4] = {};
  EXPECT_EQ(fread(text, 1, 3, reader), 3u);
  fclose(reader);
  EXPECT_STREQ(text, "old");
}

TEST_F(FileTest, WithoutRoomTheOldFileStaysAndNothingElseIsLeft) {
  ASSERT_TRUE(WriteFileAtomically(path_, "old", 0600).ok());
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {.rlim_cur = 10, .rlim_max = 10};
    setrlimit(RLIMIT_FSIZE, &limit);
    _exit(WriteFileAtomically(path_, "much too long a text", 0600).ok() ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "the write succeeded";
  EXPECT_EQ(ReadFile(path_).value(), "old");
  EXPECT_EQ(Names(), std::vector<std::string>{"f"});
}

TEST_F(FileTest, OfManyThatCreateOneSucceedsAndItsContentsStay) {
  std::atomic<int> created = 0;
  std::atomic<int> winner = -1;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const absl::Status status = CreateFileAtomically(path_, std::to_string(i), 0600);
      if (status.ok()) {
        ++created;
        winner = i;
      } else {
        EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists) << status;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(created, 1);
  EXPECT_EQ(ReadFile(path_).value(), std::to_string(winner));
  EXPECT_EQ(Names(), std::vector<std::string>{"f"});
}

TEST_F(FileTest, ReadingIsCappedAndOnlyForRegularFiles) {
  ASSERT_TRUE(WriteFileAtomically(path_, "12345", 0600).ok());
  EXPECT_EQ(ReadFile(path_, 5).value(), "12345");
  EXPECT_EQ(ReadFile(path_, 4).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ReadFile(folder_).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadFile(path_ + ".none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_GT(ReadFile("/proc/self/status")->size(), 100u);
  const std::string fifo = path_ + ".fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(fifo).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(FileTest, AMissingFolderIsNamed) {
  const absl::Status status = WriteFileAtomically("/no/such/folder/f", "secret words", 0600);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("/no/such/folder/f"), absl::string_view::npos);
  EXPECT_EQ(status.message().find("secret"), absl::string_view::npos);
}

TEST_F(FileTest, FoldersAreCreatedWithTheirParentsAndLeftAsTheyAre) {
  const std::string deep = folder_ + "/a/b/c/";
  ASSERT_TRUE(EnsureDir(deep, 0750).ok());
  EXPECT_EQ(ModeOf(folder_ + "/a"), 0750u);
  EXPECT_EQ(ModeOf(deep), 0750u);
  ASSERT_TRUE(EnsureDir(deep, 0700).ok());
  EXPECT_EQ(ModeOf(deep), 0750u);
  ASSERT_TRUE(WriteFileAtomically(path_, "", 0600).ok());
  EXPECT_EQ(EnsureDir(path_, 0700).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(EnsureDir(path_ + "/below", 0700).ok());
  EXPECT_EQ(EnsureDir("", 0700).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(FileTest, AFolderWhereNoneCanBeIsAnError) {
  EXPECT_EQ(EnsureDir("/proc/folder/below", 0700).code(), absl::StatusCode::kNotFound);
}

TEST_F(FileTest, APrivateFolderIsTightened) {
  const std::string folder = folder_ + "/p";
  ASSERT_TRUE(EnsureDir(folder, 0755).ok());
  ASSERT_TRUE(EnsurePrivateDir(folder).ok());
  EXPECT_EQ(ModeOf(folder), 0700u);
}

TEST_F(FileTest, APrivateFolderOfSomebodyElseIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  const std::string folder = folder_ + "/p";
  ASSERT_TRUE(EnsureDir(folder, 0700).ok());
  ASSERT_EQ(chown(folder.c_str(), 12345, 12345), 0);
  EXPECT_EQ(EnsurePrivateDir(folder).code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace machine::common
