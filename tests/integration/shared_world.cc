#include "tests/integration/shared_world.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"
#include "services/common/file/file.h"

namespace machine::tests {
namespace {

constexpr absl::Duration kStartLimit = absl::Seconds(60);

}  // namespace

void SharedTest::Start(const std::vector<std::string>& options) {
  // Of one before that was killed.
  std::filesystem::remove(shared() + "/server/server.json");
  std::vector<std::string> argv = {world_.libexec() + "/machine-orchestrator",
                                   "--storage-path=" + shared(), "--listen=127.0.0.1:0"};
  argv.insert(argv.end(), options.begin(), options.end());
  orchestrator_ = std::make_unique<RunningCommand>(argv, world_.Environment(), world_.Path("home"));
  const bool up = Eventually(kStartLimit, [&] { return !ServerField("listen").empty(); });
  ASSERT_TRUE(up) << orchestrator_->ErrSoFar();
  address_ = ServerField("listen");
}

std::string SharedTest::ServerField(const char* name) const {
  const std::string text = common::ReadFile(shared() + "/server/server.json").value_or("");
  const auto info = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  return info.is_object() ? info.value(name, "") : "";
}

std::string SharedTest::Token(absl::string_view user, absl::string_view role) const {
  const Outcome outcome = world_.RunOther(
      {world_.libexec() + "/machine-orchestrator", "user", "token", std::string(user),
       absl::StrCat("--role=", role), "--storage-path=" + shared()});
  EXPECT_EQ(outcome.exit_code, 0) << outcome;
  return std::string(absl::StripAsciiWhitespace(outcome.out));
}

std::string SharedTest::StoreOf(absl::string_view user, absl::string_view role) {
  std::string store = world_.Path(absl::StrCat("store-", user));
  if (std::filesystem::exists(store)) return store;
  const std::string flag = "--storage-path=" + store;
  const Outcome added = world_.RunWords({flag, "server", "add", "team", "--address", address_});
  EXPECT_EQ(added.exit_code, 0) << added;
  const Outcome used = world_.RunWords({flag, "server", "use", "team"});
  EXPECT_EQ(used.exit_code, 0) << used;
  const Outcome joined = world_.RunWords({flag, "login", Token(user, role)});
  EXPECT_EQ(joined.exit_code, 0) << joined;
  return store;
}

Outcome SharedTest::RunAs(absl::string_view user, absl::string_view line) const {
  std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  words.insert(words.begin(), "--storage-path=" + world_.Path(absl::StrCat("store-", user)));
  return world_.RunWords(words);
}

std::string SharedTest::Credential(absl::string_view user, absl::string_view leaf) const {
  return world_.Path(absl::StrCat("store-", user, "/contexts/team/", leaf));
}

common::Channel SharedTest::ChannelOf(absl::string_view user) const {
  return common::Channel::Tls(
      address_, {.ca_pem = common::ReadFile(Credential(user, "ca.pem")).value_or(""),
                 .client_cert_pem = common::ReadFile(Credential(user, "cert.pem")).value_or(""),
                 .client_key_pem = common::ReadFile(Credential(user, "key.pem")).value_or("")});
}

}  // namespace machine::tests
