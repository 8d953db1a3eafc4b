#include "drivers/sdk/ustar.h"

#include <gtest/gtest.h>

#include "services/common/process/run.h"

namespace machine::driver {
namespace {

// The system's own tar as the judge.
std::string Tar(std::vector<std::string> arguments, const std::string& archive) {
  arguments.insert(arguments.begin(), {"env", "TZ=UTC", "tar"});
  const auto result = common::RunProgram(arguments, {.stdin_data = archive});
  return result.ok() ? result->stdout_data + result->stderr_data : result.status().ToString();
}

TEST(UstarTest, TarReadsWhatWeWrite) {
  const std::string archive =
      WriteTar({{.path = "home/machine/.ssh/", .mode = 0700, .uid = 1000, .gid = 1001},
                {.path = "home/machine/.ssh/authorized_keys",
                 .mode = 0600,
                 .uid = 1000,
                 .gid = 1001,
                 .contents = "ssh-ed25519 AAAA\n"}});
  EXPECT_EQ(Tar({"-tvf", "-", "--numeric-owner"}, archive),
            "drwx------ 1000/1001         0 1970-01-01 00:00 home/machine/.ssh/\n"
            "-rw------- 1000/1001        17 1970-01-01 00:00 home/machine/.ssh/authorized_keys\n");
  EXPECT_EQ(Tar({"-xOf", "-"}, archive), "ssh-ed25519 AAAA\n");
}

TEST(UstarTest, WeReadWhatTarWrites) {
  for (const char* const format : {"--format=ustar", "--format=gnu", "--format=pax"}) {
    const std::string archive =
        Tar({"-C", "/etc", "-cf", "-", format, "--no-recursion", ".", "passwd"}, "");
    const absl::StatusOr<std::string> passwd = FirstFileOfTar(archive);
    ASSERT_TRUE(passwd.ok()) << format << passwd.status();
    EXPECT_EQ(passwd->substr(0, 5), "root:") << format;
  }
}

TEST(UstarTest, AFileThatFillsItsBlocksHasNoPadding) {
  const std::string contents(1024, 'x');
  EXPECT_EQ(FirstFileOfTar(WriteTar({{.path = "f", .mode = 0644, .contents = contents}})).value(),
            contents);
}

TEST(UstarTest, DamageIsSeen) {
  const std::string archive = WriteTar({{.path = "f", .mode = 0644, .contents = "text"}});
  std::string flipped = archive;
  flipped[0] ^= 1;
  std::string too_long = archive.substr(0, 514);
  for (const std::string& damaged :
       {flipped, too_long, std::string(2048, 'x'), std::string(2048, '\0'), std::string()}) {
    EXPECT_EQ(FirstFileOfTar(damaged).status().code(), absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace machine::driver
