// A shared orchestrator with users, for tests.
#ifndef TESTS_INTEGRATION_SHARED_WORLD_H_
#define TESTS_INTEGRATION_SHARED_WORLD_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/common/rpc/channel.h"
#include "tests/integration/world.h"

namespace machine::tests {

/// A test with one orchestrator that listens with TLS on this host.
class SharedTest : public WorldTest {
 protected:
  /// Starts it with more options, and waits until it listens. Again after StopOrchestrator(), with
  /// the same store.
  void Start(const std::vector<std::string>& options = {});

  std::string shared() const { return world_.Path("shared"); }
  /// "127.0.0.1:PORT".
  const std::string& address() const { return address_; }
  /// A field of the orchestrator's server.json.
  std::string ServerField(const char* name) const;

  /// A new token, by the command for the server's own host.
  std::string Token(absl::string_view user, absl::string_view role) const;
  /// A storage path of this user's own that has joined as server "team", which is the current one.
  /// Joins the first time.
  std::string StoreOf(absl::string_view user, absl::string_view role);
  /// docker-machine as this user, who has joined.
  Outcome RunAs(absl::string_view user, absl::string_view line) const;
  /// A connection as this user, who has joined.
  common::Channel ChannelOf(absl::string_view user) const;
  /// The files of a user who has joined.
  std::string Credential(absl::string_view user, absl::string_view leaf) const;

 private:
  std::string address_;
  std::unique_ptr<RunningCommand> orchestrator_;
};

}  // namespace machine::tests

#endif  // TESTS_INTEGRATION_SHARED_WORLD_H_
