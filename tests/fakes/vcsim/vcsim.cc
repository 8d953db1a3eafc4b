#include "tests/fakes/vcsim/vcsim.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace machine::fakes {
namespace {

// Up to the end of the line, or of all that there is.
std::string ReadLine(int fd) {
  std::string line;
  char c = 0;
  while (true) {
    const ssize_t count = read(fd, &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || c == '\n') return line;
    line.push_back(c);
  }
}

}  // namespace

std::optional<std::string> Vcsim::Program() {
  const char* const program = std::getenv("MACHINE_VCSIM");
  if (program == nullptr || access(program, X_OK) != 0) return std::nullopt;
  return program;
}

absl::StatusOr<std::unique_ptr<Vcsim>> Vcsim::Start(const std::string& program,
                                                    const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {program};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  absl::StatusOr<common::Process> process =
      common::Process::Spawn({.argv = std::move(argv),
                              .stdin_from = common::Stdio::Pipe(),
                              .stdout_to = common::Stdio::Pipe(),
                              .new_session = true});
  if (!process.ok()) return process.status();
  std::unique_ptr<Vcsim> vcsim(new Vcsim(*std::move(process)));
  const std::string line = ReadLine(vcsim->process_.stdout_fd().get());
  const std::vector<std::string> words = absl::StrSplit(line, '\t');
  if (words.size() != 6 || words[0] != "listening" || !absl::SimpleAtoi(words[2], &vcsim->port_)) {
    return absl::UnavailableError(absl::StrCat("vcsim does not listen: ", line));
  }
  vcsim->host_ = words[1];
  vcsim->user_ = words[3];
  vcsim->password_ = words[4];
  if (words[5] == "-") return vcsim;
  constexpr size_t kPemLine = 64;
  vcsim->certificate_pem_ = "-----BEGIN CERTIFICATE-----\n";
  for (size_t i = 0; i < words[5].size(); i += kPemLine) {
    absl::StrAppend(&vcsim->certificate_pem_, words[5].substr(i, kPemLine), "\n");
  }
  absl::StrAppend(&vcsim->certificate_pem_, "-----END CERTIFICATE-----\n");
  return vcsim;
}

Vcsim::~Vcsim() { process_.SignalGroup(SIGKILL).IgnoreError(); }

std::string Vcsim::Tell(absl::string_view command) {
  const std::string line = absl::StrCat(command, "\n");
  if (write(process_.stdin_fd().get(), line.data(), line.size()) !=
      static_cast<ssize_t>(line.size())) {
    return "error: vcsim has ended";
  }
  return ReadLine(process_.stdout_fd().get());
}

}  // namespace machine::fakes
