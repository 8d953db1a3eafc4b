#include "tests/fakes/hyperv/fake_hyperv_host.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/file.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/common/process/unique_fd.h"

namespace machine::fakes {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr char kProgram[] = "tests/fakes/hyperv/fake_powershell";
constexpr int64_t kImageBytes = int64_t{1} << 30;

}  // namespace

FakeHypervHost::FakeHypervHost() {
  char folder[] = "/tmp/hypervXXXXXX";
  EXPECT_NE(mkdtemp(folder), nullptr);
  folder_ = folder;
  fs::create_directories(Path("bin"));
  fs::create_symlink(fs::absolute(kProgram), fs::path(Path("bin")) / "powershell.exe");
  Json state = {{"vms", Json::object()}, {"urls", Json::object()}, {"orders", Json::object()}};
  state["log"] = Json::array();
  state["files"][image()] = {{"size", 4096}, {"head", "vhdxfile"}, {"disk", kImageBytes}};
  state["switches"] = {{{"name", "lan"}, {"type", "External"}},
                       {{"name", "Default Switch"}, {"type", "Internal"}}};
  std::ofstream(Path("state.json")) << state.dump();
  const char* const path = getenv("PATH");
  setenv("PATH", absl::StrCat(Path("bin"), ":", path == nullptr ? "/usr/bin:/bin" : path).c_str(),
         1);
  setenv("FAKE_HYPERV_DIR", folder_.c_str(), 1);
}

FakeHypervHost::~FakeHypervHost() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string FakeHypervHost::Path(absl::string_view leaf) const {
  return absl::StrCat(folder_, "/", leaf);
}

Json FakeHypervHost::State() const {
  const auto text = common::ReadFile(Path("state.json"));
  EXPECT_TRUE(text.ok()) << text.status();
  return Json::parse(text.value_or("{}"));
}

void FakeHypervHost::Change(const std::function<void(Json&)>& change) const {
  const common::UniqueFd lock(open(Path("lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  flock(lock.get(), LOCK_EX);
  Json state = State();
  change(state);
  EXPECT_TRUE(
      common::WriteFileAtomically(Path("state.json"), state.dump(), 0600, {.fsync = false}).ok());
}

int FakeHypervHost::Runs(absl::string_view script) const {
  const Json state = State();
  int runs = 0;
  for (const auto& name : state["log"]) runs += name.get<std::string>() == script ? 1 : 0;
  return runs;
}

}  // namespace machine::fakes
