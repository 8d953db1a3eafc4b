#include "tests/crash/listening_driver.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"

namespace machine::tests {
namespace {

// Of the log line "listening", which has {"address":"127.0.0.1:PORT"}.
int PortInLog(int fd) {
  std::string log;
  constexpr char kKey[] = "\"127.0.0.1:";
  while (true) {
    char c = 0;
    if (read(fd, &c, 1) != 1) break;
    log += c;
    const size_t at = log.find(kKey);
    const size_t end = at == std::string::npos ? at : log.find('"', at + 1);
    int port = 0;
    if (end != std::string::npos &&
        absl::SimpleAtoi(log.substr(at + sizeof(kKey) - 1, end - at - sizeof(kKey) + 1), &port)) {
      return port;
    }
  }
  ADD_FAILURE() << "the driver does not listen: " << log;
  return 0;
}

}  // namespace

DriverCertificates::DriverCertificates(const World& world) : world_(world) {
  const auto authority = common::CertAuthority::Create("test", absl::Hours(1)).value();
  const auto server = authority.IssueServer({"127.0.0.1"}, absl::Hours(1)).value();
  Write("ca.pem", authority.cert_pem());
  Write("server.pem", server.cert_pem);
  Write("server-key.pem", server.key_pem.view());
  WriteClient("", authority);
}

void DriverCertificates::Write(const std::string& name, absl::string_view contents) const {
  EXPECT_TRUE(common::WriteFileAtomically(world_.Path(name), contents, 0600).ok());
}

void DriverCertificates::WriteClient(const std::string& prefix,
                                     const common::CertAuthority& authority) const {
  const auto client =
      authority.IssueClient({.common_name = "orchestrator"}, absl::Hours(1)).value();
  Write(prefix + "cert.pem", client.cert_pem);
  Write(prefix + "key.pem", client.key_pem.view());
}

std::string DriverCertificates::RegisterLine(absl::string_view name, int port,
                                             absl::string_view client) const {
  return absl::StrCat("driver register ", name, " 127.0.0.1:", port, " --ca ",
                      world_.Path("ca.pem"), " --cert ",
                      world_.Path(absl::StrCat(client, "cert.pem")), " --key ",
                      world_.Path(absl::StrCat(client, "key.pem")));
}

ListeningDriver::ListeningDriver(const World& world, const std::string& program,
                                 const std::string& data_dir,
                                 const std::map<std::string, std::string>& variables) {
  auto process = common::Process::Spawn(
      {.argv = {program, "--listen", "127.0.0.1:0", "--data-dir", data_dir, "--tls-cert",
                world.Path("server.pem"), "--tls-key", world.Path("server-key.pem"), "--tls-ca",
                world.Path("ca.pem")},
       .env = world.Environment(variables),
       .stderr_to = common::Stdio::Pipe()});
  EXPECT_TRUE(process.ok()) << process.status();
  if (!process.ok()) return;
  process_.emplace(*std::move(process));
  port_ = PortInLog(process_->stderr_fd().get());
}

void ListeningDriver::Kill() {
  process_->Signal(SIGKILL).IgnoreError();
  process_->Wait().IgnoreError();
}

}  // namespace machine::tests
