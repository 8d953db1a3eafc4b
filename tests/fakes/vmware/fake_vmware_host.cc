#include "tests/fakes/vmware/fake_vmware_host.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace machine::fakes {
namespace {

namespace fs = std::filesystem;

constexpr char kProgram[] = "tests/fakes/vmware/fake_vmware";

}  // namespace

FakeVmwareHost::FakeVmwareHost() {
  char folder[] = "/tmp/vmwareXXXXXX";
  EXPECT_NE(mkdtemp(folder), nullptr);
  folder_ = folder;
  fs::create_directories(Path("bin"));
  for (const char* const name : {"vmrun", "vmware-vdiskmanager", "uname", "qemu-img"}) {
    fs::create_symlink(fs::absolute(kProgram), fs::path(Path("bin")) / name);
  }
  std::ofstream(image()) << "KDMV capacity=1024\n";
  const char* const path = getenv("PATH");
  setenv("PATH", absl::StrCat(Path("bin"), ":", path == nullptr ? "/usr/bin:/bin" : path).c_str(),
         1);
  setenv("FAKE_VMWARE_DIR", folder_.c_str(), 1);
}

FakeVmwareHost::~FakeVmwareHost() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string FakeVmwareHost::Path(absl::string_view leaf) const {
  return absl::StrCat(folder_, "/", leaf);
}

void FakeVmwareHost::Order(absl::string_view name) const { std::ofstream(Path(name)) << "yes"; }
void FakeVmwareHost::Withdraw(absl::string_view name) const { fs::remove(Path(name)); }

std::vector<std::string> FakeVmwareHost::Lines(absl::string_view file) const {
  std::ifstream stream(Path(file));
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace machine::fakes
