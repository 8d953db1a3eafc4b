#include "drivers/sdk/conformance/driver_process.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/process/framed.h"
#include "services/common/status/status.h"

namespace machine::driver::conformance {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(30);

}  // namespace

absl::StatusOr<std::unique_ptr<DriverProcess>> DriverProcess::Start(const std::string& program,
                                                                    const std::string& data_dir) {
  char folder[] = "/tmp/driverXXXXXX";  // Short, for the socket's path; mode 0700.
  if (mkdtemp(folder) == nullptr) return absl::ErrnoToStatus(errno, "making a folder");
  std::unique_ptr<DriverProcess> driver(new DriverProcess(folder));
  DM_RETURN_IF_ERROR(driver->Spawn(program, data_dir));
  return driver;
}

absl::Status DriverProcess::Spawn(const std::string& program, const std::string& data_dir) {
  int pipe[2];
  if (pipe2(pipe, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "making a pipe");
  const common::UniqueFd result_fd(pipe[0]);
  common::UniqueFd child_fd(pipe[1]);
  const common::UniqueFd log(
      open(absl::StrCat(folder_, "/log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  common::SpawnOptions options;
  options.argv = {program};
  options.stdin_from = common::Stdio::Pipe();
  options.stderr_to = common::Stdio::Fd(log.get());
  options.extra_fds[3] = child_fd.get();
  DM_ASSIGN_OR_RETURN(common::Process process, common::Process::Spawn(options));
  process_ = std::make_unique<common::Process>(std::move(process));
  child_fd.reset();

  ::driver::v1::BootstrapParams params;
  params.set_protocol(1);
  params.set_listen_address(absl::StrCat("unix:", folder_, "/s"));
  params.set_cookie(kCookie);
  params.set_log_level("debug");
  params.set_data_dir(data_dir.empty() ? absl::StrCat(folder_, "/data") : data_dir);
  DM_RETURN_IF_ERROR(common::WriteFramed(process_->stdin_fd().get(), params.SerializeAsString()));
  DM_ASSIGN_OR_RETURN(const std::string bytes,
                      common::ReadFramed(result_fd.get(), 1 << 16, absl::Now() + kLimit));
  if (!result_.ParseFromString(bytes)) return absl::DataLossError("no BootstrapResult");
  return result_.error().empty() ? absl::OkStatus() : absl::InternalError(result_.error());
}

DriverProcess::~DriverProcess() {
  if (process_ != nullptr) EndLifeline().status().IgnoreError();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

common::Channel DriverProcess::ChannelWithCookie(absl::string_view cookie) const {
  return common::Channel::Local(result_.address(), cookie);
}

std::string DriverProcess::Log() const {
  std::ifstream file(absl::StrCat(folder_, "/log"));
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

absl::StatusOr<common::ExitStatus> DriverProcess::EndLifeline() {
  process_->stdin_fd().reset();
  return process_->WaitFor(absl::Now() + kLimit);
}

}  // namespace machine::driver::conformance
