// A host with the fake QEMU, for tests.
#ifndef TESTS_FAKES_QEMU_FAKE_QEMU_HOST_H_
#define TESTS_FAKES_QEMU_FAKE_QEMU_HOST_H_

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace machine::fakes {

/// Puts the fake first in this process's PATH, where the programs that it starts find it, too, and
/// ends with all that was started. One at a time in a process.
class FakeQemuHost {
 public:
  FakeQemuHost();
  ~FakeQemuHost();

  FakeQemuHost(const FakeQemuHost&) = delete;
  FakeQemuHost& operator=(const FakeQemuHost&) = delete;

  /// A folder of the test's own.
  std::string Path(absl::string_view leaf) const;
  /// An image of 1 MiB in format qcow2.
  std::string image() const { return Path("base.qcow2"); }

  /// Leaves an order for machines, see fake_machine.h; and takes it back.
  void Order(absl::string_view name, absl::string_view text = "yes") const;
  void Withdraw(absl::string_view name) const;

  /// UUID and process of each start so far.
  std::vector<std::pair<std::string, pid_t>> Started() const;
  /// Those processes of machine `uuid` that run.
  std::vector<pid_t> Running(absl::string_view uuid) const;

 private:
  std::string folder_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_QEMU_FAKE_QEMU_HOST_H_
