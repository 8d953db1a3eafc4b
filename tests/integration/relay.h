// A link to a server that can be cut and healed, as a network between two hosts.
#ifndef TESTS_INTEGRATION_RELAY_H_
#define TESTS_INTEGRATION_RELAY_H_

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "services/common/process/unique_fd.h"

namespace machine::tests {

/// Carries connections to 127.0.0.1:port() on to a port of this machine. Thread-safe.
class Relay {
 public:
  enum class Link {
    kUp,
    /// Connections end, and new ones end at once.
    kCut,
    /// Nothing comes through, and nobody is told: as packets that are dropped.
    kSilent,
  };

  Relay();
  ~Relay();

  int port() const { return port_; }
  /// Where new connections lead.
  void LeadTo(int port) { target_ = port; }
  void Set(Link link);

 private:
  struct Pair {
    common::UniqueFd near;
    common::UniqueFd far;
  };

  void Run();
  void Accept();
  /// False when the connection is over.
  static bool Carry(int from, int to);
  void Wake() const;

  const common::UniqueFd listener_;
  const common::UniqueFd bell_;
  int port_ = 0;
  std::atomic<int> target_{0};
  std::atomic<Link> link_{Link::kUp};
  std::atomic<bool> ended_{false};
  std::vector<Pair> pairs_;  // On the thread.
  std::thread thread_;
};

}  // namespace machine::tests

#endif  // TESTS_INTEGRATION_RELAY_H_
