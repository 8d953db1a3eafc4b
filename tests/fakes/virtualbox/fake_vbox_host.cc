#include "tests/fakes/virtualbox/fake_vbox_host.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/file.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/common/process/unique_fd.h"

namespace machine::fakes {
namespace {

namespace fs = std::filesystem;

constexpr char kProgram[] = "tests/fakes/virtualbox/fake_vbox";

}  // namespace

FakeVboxHost::FakeVboxHost(absl::string_view version) {
  char folder[] = "/tmp/vboxXXXXXX";
  EXPECT_NE(mkdtemp(folder), nullptr);
  folder_ = folder;
  fs::create_directories(Path("bin"));
  fs::create_symlink(fs::absolute(kProgram), fs::path(Path("bin")) / "VBoxManage");
  std::ofstream(image()) << "KDMV capacity=1024\n";
  nlohmann::ordered_json state = {{"version", std::string(version)}};
  for (const char* const part : {"vms", "media", "interfaces", "dhcp", "orders"}) {
    state[part] = nlohmann::ordered_json::object();
  }
  std::ofstream(Path("state.json")) << state.dump();
  const char* const path = getenv("PATH");
  setenv("PATH", absl::StrCat(Path("bin"), ":", path == nullptr ? "/usr/bin:/bin" : path).c_str(),
         1);
  setenv("FAKE_VBOX_DIR", folder_.c_str(), 1);
}

FakeVboxHost::~FakeVboxHost() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string FakeVboxHost::Path(absl::string_view leaf) const {
  return absl::StrCat(folder_, "/", leaf);
}

nlohmann::ordered_json FakeVboxHost::State() const {
  const auto text = common::ReadFile(Path("state.json"));
  EXPECT_TRUE(text.ok()) << text.status();
  return nlohmann::ordered_json::parse(text.value_or("{}"));
}

void FakeVboxHost::Change(const std::function<void(nlohmann::ordered_json&)>& change) const {
  const common::UniqueFd lock(open(Path("lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  flock(lock.get(), LOCK_EX);
  nlohmann::ordered_json state = State();
  change(state);
  EXPECT_TRUE(
      common::WriteFileAtomically(Path("state.json"), state.dump(), 0600, {.fsync = false}).ok());
}

std::vector<std::string> FakeVboxHost::Log(absl::string_view command) const {
  std::vector<std::string> lines;
  std::ifstream log(Path("log"));
  for (std::string line; std::getline(log, line);) {
    if (absl::StartsWith(line, command)) lines.push_back(line);
  }
  return lines;
}

}  // namespace machine::fakes
