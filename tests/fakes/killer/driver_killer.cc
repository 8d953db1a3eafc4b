#include "tests/fakes/killer/driver_killer.h"

#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace machine::fakes {
namespace {

namespace fs = std::filesystem;

// 0 where there is none.
pid_t ParentOf(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string word; status >> word;) {
    pid_t parent = 0;
    if (word == "PPid:" && status >> parent) return parent;
  }
  return 0;
}

bool IsDriver(pid_t pid) {
  std::error_code ignored;
  const fs::path program = fs::read_symlink(absl::StrCat("/proc/", pid, "/exe"), ignored);
  return absl::StartsWith(program.filename().string(), "machine-driver-");
}

}  // namespace

KillOrder::KillOrder(absl::string_view folder) : path_(absl::StrCat(folder, "/kill_driver")) {}

void KillOrder::Arm(int call, KillSide side) const {
  std::ofstream(path_) << call << " " << (side == KillSide::kAfterEffect) << "\n";
}

bool KillOrder::Disarm() const { return fs::remove(path_); }

DriverKiller::DriverKiller(absl::string_view folder) : path_(absl::StrCat(folder, "/kill_driver")) {
  std::ifstream file(path_);
  int calls = 0;
  bool after = false;
  if (!(file >> calls >> after)) return;
  side_ = after ? KillSide::kAfterEffect : KillSide::kBeforeEffect;
  due_ = calls == 1;
  if (!due_) std::ofstream(path_) << calls - 1 << " " << after << "\n";
}

void DriverKiller::BeforeEffect() {
  if (due_ && side_ == KillSide::kBeforeEffect) Kill();
}

void DriverKiller::AfterEffect() {
  if (due_ && side_ == KillSide::kAfterEffect) Kill();
}

void DriverKiller::Kill() {
  // First: as soon as the driver is dead, the test looks whether this was why.
  fs::remove(path_);
  for (pid_t pid = getppid(); pid > 1; pid = ParentOf(pid)) {
    if (!IsDriver(pid)) continue;
    kill(pid, SIGKILL);
    return;
  }
}

}  // namespace machine::fakes
