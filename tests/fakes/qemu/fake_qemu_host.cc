#include "tests/fakes/qemu/fake_qemu_host.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/common/process/process_id.h"

namespace machine::fakes {
namespace {

namespace fs = std::filesystem;

constexpr char kProgram[] = "tests/fakes/qemu/fake_qemu";
constexpr char kImage[] = R"({"format": "qcow2", "virtual-size": 1048576})";

}  // namespace

FakeQemuHost::FakeQemuHost() {
  char folder[] = "/tmp/qemuXXXXXX";
  EXPECT_NE(mkdtemp(folder), nullptr);
  folder_ = folder;
  fs::create_directories(Path("bin"));
  fs::create_directories(Path("orders"));
  for (const char* const name : {"qemu-system-x86_64", "qemu-img"}) {
    fs::create_symlink(fs::absolute(kProgram), fs::path(Path("bin")) / name);
  }
  EXPECT_TRUE(common::WriteFileAtomically(image(), kImage, 0600, {.fsync = false}).ok());
  const char* const path = getenv("PATH");
  setenv("PATH", absl::StrCat(Path("bin"), ":", path == nullptr ? "/usr/bin:/bin" : path).c_str(),
         1);
  setenv("FAKE_QEMU_DIR", Path("orders").c_str(), 1);
  // Where the default image would be.
  setenv("XDG_CACHE_HOME", Path("cache").c_str(), 1);
}

FakeQemuHost::~FakeQemuHost() {
  for (const auto& [uuid, pid] : Started()) {
    for (const pid_t running : Running(uuid)) kill(running, SIGKILL);
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string FakeQemuHost::Path(absl::string_view leaf) const {
  return absl::StrCat(folder_, "/", leaf);
}

void FakeQemuHost::Order(absl::string_view name, absl::string_view text) const {
  const absl::Status written = common::WriteFileAtomically(absl::StrCat(Path("orders/"), name),
                                                           text, 0600, {.fsync = false});
  EXPECT_TRUE(written.ok()) << written;
}

void FakeQemuHost::Withdraw(absl::string_view name) const {
  unlink(absl::StrCat(Path("orders/"), name).c_str());
}

std::vector<std::pair<std::string, pid_t>> FakeQemuHost::Started() const {
  std::vector<std::pair<std::string, pid_t>> started;
  std::ifstream file(Path("orders/started"));
  std::string uuid;
  for (pid_t pid = 0; file >> uuid >> pid;) started.emplace_back(uuid, pid);
  return started;
}

std::vector<pid_t> FakeQemuHost::Running(absl::string_view uuid) const {
  std::vector<pid_t> running;
  for (const auto& [started, pid] : Started()) {
    if (started != uuid) continue;
    // By its command line, as the number may be another's by now.
    std::ifstream file(absl::StrCat("/proc/", pid, "/cmdline"));
    const std::string line{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const auto start_time = common::ProcessStartTime(pid);
    if (line.find(uuid.data(), 0, uuid.size()) != std::string::npos && start_time.ok() &&
        common::IsAlive(pid, *start_time)) {
      running.push_back(pid);
    }
  }
  return running;
}

}  // namespace machine::fakes
