#include "tests/e2e/bed.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/process/run.h"

namespace machine::tests {
namespace {

constexpr absl::Duration kLimit = absl::Minutes(5);

std::string Variable(const char* name) {
  const char* const value = getenv(name);
  return value == nullptr ? "" : value;
}

Outcome RunHere(const std::vector<std::string>& argv) {
  absl::StatusOr<common::RunResult> result = common::RunProgram(argv, {.timeout = kLimit});
  if (!result.ok()) return {.exit_code = -1, .out = "", .err = result.status().ToString()};
  return {.exit_code = result->exit_code,
          .out = std::move(result->stdout_data),
          .err = std::move(result->stderr_data)};
}

int Count(const BareHost& host, absl::string_view begins) {
  int count = -1;
  // `|| true`: grep calls it a failure when there is none.
  EXPECT_TRUE(
      absl::SimpleAtoi(host.Sh(absl::StrCat("journalctl --unit=ssh --output=cat --no-pager "
                                            "--since=@$(cat /root/counted-since) | grep -c '^",
                                            begins, "' || true")),
                       &count));
  return count;
}

}  // namespace

std::string Line(absl::string_view text) { return std::string(absl::StripSuffix(text, "\n")); }

bool Bed::Ready() {
  return getuid() == 0 && !Variable("MACHINE_BED").empty() &&
         !Variable("MACHINE_BED_DOCKER_HOST").empty() && !Variable("MACHINE_BED_SCRIPTS").empty();
}

Bed::Bed()
    : folder_(Variable("MACHINE_BED")),
      engine_(Variable("MACHINE_BED_DOCKER_HOST")),
      scripts_(Variable("MACHINE_BED_SCRIPTS")) {}

Outcome Bed::Script(absl::string_view script, const std::vector<std::string>& words) const {
  std::vector<std::string> argv = words;
  argv.insert(argv.begin(), absl::StrCat(scripts_, "/", script));
  return RunHere(argv);
}

Outcome Bed::Docker(std::vector<std::string> words) const {
  words.insert(words.begin(), {"docker", "--host", engine_});
  return RunHere(words);
}

std::string Bed::NobodysAddress() const {
  const Outcome gateway = Docker(
      {"network", "inspect", "-f", "{{range .IPAM.Config}}{{.Gateway}}{{end}}", "machine-bed"});
  EXPECT_EQ(gateway.exit_code, 0) << gateway;
  // Hosts are given the lowest addresses that are free.
  return absl::StrCat(absl::StripSuffix(Line(gateway.out), ".1"), ".254");
}

BareHost::BareHost(const Bed& bed, const std::string& name, const std::string& image)
    : bed_(bed), name_(name) {
  bed_.Script("host.sh", {"rm", name_});  // Of a run that was killed.
  std::vector<std::string> words = {"up", name_};
  if (!image.empty()) words.push_back(image);
  const Outcome up = bed_.Script("host.sh", words);
  EXPECT_EQ(up.exit_code, 0) << up;
  if (up.exit_code == 0) ip_ = Line(up.out);
}

BareHost::~BareHost() {
  const Outcome removed = bed_.Script("host.sh", {"rm", name_});
  EXPECT_EQ(removed.exit_code, 0) << removed;
}

std::string BareHost::Sh(absl::string_view script) const {
  const Outcome outcome =
      bed_.Script("host.sh", {"exec", name_, "sh", "-euc", std::string(script)});
  EXPECT_EQ(outcome.exit_code, 0) << script << "\n" << outcome;
  return Line(outcome.out);
}

void BareHost::Do(absl::string_view verb) const {
  const Outcome outcome = bed_.Script("host.sh", {std::string(verb), name_});
  EXPECT_EQ(outcome.exit_code, 0) << outcome;
}

void BareHost::CountSsh() const {
  // sshd begins anew on a reload, which is done only when it listens again.
  Sh("date +%s.%N >/root/counted-since\n"
     "echo LogLevel VERBOSE >/etc/ssh/sshd_config.d/verbose.conf\n"
     "systemctl reload ssh\n"
     "until journalctl --unit=ssh --output=cat --since=@$(cat /root/counted-since) |\n"
     "  grep -q '^Server listening'; do sleep 0.05; done");
}

int BareHost::SshConnections() const { return Count(*this, "Accepted publickey"); }

int BareHost::SshSessions() const { return Count(*this, "Starting session:"); }

}  // namespace machine::tests
