#include "tests/fakes/prism/prism.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace machine::fakes {
namespace {

constexpr char kListening[] = "Prism is listening on ";
constexpr absl::Duration kStartLimit = absl::Minutes(1);

}  // namespace

std::optional<std::string> Prism::Program() {
  const char* const program = std::getenv("MACHINE_PRISM");
  if (program == nullptr || access(program, X_OK) != 0) return std::nullopt;
  return program;
}

absl::StatusOr<std::unique_ptr<Prism>> Prism::Start(const std::string& program,
                                                    const std::string& path) {
  absl::StatusOr<common::Process> process =
      common::Process::Spawn({.argv = {program, "mock", path, "-h", "127.0.0.1", "-p", "0"},
                              .stdout_to = common::Stdio::Pipe(),
                              .new_session = true});
  if (!process.ok()) return process.status();
  std::unique_ptr<Prism> prism(new Prism(*std::move(process)));
  absl::MutexLock lock(&prism->mu_);
  const auto ready = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(prism->mu_) {
    const size_t listening = prism->output_.find(kListening);
    return prism->ended_ || (listening != std::string::npos &&
                             prism->output_.find('\n', listening) != std::string::npos);
  };
  prism->mu_.AwaitWithTimeout(absl::Condition(&ready), kStartLimit);
  const size_t listening = prism->output_.find(kListening);
  if (listening == std::string::npos) {
    return absl::UnavailableError(absl::StrCat("prism does not listen: ", prism->output_));
  }
  const size_t begin = listening + sizeof(kListening) - 1;
  prism->url_ =
      prism->output_.substr(begin, prism->output_.find_first_of("\r\n\x1b ", begin) - begin);
  return prism;
}

Prism::Prism(common::Process process)
    : process_(std::move(process)), reader_([this] { ReadOutput(); }) {}

Prism::~Prism() {
  process_.SignalGroup(SIGKILL).IgnoreError();
  reader_.join();
}

void Prism::ReadOutput() {
  char buffer[4096];
  while (true) {
    const ssize_t count = read(process_.stdout_fd().get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    absl::MutexLock lock(&mu_);
    if (count <= 0) {
      ended_ = true;
      return;
    }
    output_.append(buffer, static_cast<size_t>(count));
  }
}

}  // namespace machine::fakes
