#include "drivers/qemu/accelerator.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver::qemu {
namespace {

// The firmware alone takes a fraction of a second under KVM.
constexpr absl::Duration kLongestRun = absl::Seconds(10);
constexpr size_t kSector = 512;
// isa-debug-exit ends QEMU with twice the number written to its port, plus one.
constexpr int kWritten = 0x10;
constexpr int kExitCode = 2 * kWritten + 1;

// A sector that the firmware boots: it writes kWritten to port 0xf4, and waits.
std::string BootSector() {
  std::string sector("\xb0\x10\xe6\xf4\xf4\xeb\xfd", 7);  // mov al; out; hlt; jmp to the hlt.
  sector.resize(kSector - 2, '\0');
  return sector + "\x55\xaa";
}

std::string LastLine(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  const size_t end = text.rfind('\n');
  return std::string(end == absl::string_view::npos ? text : text.substr(end + 1));
}

}  // namespace

absl::StatusOr<Accelerator> Accelerators::Choose(common::CallScope& call,
                                                 absl::string_view wanted) {
  if (wanted == "tcg") return Accelerator{"tcg", ""};
  absl::MutexLock lock(&mu_);
  if (!why_not_.has_value()) {
    DM_ASSIGN_OR_RETURN(why_not_, WhyNotKvm(call));
  }
  if (why_not_->empty()) return Accelerator{"kvm", ""};
  if (wanted != "kvm") return Accelerator{"tcg", *why_not_};
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_VIRTUALIZATION_DISABLED,
                       absl::StrCat("KVM does not work on this host: ", *why_not_));
}

absl::StatusOr<std::string> Accelerators::WhyNotKvm(common::CallScope& call) {
  if (access(device_.c_str(), R_OK | W_OK) != 0) {
    const int error = errno;
    return absl::StrCat(device_, ": ", strerror(error),
                        error == EACCES ? " (add the driver's user to the group kvm)" : "");
  }
  const absl::StatusOr<std::string> ran = FirstRun(call);
  // A guest that hangs is an answer; the end of the call is none.
  if (absl::IsDeadlineExceeded(ran.status()) && call.Check().ok()) {
    return absl::StrCat("a first guest did not end within ", absl::FormatDuration(kLongestRun));
  }
  return ran;
}

absl::StatusOr<std::string> Accelerators::FirstRun(common::CallScope& call) {
  const std::string path = absl::StrCat(folder_, "/first-run.img");
  DM_RETURN_IF_ERROR(host_.WriteFile(call, path, 0600, BootSector()));
  std::string quoted;  // QEMU takes a comma in a value for its end unless there are two.
  for (const char c : path) quoted += c == ',' ? ",," : std::string(1, c);
  DM_ASSIGN_OR_RETURN(
      const hypervisor::ToolOutput output,
      host_.Run(call,
                {std::string(kSystemProgram), "-no-user-config", "-nodefaults", "-display", "none",
                 "-machine", "q35", "-accel", "kvm", "-cpu", "host", "-m", "64", "-no-reboot",
                 "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-drive",
                 absl::StrCat("file=", quoted, ",format=raw,if=virtio,readonly=on")},
                {.timeout = kLongestRun}));
  if (output.exit_code == kExitCode) return std::string();
  const std::string said = LastLine(output.err);
  return absl::StrCat("a first guest failed: ",
                      said.empty() ? absl::StrCat("exit status ", output.exit_code) : said);
}

}  // namespace machine::driver::qemu
